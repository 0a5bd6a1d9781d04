#define _GNU_SOURCE
#include "symbols.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/os.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* --- the module of an address ---------------------------------------------------------------------------- */

struct search {
    uintptr_t address;
    uint64_t offset;
    char path[PATH_MAX];
    bool found;
};

static bool holds(const struct dl_phdr_info *module, uintptr_t address)
{
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &module->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && address - module->dlpi_addr - part->p_vaddr < part->p_memsz)
            return true;
    }
    return false;
}

/* Another module may lie where one was that is gone: then the offset is another. */
static int look_at_module(struct dl_phdr_info *module, size_t size, void *argument)
{
    struct search *search = argument;
    (void)size;
    if (!holds(module, search->address))
        return 0;
    search->found = search->address - module->dlpi_addr == search->offset;
    snprintf(search->path, sizeof search->path, "%s",
             *module->dlpi_name ? module->dlpi_name : "/proc/self/exe");
    return 1;
}

/* --- one file -------------------------------------------------------------------------------------------- */

struct image {
    const char *bytes;
    size_t size;
};

static bool image_open(struct image *ret_image, const char *path)
{
    int _cleanup_close_ fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(ElfW(Ehdr)))
        return false;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return false;
    *ret_image = (struct image){bytes, (size_t)st.st_size};
    return true;
}

/* `count` things of `each` bytes at `offset`, or NULL when they are not all in the file. */
static const void *image_at(const struct image *image, uint64_t offset, uint64_t count, uint64_t each)
{
    if (offset > image->size || offset % sizeof(uint32_t) || (each && count > (image->size - offset) / each))
        return NULL;
    return image->bytes + offset;
}

static const ElfW(Shdr) * image_sections(const struct image *image, size_t *ret_count)
{
    const ElfW(Ehdr) *header = (const void *)image->bytes;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_shentsize != sizeof(ElfW(Shdr)))
        return NULL;
    *ret_count = header->e_shnum;
    return image_at(image, header->e_shoff, header->e_shnum, sizeof(ElfW(Shdr)));
}

/* A function without a size (of assembler) reaches as far as the next one. */
static bool is_nearer(const ElfW(Sym) * symbol, uint64_t offset, const ElfW(Sym) * best)
{
    unsigned type = symbol->st_info & 15;
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
        symbol->st_value > offset)
        return false;
    if (symbol->st_size > 0 && offset - symbol->st_value >= symbol->st_size)
        return false;
    return !best || symbol->st_value > best->st_value;
}

static bool name_symbol(const struct image *image, const ElfW(Shdr) * names, const ElfW(Sym) * symbol,
                        uint64_t offset, struct symbol *ret_symbol)
{
    if (names->sh_offset > image->size || names->sh_size > image->size - names->sh_offset ||
        symbol->st_name >= names->sh_size)
        return false;
    const char *name = image->bytes + names->sh_offset + symbol->st_name;
    size_t size = strnlen(name, names->sh_size - symbol->st_name);
    if (size == 0)
        return false;
    size = size < SYMBOL_NAME_SIZE ? size : SYMBOL_NAME_SIZE - 1;
    memcpy(ret_symbol->name, name, size);
    ret_symbol->name[size] = '\0';
    ret_symbol->distance = offset - symbol->st_value;
    return true;
}

static bool look_in_table(const struct image *image, const ElfW(Shdr) * sections, size_t count,
                          const ElfW(Shdr) * table, uint64_t offset, struct symbol *ret_symbol)
{
    size_t symbols = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbol = image_at(image, table->sh_offset, symbols, sizeof *symbol), *best = NULL;
    if (!symbol || table->sh_link >= count)
        return false;
    for (size_t i = 0; i < symbols; i++)
        if (is_nearer(&symbol[i], offset, best))
            best = &symbol[i];
    return best && name_symbol(image, &sections[table->sh_link], best, offset, ret_symbol);
}

/* The whole table, where it was not stripped; else that of what is exported. */
static bool look_in_image(const struct image *image, uint64_t offset, struct symbol *ret_symbol)
{
    static const uint32_t tables[] = {SHT_SYMTAB, SHT_DYNSYM};
    size_t count = 0;
    const ElfW(Shdr) *sections = image_sections(image, &count);
    for (int t = 0; t < 2 && sections; t++)
        for (size_t i = 0; i < count; i++)
            if (sections[i].sh_type == tables[t] &&
                look_in_table(image, sections, count, &sections[i], offset, ret_symbol))
                return true;
    return false;
}

/* --- what was found -------------------------------------------------------------------------------------- */

enum { REMEMBERED = 256 }; /* a power of two */

static struct {
    uintptr_t address;
    uint64_t offset;
    bool found;
    struct symbol symbol;
} remembered[REMEMBERED];

static bool look(uintptr_t address, uint64_t offset, struct symbol *ret_symbol)
{
    struct search search = {.address = address, .offset = offset};
    struct image image;
    dl_iterate_phdr(look_at_module, &search);
    if (!search.found || !image_open(&image, search.path))
        return false;
    bool found = look_in_image(&image, offset, ret_symbol);
    munmap((void *)(uintptr_t)image.bytes, image.size);
    return found;
}

bool symbols_find(uintptr_t address, uint64_t offset, struct symbol *ret_symbol)
{
    size_t slot = (address ^ address >> 12) & (REMEMBERED - 1);
    if (remembered[slot].address != address || remembered[slot].offset != offset) {
        remembered[slot].found = look(address, offset, &remembered[slot].symbol);
        remembered[slot].address = address;
        remembered[slot].offset = offset;
    }
    *ret_symbol = remembered[slot].symbol;
    return remembered[slot].found;
}
