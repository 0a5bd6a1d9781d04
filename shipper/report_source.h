/* What report, stats and runs have in common: which database, and where the answer goes. */
#ifndef SHIPPER_REPORT_SOURCE_H
#define SHIPPER_REPORT_SOURCE_H

#include "store_read.h"

/* Opens --db FILE, else the database of the configuration, else ./shipper.db. 0, or a negative error. */
int report_open(const char *database_file, const char *config_file, struct problem *ret_problem,
                struct store_reader **ret_reader);

/* The cleanup function of a reader. */
void report_closep(struct store_reader **reader);

/* Whether all that was printed on stdout arrived: 0, or a negative error. */
int report_flush(struct problem *ret_problem);

#endif
