/* The C++ face of the same calls. */
#include <liblog/liblog.h>

#include <climits>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

extern "C" {
#include <cmocka.h>
}

namespace
{

struct log_in_folder {
    char folder[64] = "/tmp/test-log-cpp-XXXXXX";
    std::string path;

    log_in_folder()
    {
        ll_config config;
        assert_non_null(mkdtemp(folder));
        path = std::string(folder) + "/app.log";
        ll_config_init(&config);
        std::snprintf(config.file, sizeof config.file, "%s", path.c_str());
        config.marks = 0;
        assert_int_equal(ll_open(&config, nullptr), LL_OK);
    }

    /* Closes the log; the text of each line's fields. */
    std::vector<std::string> fields()
    {
        std::vector<std::string> found;
        ll_close();
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) {
            auto at = line.find("\"fields\":");
            found.push_back(at == std::string::npos ? line : line.substr(at + 9, line.size() - at - 10));
        }
        return found;
    }

    ~log_in_folder()
    {
        ll_close();
        std::string command = std::string("rm -r '") + folder + "'";
        if (std::system(command.c_str()) != 0)
            std::abort();
    }
};

void expect(const std::string &found, const char *wanted)
{
    assert_string_equal(found.c_str(), wanted);
}

std::string made_in_the_call(const char *text)
{
    return std::string(text) + " that is long enough not to lie within the object itself";
}

void strings_of_every_kind_are_logged_whole(void **)
{
    log_in_folder log;
    std::string text = "text", with_nul("a\0b", 3), empty;
    std::string_view view = std::string_view("a view of more").substr(2, 4), none;
    const char *nothing = nullptr;
    char buffer[] = "buffer";
    ll_info("x", ll_kv("s", text), ll_kv("nul", with_nul), ll_kv("e", empty), ll_kv("v", view),
            ll_kv("none", none), ll_kv("null", nothing), ll_kv("b", buffer), ll_kv("lit", "literal"));
    for (int i = 0; i < 2; i++)
        ll_info("x", ll_kv("t", made_in_the_call("a temporary")),
                ll_kv("c", made_in_the_call("another").c_str()));
    auto fields = log.fields();
    assert_int_equal(fields.size(), 3);
    expect(fields[0],
           "{\"s\":\"text\",\"nul\":\"a\\u0000b\",\"e\":\"\",\"v\":\"view\",\"none\":\"\",\"null\":null,"
           "\"b\":\"buffer\",\"lit\":\"literal\"}");
    for (int i = 1; i < 3; i++)
        expect(fields[static_cast<std::size_t>(i)],
               "{\"t\":\"a temporary that is long enough not to lie within the object itself\","
               "\"c\":\"another that is long enough not to lie within the object itself\"}");
}

enum plain_enum { PLAIN_VALUE = 3 };

void numbers_and_booleans_keep_their_kind(void **)
{
    log_in_folder log;
    std::size_t size = 42;
    ll_info("x", ll_kv("b", true), ll_kv("i", -1), ll_kv("u", UINT_MAX), ll_kv("l", LONG_MIN),
            ll_kv("ull", ULLONG_MAX), ll_kv("c", 'c'), ll_kv("sc", static_cast<signed char>(-1)),
            ll_kv("uc", static_cast<unsigned char>(255)), ll_kv("s", static_cast<short>(-2)),
            ll_kv("f", 0.1f), ll_kv("d", 0.1), ll_kv("z", size), ll_kv("e", PLAIN_VALUE),
            ll_bool("y", false));
    auto fields = log.fields();
    expect(fields.at(0),
           "{\"b\":true,\"i\":-1,\"u\":4294967295,\"l\":-9223372036854775808,\"ull\":18446744073709551615,"
           "\"c\":99,\"sc\":-1,\"uc\":255,\"s\":-2,\"f\":0.1,\"d\":0.1,\"z\":42,\"e\":3,\"y\":false}");
}

void the_other_kinds_and_exceptions_are_there_too(void **)
{
    log_in_folder log;
    std::string secret = "hunter2";
    ll_error("x", ll_exception("std::runtime_error", made_in_the_call("what").c_str()),
             ll_bytes("bytes", "\x01\xff", 2), ll_json("json", "[1]"), ll_time("t", 0),
             ll_duration("d", 1500000000), ll_secret("p", secret), ll_strn("n", "abc", 2));
    auto fields = log.fields();
    expect(fields.at(0),
           "{\"bytes\":\"01ff\",\"json\":[1],\"t\":\"1970-01-01T00:00:00.000000000Z\",\"d\":1.5,"
           "\"p\":\"[redacted]\",\"n\":\"ab\"}");
}

template <typename T> void log_from_a_template(const T &value)
{
    ll_info("x", ll_kv("value", value));
}

void a_template_logs_what_it_is_made_for(void **)
{
    log_in_folder log;
    log_from_a_template(1);
    log_from_a_template(std::string("text"));
    log_from_a_template(2.5);
    auto lambda = [](int i) { ll_info("x", ll_kv("lambda", i)); };
    lambda(7);
    auto fields = log.fields();
    expect(fields.at(0), "{\"value\":1}");
    expect(fields.at(1), "{\"value\":\"text\"}");
    expect(fields.at(2), "{\"value\":2.5}");
    expect(fields.at(3), "{\"lambda\":7}");
}

void a_request_ends_with_its_scope_also_by_an_exception(void **)
{
    ll_request request = {};
    request.request_id = "scoped";
    try {
        ll_request_scope scope(request);
        assert_string_equal(ll_request_id(), "scoped");
        throw 1;
    } catch (int) {
        assert_string_equal(ll_request_id(), "");
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_of_every_kind_are_logged_whole),
        cmocka_unit_test(numbers_and_booleans_keep_their_kind),
        cmocka_unit_test(the_other_kinds_and_exceptions_are_there_too),
        cmocka_unit_test(a_template_logs_what_it_is_made_for),
        cmocka_unit_test(a_request_ends_with_its_scope_also_by_an_exception),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
