/* The shop's HTTP interface, on 127.0.0.1. */
#ifndef SHOP_HTTP_H
#define SHOP_HTTP_H

#include <stdint.h>

struct shop {
    const char *database;    /* path of the SQLite file */
    const char *payment_url; /* of the payment service */
};

struct MHD_Daemon;

/* Serves on `port` (0: any free one) until http_stop. Borrows `shop`. NULL when the port can't be had. */
struct MHD_Daemon *http_start(const struct shop *shop, uint16_t port);
uint16_t http_port(struct MHD_Daemon *daemon);
void http_stop(struct MHD_Daemon *daemon);

#endif
