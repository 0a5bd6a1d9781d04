#define _GNU_SOURCE
#include "liblog/redact.h"
#include "log_reader.h"

static struct redact redact;

static bool has(const char *key)
{
    return redact_has_key(&redact, key, strlen(key));
}

static void use(const char *list)
{
    ll_problem problem = {0};
    if (redact_init(&redact, list, &problem) != LL_OK)
        fail_msg("%s", problem.text);
}

static void the_usual_names_are_redacted_however_they_are_spelled(void **state)
{
    static const char *const keys[] = {
        "password", "Password",      "PASSWORD",    "db_password",  "userPassword",  "pass_word",
        "passwd",   "token",         "AccessToken", "x-csrf-token", "authorization", "Proxy-Authorization",
        "secret",   "client.secret", "set-cookie",  "Cookie",       "api_key",       "X-API-Key",
        "apikey",   "api key",       "private_key", "credentials",  "passphrase",    "token_",
    };
    (void)state;
    use("");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!has(keys[i]))
            fail_msg("%s is not redacted", keys[i]);
}

static void keys_that_only_contain_a_name_are_not(void **state)
{
    static const char *const keys[] = {
        "",    "_",         "word",   "token_count", "prompt_tokens", "cookie_jar_size",
        "key", "secretary", "passed", "monkey",      "ssword",        "authorized"};
    (void)state;
    use("");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (has(keys[i]))
            fail_msg("%s is redacted", keys[i]);
    assert_false(redact_has_key(NULL, "password", 8));
}

static void a_list_adds_names(void **state)
{
    (void)state;
    use("IBAN, card-number");
    assert_true(has("iban") && has("customer_iban") && has("cardNumber") && has("password"));
    assert_false(has("iban_country"));
    use("");
    assert_false(has("iban"));
}

static void a_list_that_cannot_be_is_refused_with_words(void **state)
{
    static char many[1000], longest[70];
    const char *bad[] = {",", "iban,", "a,,b", " ", "_-.", "/[0-9]+/", many, longest};
    (void)state;
    for (int i = 0; i < 100; i++)
        memcpy(many + strlen(many), "abc,", 5);
    memset(longest, 'x', 65);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ll_problem problem = {0};
        assert_int_equal(redact_init(&redact, bad[i], &problem), LL_EINVAL);
        assert_non_null(strstr(problem.text, "LOG_REDACT"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_names_are_redacted_however_they_are_spelled),
        cmocka_unit_test(keys_that_only_contain_a_name_are_not),
        cmocka_unit_test(a_list_adds_names),
        cmocka_unit_test(a_list_that_cannot_be_is_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
