/*
 * The shop's database. Each call opens a connection of its own, so that any thread may call and SQLite's file
 * lock is the only lock there is. What fails is logged here, where the reason is known; callers only choose
 * an answer.
 */
#ifndef SHOP_STORE_H
#define SHOP_STORE_H

enum store_result { STORE_OK, STORE_MISSING, STORE_SOLD_OUT, STORE_FAILED };

struct product {
    long id;
    char name[64];
    long price_cents;
    long stock;
};

/* Makes the tables and a few products where there are none. */
enum store_result store_create(const char *path);

/* STORE_MISSING when there is no product, or no order, of that number. */
enum store_result store_product(const char *path, long id, struct product *ret_product);
enum store_result store_order_total(const char *path, long order, long *ret_cents);

/* Takes `quantity` of a product out of the stock and notes the order. */
enum store_result store_order(const char *path, long product, long quantity, long *ret_order);

/* Keeps the whole database locked for `milliseconds`, as a careless backup would; returns after that. */
enum store_result store_lock(const char *path, long milliseconds);

#endif
