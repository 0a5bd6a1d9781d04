"""Other programs' logs, as those programs print them by their documented defaults, are counted by level, logger, type and time."""

import io
import json
import logging
import time
from collections import Counter
from datetime import datetime, timezone

import pytest
import structlog

T = 1760884200  # 2025-10-19T14:30:00Z
WINDOW = T - T % 10

# Each line with what must be found in it: (level, service, type, code, endpoint, logger) and the second.
FORMATS = {
    "ecs": [
        (b'{"@timestamp":"2025-10-19T14:30:00.123Z","log.level":"ERROR","message":"m","ecs.version":"8.11.0","service.name":"s",'
         b'"error":{"type":"java.io.IOException","message":"e","stack_trace":"..."},"log":{"logger":"l"},"url":{"path":"/u"}}',
         ("ERROR", "s", "java.io.IOException", "", "/u", "l"), T),
        (b'{"@timestamp":"2025-10-19T16:30:01+02:00","log":{"level":"warn","logger":"l"},"service":{"name":"s"},'
         b'"error.type":"T","error.code":"7"}', ("WARNING", "s", "T", "7", "", "l"), T + 1),
    ],
    "otel": [
        (b'{"timeUnixNano":"1760884200123456789","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"m"},'
         b'"attributes":{"exception.type":"T","url.path":"/u"},"resource":{"service.name":"s"}}',
         ("ERROR", "s", "T", "", "/u", ""), T),
        (b'{"observedTimeUnixNano":"1760884201000000000","severityText":"Information","body":"m"}',
         ("INFO", "", "", "", "", ""), T + 1),
        (b'{"timeUnixNano":1760884202000000000,"severityNumber":24,"body":"m"}', ("CRITICAL", "", "", "", "", ""), T + 2),
        (b'{"timeUnixNano":"1760884203000000000","severityNumber":1}', ("TRACE", "", "", "", "", ""), T + 3),
    ],
    "zap": [
        (b'{"level":"info","ts":1760884200.1234567,"caller":"app/main.go:17","msg":"m"}', ("INFO", "", "", "", "", ""), T),
        (b'{"level":"dpanic","ts":1760884201,"logger":"a.b","caller":"x.go:1","msg":"m","error":"e","stacktrace":"main.main\\n\\tx"}',
         ("CRITICAL", "", "", "", "", "a.b"), T + 1),
        (b'{"level":"warn","ts":"2025-10-19T14:30:02.000Z","msg":"ISO8601TimeEncoder"}', ("WARNING", "", "", "", "", ""), T + 2),
        (b'{"L":"x","level":"error","ts":1.760884203e+09,"msg":"m"}', ("ERROR", "", "", "", "", ""), T + 3),
    ],
    "zerolog": [
        (b'{"level":"debug","time":"2025-10-19T16:30:00+02:00","message":"m"}', ("DEBUG", "", "", "", "", ""), T),
        (b'{"level":"fatal","error":"A repo man spends his life","service":"s","time":1760884201,"message":"m"}',
         ("CRITICAL", "", "", "", "", ""), T + 1),
        (b'{"level":"trace","time":1760884202500,"message":"UnixMs"}', ("TRACE", "", "", "", "", ""), T + 2),
        (b'{"time":"2025-10-19T14:30:03Z","message":"Log() has no level"}', ("UNKNOWN", "", "", "", "", ""), T + 3),
    ],
    "pino": [
        (b'{"level":30,"time":1760884200123,"pid":94473,"hostname":"h","msg":"hello world"}', ("INFO", "", "", "", "", ""), T),
        (b'{"level":50,"time":1760884201000,"pid":7,"hostname":"h","name":"api","reqId":"req-1","err":{"type":"TypeError",'
         b'"message":"x is not a function","stack":"TypeError: ...\\n    at a (b.js:1:2)","code":"E1"},"msg":"failed"}',
         ("ERROR", "", "TypeError", "E1", "", "api"), T + 1),
        (b'{"level":60,"time":1760884202000,"pid":7,"hostname":"h","req":{"id":4,"method":"GET","url":"/u"},"msg":"m"}',
         ("CRITICAL", "", "", "", "/u", ""), T + 2),
        (b'{"level":35,"time":1760884203000,"msg":"a level of one\'s own"}', ("INFO", "", "", "", "", ""), T + 3),
    ],
    "structlog": [
        (b'{"user": "u", "event": "m", "logger": "a.b", "level": "warning", "timestamp": "2025-10-19T14:30:00.123456Z"}',
         ("WARNING", "", "", "", "", "a.b"), T),
        (b'{"event": "m", "log_level": "critical", "timestamp": 1760884201.5}', ("CRITICAL", "", "", "", "", ""), T + 1),
        (b'{"event": "m", "exception": "Traceback (most recent call last):\\n  File \\"x.py\\", line 1\\nKeyError: \'a\'", '
         b'"level": "error", "timestamp": "2025-10-19T14:30:02Z"}', ("ERROR", "", "KeyError", "", "", ""), T + 2),
    ],
    "logback": [
        (b'{"@timestamp":"2025-10-19T16:30:00.123456+02:00","@version":"1","message":"m","logger_name":"com.x.A",'
         b'"thread_name":"main","level":"ERROR","level_value":40000,"stack_trace":"java.io.IOException: e\\n\\tat com.x.A.b"}',
         ("ERROR", "", "java.io.IOException", "", "", "com.x.A"), T),
        (b'{"sequenceNumber":0,"timestamp":1760884201000,"nanoseconds":0,"level":"WARN","threadName":"main","loggerName":"com.x.A",'
         b'"context":{"name":"default"},"mdc":{},"message":"{} m","arguments":["a"],"formattedMessage":"a m",'
         b'"throwable":{"className":"java.io.IOException","message":"e","stepArray":[]}}',
         ("WARNING", "", "java.io.IOException", "", "", "com.x.A"), T + 1),
    ],
}


