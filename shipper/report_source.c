#include "report_source.h"

#include "config.h"

#include <errno.h>

int report_open(const char *database_file, const char *config_file, struct problem *ret_problem,
                struct store_reader **ret_reader)
{
    if (database_file || !config_file)
        return store_reader_open(database_file ? database_file : "./shipper.db", ret_problem, ret_reader);
    const struct config_flags flags = {.file = config_file};
    struct config *config;
    int r = config_load(&flags, ret_problem, &config);
    if (r < 0)
        return r;
    r = store_reader_open(config->database_file, ret_problem, ret_reader);
    config_free(config);
    return r;
}

void report_closep(struct store_reader **reader)
{
    store_reader_close(*reader);
}

int report_flush(struct problem *ret_problem)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return problem_from_errno(ret_problem, errno, "write", "the standard output");
}
