#include "source.h"

#include "liblog/base/number.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_HEX_SIZE = 2 * SOURCE_HASH_SIZE, SHA256_SIZE = 32 };

void source_records_free(struct source_record *records, int count)
{
    for (int i = 0; i < count; i++)
        free(records[i].path);
    free(records);
}

void source_hash_bytes(struct source_hash *ret_hash, const void *bytes, uint32_t size)
{
    unsigned char digest[SHA256_SIZE] = {0};

    *ret_hash = (struct source_hash){.size = size};
    if (size == 0)
        return;
    EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL);
    memcpy(ret_hash->hash, digest, SOURCE_HASH_SIZE);
}

bool source_hash_equal(const struct source_hash *a, const struct source_hash *b)
{
    return a->size == b->size && memcmp(a->hash, b->hash, SOURCE_HASH_SIZE) == 0;
}

bool source_renew_beginning(struct source_evidence *evidence, const char *bytes, size_t size)
{
    if (size <= evidence->head.size)
        return false;
    source_hash_bytes(&evidence->head, bytes, (uint32_t)size);
    if (size >= SOURCE_START_BYTES && evidence->start.size == 0)
        source_hash_bytes(&evidence->start, bytes, SOURCE_START_BYTES);
    return true;
}

/* Evidence as text: always all keys, in this order, but for `gone_ns`, which only a source that is gone has.
 * Whoever writes it otherwise did not write evidence. */