def counted(shipper):
    """Counter of (window, level, service, type, code, endpoint, logger)."""
    result = Counter()
    for (_, start, service, _, level, kind, code, endpoint, logger), n in shipper.database.counts(10).items():
        result[(start, level, service, kind, code, endpoint, logger)] += n
    return result


@pytest.mark.parametrize("name", FORMATS)
def test_a_log_of_this_format_is_counted_by_all_that_it_says_and_forwarded_as_it_stands(shipper, tmp_path, name):
    text = b"".join(line + b"\n" for line, _, _ in FORMATS[name])
    (tmp_path / "app.log").write_bytes(text)
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")], "format": name}],
                                  [{"name": "out", "type": "stdout", "start_at": "beginning"}])
    assert shipper.once("-c", config).expect(0).out == text
    wanted = Counter((second - second % 10, *found) for _, found, second in FORMATS[name])
    assert counted(shipper) == wanted
    totals = shipper.database.source_totals()
    assert (totals["records"], totals["rejected"], totals["bad_time"]) == (len(FORMATS[name]), 0, 0)


def test_what_structlog_itself_prints_is_read(shipper, tmp_path):
    out = io.StringIO()
    structlog.configure(
        processors=[structlog.stdlib.add_logger_name, structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer()],
        logger_factory=lambda *_: structlog.PrintLogger(out), wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=False)
    try:
        log = structlog.wrap_logger(NamedPrinter(out), wrapper_class=structlog.BoundLogger)
        before = int(time.time())
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(log, level)("it happened", key="café \u2028 \"x\"", nested={"level": "ERROR"})
        try:
            raise ValueError("bad")
        except ValueError:
            log.error("it failed", exc_info=True)
        after = int(time.time())
    finally:
        structlog.reset_defaults()
    (tmp_path / "app.log").write_text(out.getvalue())
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")], "format": "structlog"}], [])
    shipper.once("-c", config).expect(0)
    rows = counted(shipper)
    assert {(level, logger): sum(n for key, n in rows.items() if (key[1], key[6]) == (level, logger))
            for level, logger in {(key[1], key[6]) for key in rows}} == {
        ("DEBUG", "shop.api"): 1, ("INFO", "shop.api"): 1, ("WARNING", "shop.api"): 1, ("ERROR", "shop.api"): 2,
        ("CRITICAL", "shop.api"): 1}
    assert {key[3]: n for key, n in rows.items() if key[3]} == {"ValueError": 1}
    assert all(before - before % 10 <= key[0] <= after for key in rows)
    assert shipper.database.source_totals()["bad_time"] == 0


