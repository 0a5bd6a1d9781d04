/* Whether text is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SHIPPER_SCAN_UTF8_H
#define SHIPPER_SCAN_UTF8_H

#include "liblog/base/slice.h"

bool scan_utf8_is_valid(struct slice text);

#endif