static void hash_to_hex(char out[static HASH_HEX_SIZE + 1], const struct source_hash *hash)
{
    for (int i = 0; i < SOURCE_HASH_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", hash->hash[i]);
}

void source_evidence_to_text(char out[static SOURCE_EVIDENCE_TEXT_MAX], const struct source_evidence *e)
{
    char head[HASH_HEX_SIZE + 1], marker[HASH_HEX_SIZE + 1], start[HASH_HEX_SIZE + 1];
    char more[HASH_HEX_SIZE + 64] = "";
    int size = 0;

    hash_to_hex(head, &e->head);
    hash_to_hex(marker, &e->marker);
    hash_to_hex(start, &e->start);
    if (e->start.size)
        size = snprintf(more, sizeof(more), ",\"start\":\"%s\"", start);
    if (e->gone_ns)
        snprintf(more + size, sizeof(more) - (size_t)size, ",\"gone_ns\":%" PRId64, e->gone_ns);
    snprintf(out, SOURCE_EVIDENCE_TEXT_MAX,
             "{\"device\":%" PRIu64 ",\"inode\":%" PRIu64 ",\"birth_ns\":%" PRId64 ",\"modified_ns\":%" PRId64
             ",\"size\":%" PRIu64 ",\"compressed\":%s,\"finished\":%s,\"offset\":%" PRIu64
             ",\"head_size\":%" PRIu32 ",\"head\":\"%s\",\"marker_size\":%" PRIu32 ",\"marker\":\"%s\"%s}",
             e->device, e->inode, e->birth_ns, e->modified_ns, e->size, e->compressed ? "true" : "false",
             e->finished ? "true" : "false", e->offset, e->head.size, head, e->marker.size, marker, more);
}

/* A place in the text; a step that does not find what it expects makes it `bad`, and every later one does
 * nothing. */
struct cursor {
    struct slice rest;
    bool bad;
};

static void expect(struct cursor *c, const char *literal)
{
    struct slice want = slice_of(literal);

    c->bad = c->bad || !slice_starts_with(c->rest, want);
    if (c->bad)
        return;
    c->rest = slice_from(c->rest.data + want.size, c->rest.size - want.size);
}

static struct slice take_until(struct cursor *c, const char *stops)
{
    size_t size = 0;

    while (!c->bad && size < c->rest.size && !strchr(stops, c->rest.data[size]))
        size++;
    struct slice taken = {c->rest.data, size};
    c->rest = slice_from(c->rest.data + size, c->rest.size - size);
    return taken;
}

static uint64_t take_u64(struct cursor *c, const char *key)
{
    uint64_t value = 0;

    expect(c, key);
    if (!c->bad && number_to_u64(take_until(c, ",}"), &value) < 0)
        c->bad = true;
    return value;
}

static int64_t take_i64(struct cursor *c, const char *key)
{
    int64_t value = 0;

    expect(c, key);
    if (!c->bad && number_to_i64(take_until(c, ",}"), &value) < 0)
        c->bad = true;
    return value;
}

static bool take_bool(struct cursor *c, const char *key)
{
    expect(c, key);
    struct slice word = take_until(c, ",}");
    c->bad = c->bad || !(slice_is(word, "true") || slice_is(word, "false"));
    return slice_is(word, "true");
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static void take_hash_bytes(struct cursor *c, const char *key, struct source_hash *ret_hash)
{
    expect(c, key);
    struct slice hex = take_until(c, "\"");
    expect(c, "\"");
    c->bad = c->bad || hex.size != HASH_HEX_SIZE;
    for (int i = 0; !c->bad && i < SOURCE_HASH_SIZE; i++) {
        int high = hex_value(hex.data[2 * i]), low = hex_value(hex.data[2 * i + 1]);
        c->bad = high < 0 || low < 0;
        ret_hash->hash[i] = (uint8_t)(16 * (unsigned)high + (unsigned)low);
    }
}

static void take_hash(struct cursor *c, const char *size_key, const char *key, uint32_t size_max,
                      struct source_hash *ret_hash)
{
    uint64_t size = take_u64(c, size_key);

    take_hash_bytes(c, key, ret_hash);
    c->bad = c->bad || size > size_max;
    ret_hash->size = (uint32_t)size;
}

static bool has_key(const struct cursor *c, const char *key)
{
    return slice_starts_with(c->rest, slice_of(key));
}

int source_evidence_from_text(const char *text, struct source_evidence *ret_evidence)
{
    struct cursor c = {.rest = slice_of(text)};
    struct source_evidence e = {0};

    e.device = take_u64(&c, "{\"device\":");
    e.inode = take_u64(&c, ",\"inode\":");
    e.birth_ns = take_i64(&c, ",\"birth_ns\":");
    e.modified_ns = take_i64(&c, ",\"modified_ns\":");
    e.size = take_u64(&c, ",\"size\":");
    e.compressed = take_bool(&c, ",\"compressed\":");
    e.finished = take_bool(&c, ",\"finished\":");
    e.offset = take_u64(&c, ",\"offset\":");
    take_hash(&c, ",\"head_size\":", ",\"head\":\"", SOURCE_HEAD_BYTES_MAX, &e.head);
    take_hash(&c, ",\"marker_size\":", ",\"marker\":\"", SOURCE_MARKER_BYTES_MAX, &e.marker);
    if (has_key(&c, ",\"start\":\"")) {
        take_hash_bytes(&c, ",\"start\":\"", &e.start);
        e.start.size = SOURCE_START_BYTES;
    }
    if (has_key(&c, ",\"gone_ns\":"))
        e.gone_ns = take_i64(&c, ",\"gone_ns\":");
    expect(&c, "}");
    if (c.bad || c.rest.size != 0 || e.marker.size > e.offset)
        return -1;
    *ret_evidence = e;
    return 0;
}

/*
 * The decision, as a table. A file shows signs of being a known source; the first rule all of whose wanted
 * signs are there, and none of whose unwanted ones, says what it is.
 */
enum sign {
    SIGN_INODE =
        1
        << 0, /* the same inode, and not one born at another time; the device may have changed at a reboot */
    SIGN_HEAD = 1 << 1,    /* the first bytes agree, as far as they were known */
    SIGN_MARKER = 1 << 2,  /* the bytes before the offset agree */
    SIGN_BEYOND = 1 << 3,  /* the file does not reach the offset */
    SIGN_UNREAD = 1 << 4,  /* nothing of the source was read yet */
    SIGN_CUT = 1 << 5,     /* not empty, and ends where a write could have been lost */
    SIGN_PRESENT = 1 << 6, /* the source's bytes are seen elsewhere */
    SIGN_TWIN = 1 << 7, /* last written at the same moment: what gzip, mv and cp -p hand on to the new file */
    SIGN_UNTOUCHED = 1 << 8 /* compressed, read to its end, of the same size and time as then */
};

static const struct rule {
    unsigned wanted, unwanted;
    enum source_verdict verdict;
} rules[] = {
    {SIGN_INODE | SIGN_HEAD | SIGN_UNTOUCHED, 0, SOURCE_REMEMBERED},
    {SIGN_INODE | SIGN_HEAD | SIGN_MARKER, 0, SOURCE_SAME},
    {SIGN_INODE | SIGN_HEAD | SIGN_UNREAD, 0, SOURCE_SAME},
    {SIGN_INODE | SIGN_HEAD | SIGN_BEYOND | SIGN_CUT, 0, SOURCE_ROLLED_BACK},
    {SIGN_INODE, 0, SOURCE_REWRITTEN},
    {SIGN_HEAD | SIGN_MARKER, 0, SOURCE_SAME},
    /* Moved to another file system or compressed before the first byte was read; two files with equal heads
       are not that. */
    {SIGN_HEAD | SIGN_UNREAD | SIGN_TWIN, SIGN_PRESENT, SOURCE_SAME},
};

/* Two files that share an inode number but were born at different times never were the same file; nor were a
 * plain one and a compressed one, for compressing makes a new file. */
static bool same_inode(const struct source_evidence *known, const struct source_facts *facts)
{
    bool born_apart = known->birth_ns && facts->birth_ns && known->birth_ns != facts->birth_ns;
    return known->inode == facts->inode && known->compressed == facts->compressed && !born_apart;
}

/* An empty head agrees only with the inode it was seen at: the source had no bytes by which to know it
 * elsewhere. `last` is the hash of the file's head that was taken last: of thousands of candidates most have
 * the same size of it. */
static bool head_agrees(const struct source_evidence *known, const struct source_facts *facts,
                        struct source_hash *last)
{
    if (known->head.size == 0)
        return same_inode(known, facts);
    if (known->head.size > facts->head.size)
        return false;
    if (last->size != known->head.size)
        source_hash_bytes(last, facts->head.data, known->head.size);
    return source_hash_equal(last, &known->head);
}

static unsigned marker_signs(const struct source_evidence *known, const struct source_facts *facts)
{
    struct source_hash hash;

    if (known->offset == 0)
        return SIGN_UNREAD;
    if (!facts->compressed && facts->size < known->offset)
        return SIGN_BEYOND | (facts->size > 0 && facts->clean_end ? SIGN_CUT : 0);
    if (known->marker.size == 0) /* nothing to compare: the inode must do */
        return same_inode(known, facts) ? SIGN_MARKER : 0;
    if (!facts->hash_before(facts->context, known->offset, known->marker.size, &hash))
        return facts->compressed ? SIGN_BEYOND : 0;
    return source_hash_equal(&hash, &known->marker) ? SIGN_MARKER : 0;
}

static bool untouched(const struct source_evidence *known, const struct source_facts *facts)
{
    return known->finished && known->compressed && facts->compressed && known->size == facts->size &&
           known->modified_ns == facts->modified_ns;
}

static unsigned signs_of(const struct source_evidence *known, bool present, const struct source_facts *facts,
                         struct source_hash *last)
{
    unsigned signs = 0;

    if (same_inode(known, facts))
        signs |= SIGN_INODE;
    if (!head_agrees(known, facts, last))
        return signs;
    signs |= SIGN_HEAD;
    if (present)
        signs |= SIGN_PRESENT;
    if (known->modified_ns == facts->modified_ns)
        signs |= SIGN_TWIN;
    if (untouched(known, facts))
        signs |= SIGN_UNTOUCHED;
    /* To compare the marker a compressed file must be inflated up to there, so it is asked only where it
     * decides. */
    if ((signs & (SIGN_INODE | SIGN_UNTOUCHED)) != (SIGN_INODE | SIGN_UNTOUCHED))
        signs |= marker_signs(known, facts);
    return signs;
}

static enum source_verdict compare(const struct source_evidence *known, bool present,
                                   const struct source_facts *facts, struct source_hash *last)
{
    unsigned signs = signs_of(known, present, facts, last);

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if ((signs & rules[i].wanted) == rules[i].wanted && !(signs & rules[i].unwanted))
            return rules[i].verdict;
    return SOURCE_OTHER;
}

enum source_verdict source_compare(const struct source_evidence *known, bool present,
                                   const struct source_facts *facts)
{
    struct source_hash last = {0};
    return compare(known, present, facts, &last);
}

static bool is_better(const struct source_candidate *a, const struct source_candidate *b)
{
    if (a->present != b->present)
        return !a->present;
    return a->evidence->offset > b->evidence->offset;
}

enum source_verdict source_decide(const struct source_candidate *candidates, int count,
                                  const struct source_facts *facts, int *ret_index)
{
    enum source_verdict best = SOURCE_OTHER;
    struct source_hash last = {0};
    int index = -1;

    for (int i = 0; i < count; i++) {
        enum source_verdict verdict = compare(candidates[i].evidence, candidates[i].present, facts, &last);
        if (verdict == SOURCE_OTHER || verdict < best)
            continue;
        if (verdict == best && !is_better(&candidates[i], &candidates[index]))
            continue;
        best = verdict;
        index = i;
    }
    if (best != SOURCE_OTHER)
        *ret_index = index;
    return best;
}
