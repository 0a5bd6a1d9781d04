"""Lines of text (format: plain): each event is one record, however many lines it has and whatever interrupts the reading."""

import gzip
import os
import random
import time
from collections import Counter
from datetime import datetime, timezone

import pytest

from support.processes import wait_until

T = 1760884200  # 2025-10-19T14:30:00Z


@pytest.fixture(autouse=True)
def in_utc(monkeypatch):
    """A time without an offset is the machine's own: let that be UTC here."""
    monkeypatch.setenv("TZ", "UTC")


def config_for(shipper, log, **plain):
    return shipper.write_config([{"paths": [str(log)], "format": "plain", **plain}],
                                [{"name": "out", "type": "stdout", "start_at": "beginning"}])


def counted(shipper):
    """Counter of (window, level, type, code, logger)."""
    result = Counter()
    for (_, start, _, _, level, kind, code, _, logger), n in shipper.database.counts(10).items():
        result[(start, level, kind, code, logger)] += n
    return result


JAVA = b"""\
2025-10-19 14:30:00.123  INFO 7 --- [main] com.x.Shop : started
2025-10-19 14:30:01.456 ERROR 7 --- [http-1] com.x.Pay : payment failed
java.lang.IllegalStateException: no gateway
\tat com.x.Pay.charge(Pay.java:17)
\tat com.x.Shop.checkout(Shop.java:99)
Caused by: java.net.ConnectException: refused
\t... 12 more
2025-10-19 14:30:12.000  WARN 7 --- [main] com.x.Shop : slow
"""

PYTHON = b"""\
2025-10-19 14:30:00,123 - shop.api - INFO - it began
2025-10-19 14:30:01,123 - shop.api - ERROR - it failed
Traceback (most recent call last):
  File "/srv/api.py", line 3, in handle
    raise KeyError(name)

  During handling of the above:
KeyError: 'name'
2025-10-19 14:30:02,123 - root - CRITICAL - gone
"""

POSTGRES = b"""\
2025-10-19 14:30:00.001 UTC [17] LOG:  database system is ready to accept connections
2025-10-19 14:30:01.002 UTC [18] ERROR:  relation "ERROR" does not exist at character 15
2025-10-19 14:30:01.002 UTC [18] STATEMENT:  SELECT *
\tFROM "ERROR"
\tWHERE true;
2025-10-19 14:30:02.003 UTC [19] FATAL:  password authentication failed for user "x"
"""

NGINX = b"""\
2025/10/19 14:30:00 [error] 7#7: *1 open() "/srv/x" failed (2: No such file or directory), client: 10.0.0.1
2025/10/19 14:30:01 [warn] 7#7: conflicting server name "_" on 0.0.0.0:80, ignored
2025/10/19 14:30:12 [notice] 7#7: signal process started
"""

LOGS = {
    "java": (JAVA, {"multiline": {"start": r"^\d{4}-\d\d-\d\d"},
                    "keys": {"exception.type": r"^([\w.]+(?:Exception|Error))\b", "logger": r"\] ([\w.]+) :"}},
             {(T, "INFO", "", "", "com.x.Shop"): 1, (T, "ERROR", "java.lang.IllegalStateException", "", "com.x.Pay"): 1,
              (T + 10, "WARNING", "", "", "com.x.Shop"): 1}),
    "python": (PYTHON, {"multiline": {"start": r"^\d{4}-\d\d-\d\d "},
                        "keys": {"exception.type": r"^(\w+(?:Error|Exception))\b", "logger": r"^\S+ \S+ - ([\w.]+) -"}},
               {(T, "INFO", "", "", "shop.api"): 1, (T, "ERROR", "KeyError", "", "shop.api"): 1,
                (T, "CRITICAL", "", "", "root"): 1}),
    "postgres": (POSTGRES, {"multiline": {"start": r"^\d{4}-"},
                            "keys": {"level": {"from": r"\] (\w+): ", "default": "INFO",
                                               "map": {"LOG": "INFO", "STATEMENT": "DEBUG", "FATAL": "ERROR"}}}},
                 {(T, "INFO", "", "", ""): 1, (T, "ERROR", "", "", ""): 2, (T, "DEBUG", "", "", ""): 1}),
    "nginx": (NGINX, {}, {(T, "ERROR", "", "", ""): 1, (T, "WARNING", "", "", ""): 1, (T + 10, "INFO", "", "", ""): 1}),
}


