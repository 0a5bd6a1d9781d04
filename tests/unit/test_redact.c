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
    use("Q");
    assert_true(has("q") && has("faq") && has("secret"));
    assert_false(has("fat"));
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

/* --- what is in the files ------------------------------------------------------------------------------- */

static const char hidden[] = "hunter2-is-hidden", shown[] = "hunter2-is-shown";

static void log_with_key(const char *key, const char *value)
{
    ll_info("keys made at run time", ll_kv(key, value), ll_kv("user", shown));
}

/* Every way on which a value can get into a ring: registered keys, keys of its own, more of a type than
 * before, cut to fit, by the function for wrappers. */
static void log_in_every_way(void)
{
    static ll_site site = LL_SITE(LL_LEVEL_INFO);
    static char longest[100000];
    char key[] = "X-Api-Key";
    ll_field fields[] = {ll_kv("db_password", hidden), ll_kv("user", shown), ll_kv(key, hidden)};
    for (int i = 0; i < 3; i++) {
        ll_info("literal keys", ll_kv("password", hidden), ll_kv("user", shown), ll_kv("iban", hidden));
        log_with_key(key, hidden);
        ll_write(&site, "by the function", fields, 3);
        ll_info("other kinds", ll_strn("token", hidden, 12), ll_bytes("secret", hidden, 12),
                ll_json("cookie", "\"hunter2-is-hidden\""));
        ll_info("a null at first", ll_kv("passwd", i ? hidden : (const char *)NULL), ll_kv("user", shown));
    }
    memset(longest, 'x', sizeof longest - 1);
    ll_info("too long", ll_kv("authorization", hidden), ll_kv("text", longest),
            ll_kv("credentials", 4711471147));
}

static void open_with_ring_in(const char *folder, const char *redact_list)
{
    ll_config config = plain_config("logs/app.log");
    snprintf(config.ring_dir, sizeof config.ring_dir, "%s", folder);
    snprintf(config.redact, sizeof config.redact, "%s", redact_list);
    open_with(&config);
}

/* The folder of the log is not there, so all that was logged waits in the ring. */
static void a_redacted_value_reaches_neither_the_rings_file_nor_the_log(void **state)
{
    char folder[512], ring[512];
    (void)state;
    int before = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    open_with_ring_in(".", "iban");
    log_in_every_way();
    assert_int_equal(count_files(".", ".ll", folder), 1);
    assert_int_equal(count_files(folder, ".ring", ring), 1);
    assert_true(file_contains(ring, shown)); /* the grep finds what is there */
    assert_false(file_contains(ring, hidden));
    assert_false(file_contains(ring, "hunter2-is-h")); /* nor what was given as so many bytes */
    assert_int_equal(mkdir("logs", 0755), 0);
    struct lines lines = close_and_read("logs/app.log", 16);
    dup2(before, STDERR_FILENO);
    close(before);
    close(nowhere);
    for (size_t i = 0; i < lines.count; i++) {
        assert_null(strstr(lines.text[i], "hunter2-is-h"));
        assert_null(strstr(lines.text[i], "4711471147"));
        assert_null(strstr(lines.text[i], "68756e74657232")); /* the hex of bytes */
        assert_non_null(strstr(lines.text[i], "\"[redacted]\""));
    }
    assert_int_equal(
        count_with(&lines,
                   "\"password\":\"[redacted]\",\"user\":\"hunter2-is-shown\",\"iban\":\"[redacted]\""),
        3);
    assert_int_equal(count_with(&lines, "\"passwd\":\"[redacted]\",\"user\":\"hunter2-is-shown\""), 3);
    free_lines(&lines);
}

/* A site that was registered is asked again when the log is opened with another list. */
static void another_list_holds_for_places_that_have_logged_before(void **state)
{
    (void)state;
    mkdir("logs", 0755);
    for (int i = 0; i < 4; i++) {
        open_with_ring_in(".", i % 2 ? "iban" : "");
        ll_info("once more", ll_kv("iban", i), ll_kv("user", shown));
        ll_close();
    }
    struct lines lines = read_lines("logs/app.log");
    assert_int_equal(lines.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(strstr(lines.text[i], "\"iban\":\"[redacted]\"") != NULL, i % 2);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_names_are_redacted_however_they_are_spelled),
        cmocka_unit_test(keys_that_only_contain_a_name_are_not),
        cmocka_unit_test(a_list_adds_names),
        cmocka_unit_test(a_list_that_cannot_be_is_refused_with_words),
        in_folder(a_redacted_value_reaches_neither_the_rings_file_nor_the_log),
        in_folder(another_list_holds_for_places_that_have_logged_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
