/* What the library exports. Everything else in it is hidden. */
#ifndef LIBLOG_API_H
#define LIBLOG_API_H

#define LL_API __attribute__((visibility("default")))

#endif