@pytest.mark.parametrize("name", LOGS)
def test_a_log_of_text_is_counted_by_event_and_forwarded_as_it_stands(shipper, tmp_path, name):
    text, settings, wanted = LOGS[name]
    log = tmp_path / "app.log"
    log.write_bytes(text)
    config = config_for(shipper, log, **settings)
    shipper.run("check", "-c", config).expect(0)
    assert shipper.once("-c", config).expect(0).out == text
    assert counted(shipper) == Counter(wanted)
    totals = shipper.database.source_totals()
    assert (totals["records"], totals["rejected"], totals["bad_time"]) == (sum(wanted.values()), 0, 0)


@pytest.mark.parametrize("text, kind", [(JAVA, "java.lang.IllegalStateException"), (PYTHON, "KeyError")], ids=["java", "python"])
def test_the_type_of_an_error_is_found_in_its_stack_trace_without_a_pattern(shipper, tmp_path, text, kind):
    log = tmp_path / "app.log"
    log.write_bytes(text)
    shipper.once("-c", config_for(shipper, log, multiline={"start": r"^\d{4}-"})).expect(0)
    assert {(level, found): n for (_, level, found, _, _), n in counted(shipper).items() if level == "ERROR"} == {("ERROR", kind): 1}


def test_without_a_start_every_line_is_a_record_and_blank_ones_are_none(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b"\xef\xbb\xbf2025-10-19 14:30:00 ERROR a\r\n\r\n \n{\"level\":\"INFO\"}\nno level, no time\n\xff\n")
    shipper.once("-c", config_for(shipper, log)).expect(0)
    assert counted(shipper) == Counter({(T, "ERROR", "", "", ""): 1, (T, "INFO", "", "", ""): 1, (T, "UNKNOWN", "", "", ""): 2})
    assert shipper.database.source_totals()["bad_time"] == 3  # they take the time of the record before
    assert shipper.database.source_totals()["utf8"] == 1


