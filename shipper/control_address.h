/* Where the socket lies: what the server and the client of control have in common. */
#ifndef SHIPPER_CONTROL_ADDRESS_H
#define SHIPPER_CONTROL_ADDRESS_H

#include "problem.h"

#include <sys/un.h>

#define CONTROL_NAME "control"

/*
 * The address of the socket in `folder`. A socket's path may have 107 bytes only; a longer one goes by the
 * folder's descriptor, which is open as long as *ret_folder_fd is. 0, or a negative error.
 */
int control_address(const char *folder, struct sockaddr_un *ret_address, int *ret_folder_fd,
                    struct problem *ret_problem);

#endif
