/* What tail itself needs of a source beyond tail.h. */
#ifndef SHIPPER_TAIL_SOURCE_H
#define SHIPPER_TAIL_SOURCE_H

#include "tail.h"
#include "tail_file.h"

/* Whether the bytes before the statistics' position in this plain file are still those that were read;
 * without a marker nothing speaks against it. */
bool source_marker_stands(const struct source *source, int fd);

/* When the statistics have reached the end of all that can ever come, that is remembered in the evidence, so
 * that the file is not read again at the next start. */
void source_note_finished(struct source *source);

#endif
