/* The payment service that the shop calls over HTTP. */
#ifndef SHOP_PAYMENT_H
#define SHOP_PAYMENT_H

#include <stdbool.h>

/* Asks the service at `url` for the money. Says in the log why it failed, and returns whether it was paid. */
bool payment_take(const char *url, long order, long cents);

#endif
