/*
 * Finishes the rings of dead programs on a log, its errors file included.
 *
 *     finish LOG [ERRORS]
 */
#include <liblog/liblog.h>
#include <liblog/other.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    ll_recover_options options = {.error_file = argc > 2 ? argv[2] : NULL};
    ll_problem problem = {0};

    if (argc < 2) {
        fprintf(stderr, "usage: %s LOG [ERRORS]\n", argv[0]);
        return 64;
    }
    if (ll_recover(argv[1], &options, NULL, &problem) == LL_OK)
        return 0;
    fprintf(stderr, "%s\n", problem.text);
    return 74;
}
