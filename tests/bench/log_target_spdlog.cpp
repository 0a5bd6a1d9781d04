/* spdlog writing the same values as JSON by its pattern and a format string: 235 bytes, nothing escaped. */
#include "log_target.h"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

namespace
{

std::shared_ptr<spdlog::logger> logger;

const char *const pattern =
    R"({"timestamp":"%Y-%m-%dT%H:%M:%S.%FZ","level":"%l","logger":"%n","message":"request served",%v})";

int set_up(std::shared_ptr<spdlog::logger> made)
{
    logger = std::move(made);
    logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::info);
    return 0;
}

int open_sync(const char *path)
{
    return set_up(spdlog::basic_logger_mt("shop.http", path, true));
}

/* Its queue of 8192 records, full: the caller waits, so that nothing is lost. */
int open_async(const char *path)
{
    spdlog::init_thread_pool(8192, 1);
    return set_up(spdlog::basic_logger_mt<spdlog::async_factory>("shop.http", path, true));
}

uint64_t close_spdlog()
{
    logger->flush();
    logger.reset();
    spdlog::drop_all();
    spdlog::shutdown();
    return 0;
}

#define VALUES_FORMAT                                                                                        \
    "\"route\":\"{}\",\"status\":{},\"elapsed_ms\":{},\"user\":\"{}\",\"bytes\":{},\"is_retry\":{},"         \
    "\"attempt\":{},\"peer\":\"{}\""

void info(const log_values *v)
{
    logger->info(VALUES_FORMAT, v->route, v->status, v->elapsed_ms, v->user, v->bytes, v->is_retry,
                 v->attempt, v->peer);
}

void disabled(const log_values *v)
{
    logger->debug(VALUES_FORMAT, v->route, v->status, v->elapsed_ms, v->user, v->bytes, v->is_retry,
                  v->attempt, v->peer);
}

const log_kind kinds[] = {{nullptr, nullptr}};

} // namespace

extern "C" {
const log_target log_target_spdlog = {"spdlog, synchronous", open_sync, close_spdlog, info, disabled, kinds};
const log_target log_target_spdlog_async = {
    "spdlog, asynchronous", open_async, close_spdlog, info, disabled, kinds};
}
