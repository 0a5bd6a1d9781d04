#define _GNU_SOURCE /* O_PATH */
#include "control_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

int control_address(const char *folder, struct sockaddr_un *ret_address, int *ret_folder_fd,
                    struct problem *ret_problem)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_from_errno(ret_problem, errno, "look into", folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_NAME, folder);
    if (size >= (int)sizeof(address.sun_path))
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_NAME, fd);
    *ret_address = address;
    *ret_folder_fd = fd;
    return 0;
}
