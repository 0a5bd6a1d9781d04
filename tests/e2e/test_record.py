"""The record is exactly what docs/record.md says: keys, their order, types, escapes, limits; and jq reads it."""

import json
import math
import re
import struct
import time
from collections import Counter
from datetime import datetime, timezone

import pytest

from support.logger import log_environment, showcase
from support.processes import run

ORDER = ["timestamp", "level", "service", "environment", "logger", "message", "run_id", "parent_run_id", "seq", "mark",
         "dropped", "request_id", "trace_id", "span_id", "endpoint", "user", "exception", "pid", "tid", "source", "fields",
         "truncated", "copy"]
ALWAYS = {"timestamp", "level", "service", "logger", "message", "run_id", "seq", "pid", "tid"}
LIMIT = 64 * 1024


@pytest.mark.parametrize("case", ["levels", "integers", "doubles", "texts", "hostile", "exceptions", "requests", "large",
                                  "mixed"])
def test_every_line_is_one_json_object_in_utf8_with_its_keys_in_order(build, tmp_path, case):
    log = tmp_path / "app.log"
    showcase(build, case, log, LOG_LEVEL="trace", APP_ENV="production", LOG_RUN_ID="job-7")
    text = log.read_bytes()

    assert text.endswith(b"\n") and not text.startswith(b"\xef\xbb\xbf")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]", text)
    for line in text.split(b"\n")[:-1]:
        assert len(line) + 1 <= LIMIT
        record = json.loads(line.decode("utf-8"))
        assert list(record) == [key for key in ORDER if key in record]
        assert set(record) >= ALWAYS | {"environment", "parent_run_id"}
        assert json.dumps(record, ensure_ascii=False, separators=(",", ":")).count(",") == line.decode().count(",")


def test_time_run_seq_and_process_are_told_truly(build, tmp_path):
    before = time.time_ns()
    records = showcase(build, "levels", tmp_path / "app.log", LOG_LEVEL="trace", LOG_SERVICE="checkout")
    after = time.time_ns()

    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    run_id = records[0]["run_id"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", run_id)
    assert before // 10**6 - 1 <= int(run_id.replace("-", "")[:12], 16) <= after // 10**6
    for record in records:
        assert record["run_id"] == run_id and record["service"] == "checkout"
        assert record["logger"] == ("liblog" if "mark" in record else "root")
        assert "parent_run_id" not in record and "environment" not in record
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", record["timestamp"])
        whole, rest = record["timestamp"][:-1].split(".")
        at = int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()) * 10**9 + int(rest)
        assert before <= at <= after
        assert record["pid"] > 1 and record["tid"] >= record["pid"] or record["mark"] == "close"


def test_levels_have_their_names_and_source_stands_from_warning_on(build, tmp_path):
    records = showcase(build, "levels", tmp_path / "app.log", LOG_LEVEL="trace")
    plain, close = records[:-1], records[-1]

    assert [(r["level"], r["message"]) for r in plain] == [
        ("TRACE", "a trace"), ("DEBUG", "a debug"), ("INFO", "an info"), ("WARNING", "a warning"), ("ERROR", "an error"),
        ("CRITICAL", "a critical")]
    assert [("source" in r) for r in plain] == [False, False, False, True, True, True]
    source = plain[3]["source"]
    assert list(source) == ["file", "line", "function"]
    assert source["file"].endswith("showcase.c") and source["line"] > 0 and source["function"] == "log_levels"
    assert close["mark"] == "close" and close["seq"] == 7
    assert plain[0]["service"] == "showcase"


def test_log_level_source_and_marks_can_be_set(build, tmp_path):
    records = showcase(build, "levels", tmp_path / "a.log", LOG_LEVEL="error", LOG_MARKS="off", LOG_SOURCE="off")
    assert [r["level"] for r in records] == ["ERROR", "CRITICAL"]
    assert [r["seq"] for r in records] == [1, 2] and not any("source" in r for r in records)
    assert len(showcase(build, "loggers", tmp_path / "b.log", LOG_LEVEL="info", LOG_MARKS="off")) == 1
    named = showcase(build, "loggers", tmp_path / "c.log", LOG_LEVEL="warning,backend.database=debug", LOG_MARKS="off")
    assert [(r["level"], r["logger"]) for r in named] == [("DEBUG", "backend.database"), ("INFO", "backend.database")]


def test_integers_keep_all_64_bits(build, tmp_path):
    fields = showcase(build, "integers", tmp_path / "app.log")[0]["fields"]
    assert fields == {"i8": -128, "u8": 255, "i16": -32768, "u16": 65535, "i32": -2**31, "u32": 2**32 - 1, "i64": -2**63,
                      "u64": 2**64 - 1, "long": 1, "ulong": 2, "llong": -3, "ullong": 4, "over_2_53": 2**53 + 1}
    assert all(type(value) is int for value in fields.values())


