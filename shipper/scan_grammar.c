#include "scan_grammar.h"
#include "scan.h"
#include "scan_scalar.h"

#define ALL_ONES UINT64_MAX

/* Made part of each grammar_step…, whose instruction set it takes on. */
#define INLINE static inline __attribute__((always_inline))

/* The tokens of one block. Strings are whole: what looks like structure within them is not in the other
 * masks. */
struct tokens {
    uint64_t inside; /* strings from their opening quote to the byte before the closing one */
    uint64_t quote_open;
    uint64_t quote_close;
    uint64_t space;
    uint64_t open;
    uint64_t close;
    uint64_t colon;
    uint64_t comma;
    uint64_t scalar; /* everything else: to be numbers and literal names */
};

/* Which bytes of one block lie in which container. Brackets themselves are in none of these but where said.
 */
struct regions {
    uint64_t outer;      /* in no bracket at all */
    uint64_t top;        /* in the outermost one, and no deeper */
    uint64_t array;      /* the innermost one is an array */
    uint64_t open_array; /* the brackets [ */
    uint64_t end;        /* the closing bracket of the outermost one */
};

INLINE uint64_t bit_at(unsigned index)
{
    return UINT64_C(1) << index;
}

INLINE unsigned lowest(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

/* Bit i becomes the parity of bits 0 to i: one from each opening quote to before the closing one. */
INLINE uint64_t parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

/*
 * The first byte behind each of `ends` that is not white space. A bit added at the start of a run of ones
 * ripples through it and comes out behind its end; what leaves the block at the top is carried into the next.
 */
INLINE uint64_t behind(uint64_t starts, uint64_t space, uint64_t *overflow)
{
    uint64_t sum;
    *overflow = __builtin_add_overflow(starts, space, &sum);
    return sum & ~space;
}

INLINE uint64_t next_to(uint64_t ends, uint64_t space, uint64_t *carry)
{
    uint64_t overflow;
    uint64_t next = behind(ends << 1 | *carry, space, &overflow);
    *carry = ends >> 63 | overflow;
    return next;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* `text` is what follows a backslash. Reading on past the text's end is harmless: a string cut there is
 * refused anyway. */
static bool escape_is_good(const char *text)
{
    switch (text[0]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return true;
    case 'u':
        return is_hex(text[1]) && is_hex(text[2]) && is_hex(text[3]) && is_hex(text[4]);
    default:
        return false;
    }
}

/* Which bytes are escaped; checks the escapes themselves. A backslash outside a string is refused as a scalar
 * later. */
static bool find_escaped(struct grammar_carry *carry, uint64_t backslash, const char *block,
                         uint64_t *ret_escaped)
{
    uint64_t escaped = carry->escaped;
    carry->escaped = 0;
    carry->backslash |= backslash;
    for (uint64_t rest = backslash & ~escaped; rest;) {
        unsigned index = lowest(rest);
        if (!escape_is_good(block + index + 1))
            return false;
        if (index == SCAN_BLOCK_SIZE - 1)
            carry->escaped = 1;
        else
            escaped |= bit_at(index + 1);
        rest &= ~(UINT64_C(3) << index);
    }
    *ret_escaped = escaped;
    return true;
}

INLINE struct tokens find_tokens(struct grammar_carry *carry, const struct scan_mask *mask, uint64_t escaped)
{
    uint64_t quote = mask->quote & ~escaped;
    uint64_t inside = parity(quote) ^ carry->inside;
    carry->inside = (uint64_t)((int64_t)inside >> 63);
    uint64_t outside = ~(inside | quote);
    struct tokens t = {
        .inside = inside,
        .quote_open = quote & inside,
        .quote_close = quote & ~inside,
        .space = mask->space & outside,
        .open = mask->open & outside,
        .close = mask->close & outside,
        .colon = mask->colon & outside,
        .comma = mask->comma & outside,
    };
    t.scalar = outside & ~(t.space | t.open | t.close | t.colon | t.comma);
    return t;
}

INLINE bool push(struct grammar *grammar, bool array)
{
    grammar->nest[1] = grammar->nest[1] << 1 | grammar->nest[0] >> 63;
    grammar->nest[0] = grammar->nest[0] << 1 | array;
    return ++grammar->depth <= SCAN_DEPTH_MAX;
}

INLINE bool pop(struct grammar *grammar, bool array)
{
    if (grammar->depth == 0 || (grammar->nest[0] & 1) != array)
        return false;
    grammar->nest[0] = grammar->nest[0] >> 1 | grammar->nest[1] << 63;
    grammar->nest[1] >>= 1;
    grammar->depth--;
    return true;
}

/* Lets the bits from `from` on say where we are now. */
INLINE void regions_set(struct regions *regions, uint64_t from, const struct grammar *grammar)
{
    uint64_t array = from & -(grammar->nest[0] & 1); /* 0 outside of all, too */
    regions->outer = (regions->outer & ~from) | (grammar->depth == 0 ? from : 0);
    regions->top = (regions->top & ~from) | (grammar->depth == 1 ? from : 0);
    regions->array = (regions->array & ~from) | array;
}

/* Walks over the brackets of a block. False when one does not fit, or there are too many. */
INLINE bool find_regions(struct grammar *grammar, const struct tokens *t, const char *block,
                         struct regions *ret_regions)
{
    regions_set(ret_regions, ALL_ONES, grammar);
    for (uint64_t rest = t->open | t->close; rest; rest &= rest - 1) {
        unsigned index = lowest(rest);
        uint64_t bit = bit_at(index);
        if (t->open & bit) {
            bool array = block[index] == '[';
            ret_regions->open_array |= array ? bit : 0;
            if (!push(grammar, array))
                return false;
        } else {
            if (!pop(grammar, block[index] == ']'))
                return false;
            ret_regions->end |= grammar->depth == 0 ? bit : 0;
        }
        regions_set(ret_regions, ALL_ONES << index, grammar);
    }
    return true;
}

/* Closing brackets where a key or value could have stood: right only behind the opening one. */
static bool close_empty(const struct grammar *grammar, uint64_t closes)
{
    for (; closes; closes &= closes - 1) {
        const char *text = grammar->text.data + grammar->at + lowest(closes);
        while (is_space(text[-1]))
            text--;
        if (text[-1] != '{' && text[-1] != '[')
            return false;
    }
    return true;
}

/*
 * Each token must be what the one before it asks for. Every byte that is neither white space nor within a
 * token begins a token, so asking each token is enough; what the last one asks for is looked at when the text
 * ends.
 */
INLINE bool order_is_good(struct grammar *grammar, const struct tokens *t, const struct regions *r,
                          uint64_t space)
{
    struct grammar_carry *carry = &grammar->carry;
    uint64_t opens_object = t->open & ~r->open_array;
    uint64_t value = next_to(t->colon | (t->comma & r->array) | r->open_array, space, &carry->want_value);
    uint64_t key = next_to((t->comma & ~r->array) | opens_object, space, &carry->want_key);

    /* A bit added at a key's opening quote ripples through the string to its closing quote. */
    uint64_t ends;
    carry->inside_key = __builtin_add_overflow(t->inside, (t->quote_open & key) | carry->inside_key, &ends);
    uint64_t key_end = ends & t->quote_close;
    uint64_t colon = next_to(key_end, space, &carry->want_colon);

    uint64_t scalar_before = t->scalar << 1 | carry->scalar;
    uint64_t value_end = (t->quote_close & ~key_end) | t->close;
    uint64_t overflow;
    uint64_t next =
        behind(value_end << 1 | carry->want_next | (scalar_before & ~t->scalar), space, &overflow);
    carry->want_next = value_end >> 63 | overflow;

    uint64_t wrong = t->quote_open & ~(key | value);
    wrong |= ((t->scalar & ~scalar_before) | t->open) & ~value;
    wrong |= t->colon & ~colon;
    wrong |= t->comma & (~next | r->outer);
    uint64_t early = t->close & ~next;
    wrong |= early & ~(key | value);
    return !wrong && (!early || close_empty(grammar, early));
}

static bool ends_scalar(const char *text, const char *end)
{
    return text == end || (*text && strchr(" \t\r\n,:]}[{\"", *text));
}

/* Whether the scalar that begins at `text` is good to its very end. */
static bool scalar_is_good(const char *text, const char *end)
{
    const char *stop = scan_scalar_end(text, end);
    return stop && ends_scalar(stop, end);
}

static bool each_scalar_is_good(const struct grammar *grammar, uint64_t starts)
{
    const char *end = grammar->text.data + grammar->text.size;
    for (; starts; starts &= starts - 1)
        if (!scalar_is_good(grammar->text.data + grammar->at + lowest(starts), end))
            return false;
    return true;
}

/* Most scalars are whole numbers within one block: these are known by the masks alone. */
INLINE bool scalars_are_good(struct grammar *grammar, const struct tokens *t, const struct scan_mask *mask)
{
    uint64_t starts = t->scalar & ~(t->scalar << 1 | grammar->carry.scalar);
    grammar->carry.scalar = t->scalar >> 63;
    if ((t->scalar & ~mask->digit) || grammar->carry.scalar)
        return each_scalar_is_good(grammar, starts);
    return !(starts & mask->zero & (t->scalar >> 1));
}

INLINE void report(struct grammar_marks *marks, uint64_t bits, size_t offset)
{
    uint32_t *out = marks->at + marks->count;
    for (; bits; bits &= bits - 1)
        *out++ = (uint32_t)offset + lowest(bits);
    marks->count = (size_t)(out - marks->at);
}

INLINE enum grammar_result check_block(struct grammar *grammar, const struct scan_mask *mask,
                                       struct grammar_marks *marks)
{
    const char *block = grammar->text.data + grammar->at;
    uint64_t escaped = 0;
    if ((mask->backslash | grammar->carry.escaped) &&
        !find_escaped(&grammar->carry, mask->backslash, block, &escaped))
        return GRAMMAR_BAD;
    struct tokens t = find_tokens(&grammar->carry, mask, escaped);
    struct regions r = {0};
    if (!find_regions(grammar, &t, block, &r))
        return grammar->depth > SCAN_DEPTH_MAX ? GRAMMAR_BAD_DEEP : GRAMMAR_BAD;
    if ((mask->control & t.inside) ||
        !(t.space ? order_is_good(grammar, &t, &r, t.space) : order_is_good(grammar, &t, &r, 0)) ||
        !scalars_are_good(grammar, &t, mask))
        return GRAMMAR_BAD;
    grammar->carry.high |= mask->high;
    if (grammar->is_object)
        report(marks, ((t.colon | t.comma) & r.top) | r.end, grammar->at);
    return GRAMMAR_MORE;
}

/* Bytes behind the end of the text are as white space. */
INLINE void cut_mask(struct scan_mask *mask, size_t size)
{
    uint64_t there = bit_at((unsigned)size) - 1;
    mask->quote &= there;
    mask->backslash &= there;
    mask->space |= ~there;
    mask->open &= there;
    mask->close &= there;
    mask->colon &= there;
    mask->comma &= there;
    mask->control &= there;
    mask->digit &= there;
    mask->zero &= there;
    mask->high &= there;
}

void grammar_init(struct grammar *grammar, struct slice text, scan_mask_function *mask)
{
    scan_clear(grammar, sizeof(*grammar));
    grammar->text = text;
    grammar->mask = mask;
    grammar->carry.want_value = 1;
    while (grammar->begin < text.size && is_space(text.data[grammar->begin]))
        grammar->begin++;
    grammar->is_object = grammar->begin < text.size && text.data[grammar->begin] == '{';
}

static enum grammar_result finish(const struct grammar *grammar)
{
    bool complete = grammar->depth == 0 && !grammar->carry.inside && !grammar->carry.want_value;
    return complete ? GRAMMAR_DONE : GRAMMAR_BAD;
}

INLINE enum grammar_result step(struct grammar *grammar, struct grammar_marks *ret_marks)
{
    struct scan_mask masks[GRAMMAR_STEP_BLOCKS];
    size_t left = grammar->text.size - grammar->at;
    size_t whole = left / SCAN_BLOCK_SIZE;
    size_t count = whole + (left % SCAN_BLOCK_SIZE != 0);
    if (count > GRAMMAR_STEP_BLOCKS)
        count = GRAMMAR_STEP_BLOCKS;
    grammar->mask(grammar->text.data + grammar->at, count, masks);
    if (count > whole)
        cut_mask(&masks[count - 1], left % SCAN_BLOCK_SIZE);

    ret_marks->count = 0;
    for (size_t i = 0; i < count; i++, grammar->at += SCAN_BLOCK_SIZE) {
        enum grammar_result result = check_block(grammar, &masks[i], ret_marks);
        if (result != GRAMMAR_MORE)
            return result;
    }
    return grammar->at < grammar->text.size ? GRAMMAR_MORE : finish(grammar);
}

enum grammar_result grammar_step(struct grammar *grammar, struct grammar_marks *ret_marks)
{
    return step(grammar, ret_marks);
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2"))) enum grammar_result grammar_step_bmi(struct grammar *grammar,
                                                                         struct grammar_marks *ret_marks)
{
    return step(grammar, ret_marks);
}
#endif
