/* ll_config: defaults, environment, checks. */
#ifndef LIBLOG_SETTINGS_H
#define LIBLOG_SETTINGS_H

#include <liblog/config.h>

/* Checks what code may have set, and fills what is empty. LL_OK or LL_EINVAL with the words. */
int settings_check(ll_config *config, ll_problem *problem);

#endif
