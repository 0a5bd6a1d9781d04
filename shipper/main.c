#include "cmd.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* A program may be started with descriptors 0 to 2 closed. Left so, the first files opened (the database!)
 * would take these numbers, and words meant for stderr would be written into them. What stands there instead
 * takes no writing, so that nobody believes a record on standard output to be delivered. */
static int open_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -1 : close(fd);
}

int main(int argc, char **argv)
{
    if (open_standard_descriptors() < 0)
        return EXIT_INTERNAL;
    signal(SIGPIPE, SIG_IGN);
    return (int)cmd_dispatch(argc, argv);
}
