/*
 * The type of an error out of its stack trace, for programs that say it nowhere else: Java's and Python's.
 *
 *     java.lang.IllegalStateException: no gateway      Traceback (most recent call last):
 *         at com.x.Pay.charge(Pay.java:17)               File "/srv/api.py", line 3, in handle
 *                                                      KeyError: 'name'
 */
#ifndef SHIPPER_TRACE_H
#define SHIPPER_TRACE_H

#include "liblog/base/slice.h"

/*
 * "java.lang.IllegalStateException", "KeyError"; empty when there is none. Lines end with a newline, or with
 * \n as JSON spells it. What is not surely a trace (`is_sure`) must have the name of an error where the type
 * stands.
 */
struct slice trace_type(struct slice trace, bool is_sure);

#endif
