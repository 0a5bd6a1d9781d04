#include "payment.h"

#include <liblog/liblog.h>

#include <curl/curl.h>
#include <stdio.h>

#define LL_LOGGER "shop.payment"

enum { ANSWER_WAIT_MS = 1000, STATUS_OK = 200 };

#define AUTO_CLEANUP __attribute__((cleanup(cleanup_curl)))

static void cleanup_curl(CURL **curl)
{
    curl_easy_cleanup(*curl);
}

/* The answer's text is of no use to the shop; without this curl would print it. */
static size_t discard(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static CURLcode post(CURL *curl, const char *url, const char *form, long *ret_status)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_WAIT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* threads: curl must not use SIGALRM */
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    return code;
}

bool payment_take(const char *url, long order, long cents)
{
    AUTO_CLEANUP CURL *curl = curl_easy_init();
    if (!curl) {
        ll_error("no payment possible", ll_exception("MemoryError", "curl_easy_init failed"));
        return false;
    }
    char form[64];
    snprintf(form, sizeof(form), "order=%ld&cents=%ld", order, cents);
    long status = 0;
    CURLcode code = post(curl, url, form, &status);
    if (code != CURLE_OK)
        ll_error("the payment service does not answer", ll_kv("order", order), ll_kv("url", url),
                 ll_kv("curl_code", (int)code),
                 ll_exception_code("ConnectionError", "PAY_001", curl_easy_strerror(code)));
    else if (status != STATUS_OK)
        ll_error("the payment was refused", ll_kv("order", order), ll_kv("status", status),
                 ll_exception_code("PaymentError", "PAY_002", "the service did not say 200"));
    return code == CURLE_OK && status == STATUS_OK;
}