def test_doubles_stand_in_the_shortest_form_that_reads_back_the_same_and_nan_is_null(build, tmp_path):
    log = tmp_path / "app.log"
    fields = showcase(build, "doubles", log)[0]["fields"]
    assert {name: fields[name] for name in ("nan", "infinity", "minus_infinity")} == {
        "nan": None, "infinity": None, "minus_infinity": None}
    wanted = {"tenth": 0.1, "sum": 0.1 + 0.2, "third": 1 / 3, "most": 1.7976931348623157e308, "least": 5e-324, "whole": 12.0,
              "large": 1e21}
    assert {name: fields[name] for name in wanted} == wanted
    assert fields["minus_zero"] == 0 and math.copysign(1, fields["minus_zero"]) == -1
    text = log.read_text()
    digits = {name: re.search(rf'"{name}":([^,}}]+)', text).group(1) for name in [*wanted, "float_tenth"]}
    for name, value in wanted.items():
        assert significant(digits[name]) == significant(repr(value)), (name, digits[name])
    assert digits["float_tenth"] == "0.1"
    assert struct.pack("f", float(digits["float_tenth"])) == struct.pack("f", 0.1)


def significant(number):
    """The digits that count: shortest means as few as Python's repr has."""
    return number.lower().split("e")[0].replace(".", "").replace("-", "").strip("0")


def test_texts_bytes_json_times_and_secrets_become_what_they_are(build, tmp_path):
    log = tmp_path / "app.log"
    first, second = showcase(build, "texts", log, LOG_MARKS="off")
    assert first["fields"] == {
        "bool": True, "literal": False, "text": "plain", "mutable": "mutable", "null": None, "unsigned": "unsigned",
        "part": "abc", "nul": "a\0b", "bytes": "00abff", "json": {"a": [1, 2]}, "not_json": "{oops",
        "time": "2025-10-19T14:30:00.123456789Z", "shown_to_nobody": "[redacted]", "": "empty key"}
    assert "hunter2" not in log.read_text()
    assert second["fields"] == {"other": 2, "key": "last"}


def test_hostile_text_stays_text(build, tmp_path):
    log = tmp_path / "app.log"
    records = showcase(build, "hostile", log, LOG_MARKS="off")
    assert [r["message"] for r in records] == [
        "%n%s%x ${jndi:ldap://127.0.0.1/a}",
        "quote \" backslash \\ newline \n tab \t return \r bell \a escape \x1b[31m delete \x7f",
        "line \u2028 paragraph \u2029 end",
        records[3]["message"],
        "日本語 🎉",
        "forged\",\"level\":\"CRITICAL\",\"x\":\"",
        "took 12 ms, \"quoted\"",
        ""]
    # how many U+FFFD stand for one bad sequence is left to the writer; what is valid stays
    assert re.fullmatch("invalid \ufffd+ two \ufffd+\\( surrogate \ufffd+ overlong \ufffd+ cut \ufffd+", records[3]["message"])
    assert records[5]["level"] == "INFO"
    assert records[5]["fields"] == {"level": "CRITICAL", "seq": 1, "copy": "true", "a\"b\nc": "key"}
    text = log.read_bytes()
    assert b"\\u2028" in text and b"\\u2029" in text and "\u2028".encode() not in text and "\u2029".encode() not in text


def test_exceptions_are_an_object_of_type_message_and_code(build, tmp_path):
    records = showcase(build, "exceptions", tmp_path / "app.log", LOG_MARKS="off")
    assert [r["exception"] for r in records] == [
        {"type": "TimeoutError", "message": "upstream did not answer"},
        {"type": "OperationalError", "message": "unable to open database file", "code": "DB_003"},
        {"type": "Odd\"Type", "message": ""}]
    assert records[0]["fields"] == {"attempt": 3} and "fields" not in records[1]


def test_a_request_gives_its_context_to_all_records_of_the_thread(build, tmp_path):
    records = showcase(build, "requests", tmp_path / "app.log", LOG_MARKS="off")
    outer, inner, again, made, outside = records
    assert {key: outer[key] for key in ("request_id", "trace_id", "endpoint", "user")} == {
        "request_id": "abc123", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "endpoint": "/api/glossary", "user": "u-77"}
    assert re.fullmatch("[0-9a-f]{16}", outer["span_id"]) and outer["span_id"] != "0" * 16
    assert (inner["request_id"], inner["endpoint"], inner["user"], inner["trace_id"]) == (
        "inner", "/api/glossary", "u-77", outer["trace_id"])
    assert {key: again[key] for key in ("request_id", "trace_id", "span_id")} == {
        key: outer[key] for key in ("request_id", "trace_id", "span_id")}
    assert made["request_id"] not in ("", "abc123", "inner") and "trace_id" not in made and "endpoint" not in made
    assert not {"request_id", "trace_id", "span_id", "endpoint", "user"} & set(outside)


