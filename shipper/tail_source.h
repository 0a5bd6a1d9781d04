/* What tail itself needs of a source beyond tail.h. */
#ifndef SHIPPER_TAIL_SOURCE_H
#define SHIPPER_TAIL_SOURCE_H

#include "tail.h"
#include "tail_file.h"

/* Whether the bytes of this plain file are still the source's: those before the statistics' position (without
 * a marker nothing speaks against it), or its head while nothing was read. */
bool source_bytes_stand(const struct source *source, int fd);

/* When the statistics have reached the end of all that can ever come, that is remembered in the evidence, so
 * that the file is not read again at the next start. */
void source_note_finished(struct source *source);

#endif
