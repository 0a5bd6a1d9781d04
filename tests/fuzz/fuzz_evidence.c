/* Any text as a source's evidence: what is taken means the same when written and read again. */
#include "fuzz.h"

#include "shipper/source.h"

#include <string.h>

int fuzz_one(const uint8_t *data, size_t size)
{
    char text[2 * SOURCE_EVIDENCE_TEXT_MAX] = "", again[SOURCE_EVIDENCE_TEXT_MAX];
    struct source_evidence evidence, second;

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    if (source_evidence_from_text(text, &evidence) < 0)
        return 0;
    source_evidence_to_text(again, &evidence);
    fuzz_must(source_evidence_from_text(again, &second) == 0);
    fuzz_must(second.offset == evidence.offset && second.modified_ns == evidence.modified_ns);
    fuzz_must(source_hash_equal(&second.head, &evidence.head) &&
              source_hash_equal(&second.marker, &evidence.marker));
    return 0;
}