def test_what_is_larger_than_64_kib_is_cut_at_its_longest_strings_and_says_so(build, tmp_path):
    log = tmp_path / "app.log"
    message, field, euros, grown, small = showcase(build, "large", log, LOG_MARKS="off")
    for record in (message, field, euros, grown):
        assert record["truncated"] is True and record["fields"]["kept"] == "yes"
    sizes = [len(line) + 1 for line in log.read_bytes().split(b"\n")[:-1]]
    assert all(LIMIT // 2 < size <= LIMIT for size in sizes[:4]), sizes
    assert set(message["message"].rstrip("…")) == {"m"} and field["message"] == "a large field"
    assert "\ufffd" not in euros["fields"]["euros"] and euros["fields"]["euros"].startswith("€€€")
    assert "truncated" not in small and small["message"] == "small again"


def test_the_errors_file_repeats_errors_with_their_seq_and_says_copy(build, tmp_path):
    log, errors = tmp_path / "app.log", tmp_path / "errors.log"
    records = showcase(build, "mixed", log, LOG_ERROR_FILE=str(errors))
    copies = [json.loads(line) for line in errors.read_text().splitlines()]
    assert len(copies) == 25
    assert copies == [{**record, "copy": True} for record in records if record["level"] == "ERROR"]
    assert all(list(copy)[-1] == "copy" for copy in copies)


def jq(program, *files, slurp=False, raw=False, compact=False):
    options = ["-s"] * slurp + ["-r"] * raw + ["-c"] * compact
    return run(["jq", *options, program, *files]).expect(0).out.decode()


def test_the_jq_recipes_of_the_documentation_work_on_real_files(build, tmp_path):
    log, errors = tmp_path / "app.log", tmp_path / "errors.log"
    records = showcase(build, "mixed", log, LOG_ERROR_FILE=str(errors))
    failed = [record for record in records if record["level"] == "ERROR"]

    table = jq('select(.level=="ERROR") | [.timestamp,.exception.type,.message] | @tsv', log, raw=True)
    assert table.splitlines() == ["\t".join((r["timestamp"], r["exception"]["type"], r["message"])) for r in failed]

    groups = jq("group_by(.exception.type) | map({type:.[0].exception.type, n:length})", errors, slurp=True)
    assert json.loads(groups) == [{"type": name, "n": n} for name, n in
                                  sorted(Counter(r["exception"]["type"] for r in failed).items())]

    request = jq('select(.request_id=="abc123")', log, compact=True)
    assert [json.loads(line) for line in request.splitlines()] == [r for r in records if r.get("request_id") == "abc123"]
    assert len(request.splitlines()) == 10

    runs = jq("group_by(.run_id)|map({run:.[0].run_id,from:.[0].seq,to:.[-1].seq,n:length})", log, slurp=True)
    assert json.loads(runs) == [{"run": records[0]["run_id"], "from": 1, "to": 101, "n": 101}]


@pytest.mark.parametrize("variable, value", [("LOG_LEVEL", "loud"), ("LOG_RING_SIZE", "3"), ("LOG_OVERFLOW", "explode"),
                                             ("LOG_BLOCK_MAX", "soon"), ("LOG_MARKS", "perhaps"),
                                             ("LOG_SOURCE", "sometimes")])
def test_a_setting_that_cannot_be_is_refused_with_its_name_its_value_and_what_would_do(build, tmp_path, variable, value):
    done = run([build / "tests" / "loggers" / "showcase", "levels"],
               env=log_environment(tmp_path / "app.log", **{variable: value}))
    assert done.code == 78
    assert variable in done.err and value in done.err and len(done.err) > len(variable) + len(value) + 20


def test_a_missing_folder_stops_no_program(build, tmp_path):
    done = run([build / "tests" / "loggers" / "showcase", "levels"],
               env=log_environment(tmp_path / "none" / "app.log"))
    assert done.code == 0
    assert len(done.err.splitlines()) == 1 and str(tmp_path / "none") in done.err


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_log_can_go_to_a_standard_stream(build, stream):
    done = run([build / "tests" / "loggers" / "showcase", "levels"], env=log_environment(stream))
    text = done.expect(0).out.decode() if stream == "stdout" else done.err
    assert [json.loads(line)["level"] for line in text.splitlines()] == ["INFO", "WARNING", "ERROR", "CRITICAL", "INFO"]


def test_a_program_and_shipper_agree_on_every_record(build, shipper, tmp_path):
    log, errors = tmp_path / "app.log", tmp_path / "errors.log"
    records = []
    for case in ("levels", "integers", "doubles", "texts", "hostile", "exceptions", "requests", "large", "mixed"):
        records = showcase(build, case, log, LOG_ERROR_FILE=str(errors), LOG_LEVEL="trace", APP_ENV="staging")

    done = shipper.once(tmp_path / "*.log").expect(0)

    assert done.out == log.read_bytes()
    counted = Counter()
    for record in records:
        if "mark" not in record:
            error = record.get("exception", {})
            counted[(record["service"], "staging", record["level"], error.get("type", ""), error.get("code", ""),
                     record.get("endpoint", ""), record["logger"])] += 1
    found = Counter({key[2:]: n for key, n in shipper.database.counts(86400).items()})
    assert sum(found.values()) == sum(counted.values()) and found == counted
    assert shipper.database.rejects() == {}
    runs = shipper.database.runs().values()
    assert len(runs) == 9 and all(r["missing"] == r["duplicates"] == 0 and r["ended"] == "closed" for r in runs)
