/* liblog: structured logging for programs in C and C++. Everything a program that logs needs. */
#ifndef LIBLOG_LIBLOG_H
#define LIBLOG_LIBLOG_H

#include "config.h"
#include "context.h"
#include "crash.h"
#include "error.h"
#include "field.h"
#include "log.h"
#include "record.h"
#include "stats.h"

#endif