class NamedPrinter(structlog.PrintLogger):
    """What structlog's add_logger_name asks: a logger with a name, as the standard library's have."""

    name = "shop.api"


def test_keys_map_nested_dotted_and_flat_names_and_values_through_a_table(shipper, tmp_path):
    lines = [
        {"when": T, "severity": {"code": 3}, "err": {"kind": "Timeout", "detail": {"code": "E7"}}, "log.name": "flat"},
        {"when": str(T), "severity": {"code": "WARN"}, "err.kind": "Dotted", "log": {"name": "nested"}, "service": "own"},
        {"when": T, "severity.code": 250, "fields": {"err": {"kind": "Forged"}, "severity": {"code": 3}}},
        {"when": T, "severity": {"code": 9}},
        {"when": T},
    ]
    (tmp_path / "app.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = shipper.write_config([{
        "paths": [str(tmp_path / "app.log")], "service": "fallback",
        "keys": {"timestamp": "when", "exception.type": "err.kind", "exception.code": "err.detail.code", "logger": "log.name",
                 "level": {"from": "severity.code", "map": {"3": "ERROR", "200-299": "DEBUG", "WARN": "CRITICAL"},
                           "default": "TRACE"}}}], [])
    shipper.run("check", "-c", config).expect(0)
    shipper.once("-c", config).expect(0)
    assert counted(shipper) == Counter({
        (WINDOW, "ERROR", "fallback", "Timeout", "E7", "", "flat"): 1,
        (WINDOW, "CRITICAL", "own", "Dotted", "", "", "nested"): 1,
        (WINDOW, "DEBUG", "fallback", "", "", "", ""): 1,
        (WINDOW, "TRACE", "fallback", "", "", "", ""): 2,
    })


def test_a_table_with_a_default_only_names_what_is_not_known_and_leaves_the_rest(shipper, tmp_path):
    (tmp_path / "app.log").write_text("".join(json.dumps({"timestamp": T, "sev": sev}) + "\n"
                                              for sev in ("err", 40, "whatever", None)))
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")],
                                    "keys": {"level": {"from": "sev", "default": "INFO"}}}], [])
    shipper.once("-c", config).expect(0)
    assert {key[1]: n for key, n in counted(shipper).items()} == {"ERROR": 1, "WARNING": 1, "INFO": 2}


def test_the_standard_library_with_a_formatter_of_json_is_read_by_a_mapping(shipper, tmp_path):
    """What many Python services do without any library."""
    class Formatter(logging.Formatter):
        def format(self, record):
            return json.dumps({"asctime": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
                               "levelno": record.levelno, "name": record.name, "message": record.getMessage(),
                               "exc": record.exc_info[0].__name__ if record.exc_info else None})
    handler = logging.FileHandler(tmp_path / "app.log")
    handler.setFormatter(Formatter())
    log = logging.Logger("api")
    log.addHandler(handler)
    log.warning("careful")
    try:
        raise KeyError("k")
    except KeyError:
        log.exception("failed")
    handler.close()
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")],
                                    "keys": {"timestamp": "asctime", "logger": "name", "exception.type": "exc",
                                             "level": {"from": "levelno", "map": {"30": "WARNING", "40": "ERROR"}}}}], [])
    shipper.once("-c", config).expect(0)
    assert Counter({key[1:]: n for key, n in counted(shipper).items()}) == Counter({
        ("WARNING", "", "", "", "", "api"): 1, ("ERROR", "", "KeyError", "", "", "api"): 1})
    assert shipper.database.source_totals()["bad_time"] == 0