def test_text_that_tells_no_time_is_counted_at_the_files(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    os.utime(log, (T + 3, T + 3))
    config = config_for(shipper, log)
    shipper.once("-c", config).expect(0)
    with open(log, "ab") as file:
        file.write(b"two\n")
    os.utime(log, (T + 100, T + 100))
    shipper.once("-c", config).expect(0)
    assert {key[0] for key in counted(shipper)} == {T, T + 100}


def test_only_events_of_the_levels_wanted_are_forwarded_with_all_their_lines(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(PYTHON)
    config = shipper.write_config([{"paths": [str(log)], "format": "plain", "multiline": {"start": r"^\d{4}-"}}],
                                  [{"name": "out", "type": "stdout", "start_at": "beginning", "levels": ["ERROR"]}])
    lines = PYTHON.splitlines(keepends=True)
    assert shipper.once("-c", config).expect(0).out == b"".join(lines[1:-1])


def test_an_older_generations_last_line_needs_no_newline_and_a_live_files_waits_for_it(shipper, tmp_path):
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(b"2025-10-19 14:30:00 ERROR a\n more\n and more"))
    (tmp_path / "app.log").write_bytes(b"2025-10-19 14:30:01 INFO b\n more\n half of")
    config = config_for(shipper, tmp_path / "app.log", multiline={"start": "^20"})
    first = shipper.once("-c", config).expect(0)
    assert first.out == b"2025-10-19 14:30:00 ERROR a\n more\n and more\n2025-10-19 14:30:01 INFO b\n more\n"
    assert "has no end yet" in first.err
    with open(tmp_path / "app.log", "ab") as file:
        file.write(b" a line\n")
    assert shipper.once("-c", config).expect(0).out == b" half of a line\n"
    assert shipper.database.source_totals()["records"] == 3


def test_events_end_at_their_limits_and_nothing_is_left_out(shipper, tmp_path):
    """A stack without end, between two events, with a piece's and a buffer's edge within it."""
    log = tmp_path / "app.log"
    endless = b"".join(b"\tat frame %06d %s\n" % (i, b"x" * 100) for i in range(40_000))
    text = b"2025-10-19 14:30:00 ERROR a\n" + endless + b"2025-10-19 14:30:00 INFO b\n"
    log.write_bytes(text)
    config = config_for(shipper, log, multiline={"start": "^20", "max_lines": 1000})
    assert shipper.once("-c", config).expect(0).out == text
    assert shipper.database.source_totals()["records"] == 1 + 40 + 1  # 40,001 lines are 41 events of up to a thousand


def test_a_line_above_the_limit_ends_the_event_and_is_rejected(shipper, tmp_path):
    log = tmp_path / "app.log"
    long_line = b"x" * 3_000_000 + b"\n"
    log.write_bytes(b"2025-10-19 14:30:00 ERROR a\n more\n" + long_line + b" rest\n2025-10-19 14:30:00 INFO b\n")
    config = config_for(shipper, log, multiline={"start": "^20"})
    assert shipper.once("-c", config).expect(0).out == (b"2025-10-19 14:30:00 ERROR a\n more\n rest\n"
                                                        b"2025-10-19 14:30:00 INFO b\n")
    assert shipper.database.rejects() == {"too_long": 1}
    assert shipper.database.query("SELECT offset FROM reject_line") == [(34,)]
    assert shipper.database.source_totals()["records"] == 3


def test_an_event_at_the_end_of_a_live_file_waits_for_more_and_is_taken_when_none_comes(shipper, tmp_path):
    log, out = tmp_path / "app.log", tmp_path / "out"
    log.write_bytes(b"2025-10-19 14:30:00 ERROR a\n")
    config = config_for(shipper, log, multiline={"start": "^20", "timeout": "3s"})
    with open(out, "wb") as stdout, shipper.start("-c", config, stdout=stdout) as child, open(log, "ab", buffering=0) as file:
        wait_until(lambda: (shipper.folder / "control").exists(), what="shipper")
        for i in range(4):  # together longer than the time-out, each pause shorter
            time.sleep(1)
            file.write(b" line %d\n" % i)
            assert out.read_bytes() == b""
        whole = log.read_bytes()
        wait_until(lambda: out.read_bytes() == whole, what="the event", timeout_s=20)
        file.write(b"2025-10-19 14:30:00 INFO b\n2025-10-19 14:30:00 INFO c\n")
        wait_until(lambda: out.read_bytes().endswith(b" b\n"), what="the next one, which another has ended", timeout_s=2.5)
        assert child.terminate() == 0, shipper.words()
    assert counted(shipper) == Counter({(T, "ERROR", "", "", ""): 1, (T, "INFO", "", "", ""): 1})
    shipper.once("-c", config).expect(0)
    assert counted(shipper)[(T, "INFO", "", "", "")] == 2


def event(chance, number):
    """One event as a program writes it: at once. Its last line tells how many there are."""
    level = chance.choice(("INFO", "WARNING", "ERROR"))
    stamp = datetime.fromtimestamp(T + number // 50, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    lines = [b"%s %s number %d" % (stamp.encode(), level.encode(), number)]
    lines += [b"  frame %d of %d %s" % (i, number, b"y" * chance.randrange(200)) for i in range(chance.randrange(6))]
    return level, b"\n".join(lines) + b"\n"


def test_kills_at_any_moment_count_every_event_once(shipper, tmp_path):
    """An event's end decides the position: killed and started again, no event is counted twice, halved or lost."""
    chance = random.Random(113)
    log = tmp_path / "app.log"
    log.write_bytes(b"")
    config = config_for(shipper, log, multiline={"start": r"^\d{4}-", "timeout": "200ms"})
    wanted, number = Counter(), 0
    with open(log, "ab", buffering=0) as file:
        for _ in range(12):
            with open(tmp_path / "out", "ab") as stdout, shipper.start("-c", config, stdout=stdout) as child:
                deadline = time.monotonic() + chance.uniform(0.1, 1.2)
                while time.monotonic() < deadline:
                    for _ in range(chance.randrange(40)):
                        level, text = event(chance, number)
                        file.write(text)
                        wanted[(T + number // 50 - (T + number // 50) % 10, level)] += 1
                        number += 1
                    time.sleep(chance.uniform(0, 0.03))
                child.kill()
    rest = shipper.once("-c", config).expect(0).out
    found = Counter()
    for (start, level, *_), n in counted(shipper).items():
        found[(start, level)] += n
    assert number > 500 and found == wanted
    forwarded = (tmp_path / "out").read_bytes() + b"\n" + rest  # a kill may have torn the last line
    assert set(log.read_bytes().splitlines()) <= set(forwarded.splitlines())


@pytest.mark.parametrize("setting, words", [
    ({"multiline": {"start": "(a"}}, ("multiline.start", "(a")),
    ({"multiline": {"start": "^a", "max_lines": 0}}, ("max_lines", "0")),
    ({"multiline": {"start": "^a", "timeout": "1ms"}}, ("timeout", "1ms")),
    ({"keys": {"logger": "(a)\\1"}}, ("keys.logger", "references back")),
    ({"format": "liblog", "multiline": {"start": "^a"}}, ("multiline", "plain")),
])
def test_a_pattern_that_cannot_be_is_refused_with_its_place(shipper, setting, words):
    config = config_for(shipper, "/tmp/none.log", **setting)
    done = shipper.run("check", "-c", config)
    assert done.code == 78 and all(word in done.err for word in words), done.err
