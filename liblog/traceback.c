#include "traceback.h"

#include "liblog/base/os.h"
#include "symbols.h"

#include <stdio.h>
#include <unwind.h>

static struct slice base_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slice_of(slash ? slash + 1 : path);
}

static void add_entry(struct traceback *traceback, uintptr_t address)
{
    struct traceback_entry entry = {.address = address};
    struct os_module module;
    struct slice name = slice_from("", 0);
    if (traceback->count == TRACEBACK_ENTRIES_MAX)
        return;
    if (os_module_of(address, &module)) {
        entry.offset = address - module.base;
        name = base_name_of(module.path);
    }
    if (name.size > TRACEBACK_NAME_BYTES_MAX)
        name.size = TRACEBACK_NAME_BYTES_MAX;
    entry.name_size = (uint32_t)name.size;
    memcpy(traceback->bytes + traceback->size, &entry, sizeof entry);
    memcpy(traceback->bytes + traceback->size + sizeof entry, name.data, name.size);
    traceback->size += (uint32_t)(sizeof entry + name.size);
    traceback->count++;
}

/* --- taking ---------------------------------------------------------------------------------------------- */

struct walk {
    struct traceback *traceback;
    unsigned skip;
    uintptr_t begins_at; /* the interrupted instruction: what is before it is the handler's; 0: all counts */
    uintptr_t last_frame;
};

/* A return address points behind its call, perhaps into another function: the entry is one byte before it. */
static _Unwind_Reason_Code take_call(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    int is_exact = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &is_exact);
    if (address == 0 || walk->traceback->count == TRACEBACK_ENTRIES_MAX)
        return _URC_END_OF_STACK;
    if (walk->begins_at) {
        if (address == walk->begins_at)
            walk->begins_at = 0; /* this one is entered already */
        return _URC_NO_REASON;
    }
    if (walk->skip > 0)
        walk->skip--;
    else
        add_entry(walk->traceback, address - !is_exact);
    return _URC_NO_REASON;
}

__attribute__((noinline)) void traceback_take(struct traceback *ret_traceback, unsigned skip)
{
    struct walk walk = {.traceback = ret_traceback, .skip = skip + 1};
    ret_traceback->size = ret_traceback->count = 0;
    _Unwind_Backtrace(take_call, &walk);
}

/* A call through a bad pointer leaves the unwinder without a table to begin with: the caller's address lies
 * where that call has put it. */
void traceback_take_interrupted(struct traceback *ret_traceback, const void *context)
{
    struct os_interrupted at = os_interrupted_at(context);
    struct walk walk = {.traceback = ret_traceback, .begins_at = at.instruction};
    struct os_module module;
    ret_traceback->size = ret_traceback->count = 0;
    add_entry(ret_traceback, at.instruction);
    if (at.instruction)
        _Unwind_Backtrace(take_call, &walk);
    if (ret_traceback->count == 1 && at.return_address && os_module_of(*at.return_address, &module))
        add_entry(ret_traceback, *at.return_address - 1);
}

/* --- reading --------------------------------------------------------------------------------------------- */

bool traceback_next(struct slice *bytes, struct traceback_entry *ret_entry, struct slice *ret_name)
{
    if (bytes->size < sizeof *ret_entry)
        return false;
    memcpy(ret_entry, bytes->data, sizeof *ret_entry);
    size_t left = bytes->size - sizeof *ret_entry;
    if (ret_entry->name_size > left || ret_entry->name_size > TRACEBACK_NAME_BYTES_MAX)
        return false;
    *ret_name = slice_from(bytes->data + sizeof *ret_entry, ret_entry->name_size);
    *bytes = slice_from(ret_name->data + ret_name->size, left - ret_name->size);
    return true;
}

size_t traceback_text(char ret_text[static TRACEBACK_TEXT_SIZE], const struct traceback_entry *entry,
                      struct slice name, bool is_own)
{
    struct symbol symbol;
    unsigned long long place = entry->offset ? entry->offset : entry->address;
    int size;
    if (is_own && symbols_find((uintptr_t)entry->address, entry->offset, &symbol))
        size = snprintf(ret_text, TRACEBACK_TEXT_SIZE, "%s+0x%llx (%.*s)", symbol.name,
                        (unsigned long long)symbol.distance, (int)name.size, name.data);
    else if (name.size)
        size = snprintf(ret_text, TRACEBACK_TEXT_SIZE, "0x%llx (%.*s)", place, (int)name.size, name.data);
    else
        size = snprintf(ret_text, TRACEBACK_TEXT_SIZE, "0x%llx", place);
    return size < TRACEBACK_TEXT_SIZE ? (size_t)size : (size_t)TRACEBACK_TEXT_SIZE - 1;
}
