"""What a line is worth (docs/shipper.md): each kind of line is counted as what it is, with its position, and costs no memory."""

import gzip
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from support.processes import wait_until
from support.shipper import Shipper

RSS_KB_MAX = 40_000


def record(number, **more):
    return json.dumps({"timestamp": 1760884200 + number, "level": "INFO", "seq": number, "run_id": "r", **more}).encode() + b"\n"


def blank_lines(shipper):
    return shipper.database.query("SELECT sum(blank) FROM source")[0][0]


def once_measured(shipper, *arguments):
    """`shipper run --once …`: its exit code, and the most memory it was ever seen to have had."""
    most_kb, deadline = 0, time.monotonic() + 300
    with open(shipper.folder / "out", "wb") as out, shipper.start("--once", *arguments, stdout=out) as child:
        while child.is_running() and time.monotonic() < deadline:
            try:
                status = Path(f"/proc/{child.pid}/status").read_text()
            except OSError:
                break
            most_kb = max([most_kb, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
            time.sleep(0.02)
        return child.wait(60), most_kb


def test_half_a_line_waits_as_a_position_and_is_read_once_when_the_rest_comes(shipper, tmp_path):
    log, out = tmp_path / "app.log", tmp_path / "out"
    first, second = record(1), record(2)
    log.write_bytes(first)
    with open(out, "wb") as stdout, shipper.start(log, stdout=stdout) as child, open(log, "ab", buffering=0) as file:
        wait_until(lambda: out.read_bytes() == first, what="the first record")
        half = second[:-1]
        for part in (half[i:i + 7] for i in range(0, len(half), 7)):
            file.write(part)
            time.sleep(0.02)
        wait_until(lambda: shipper.database.path.exists()
                   and shipper.database.positions("stats") == {str(log): len(first)}, what="the first position")
        time.sleep(1.2)  # a commit later it still waits
        assert shipper.database.positions("stats") == {str(log): len(first)} and out.read_bytes() == first
        file.write(b"\n")
        wait_until(lambda: out.read_bytes() == log.read_bytes(), what="the second record")
        assert child.terminate() == 0, shipper.words()
    assert shipper.database.source_totals()["records"] == 2 and shipper.database.rejects() == {}


def test_crlf_a_byte_order_mark_blank_lines_and_nuls_are_no_rejects(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b"\xef\xbb\xbf" + record(1)[:-1] + b"\r\n" + b"\r\n \t\n\n" + b"\0" * 5000 + record(2) + b"\0" * 3)
    done = shipper.once(log).expect(0)
    assert done.out == record(1)[:-1] + b"\r\n" + record(2)
    assert shipper.database.source_totals()["records"] == 2 and shipper.database.rejects() == {}
    assert blank_lines(shipper) == 5  # three lines and two runs


def test_each_rejected_line_is_kept_with_its_reason_and_the_position_where_it_begins(shipper, tmp_path):
    log, wanted, text = tmp_path / "app.log", [], b""
    for number, (line, reason) in enumerate([
            (b"no JSON", "not_json"), (b'{"a":1', "not_json"), (b"[1,2]", "not_object"), (b'"text"', "not_object"),
            (b'{"a":' * 200 + b"1" + b"}" * 200, "too_deep"), (b"y" * 2_000_000, "too_long"), (b'{"a":1}}', "not_json")]):
        text += record(2 * number)
        wanted.append((len(text), reason))
        text += line + b"\n" + record(2 * number + 1)
    log.write_bytes(text)
    shipper.once(log).expect(0)
    assert shipper.database.query("SELECT offset, reason FROM reject_line ORDER BY offset") == wanted
    assert shipper.database.rejects() == Counter(reason for _, reason in wanted)
    assert shipper.database.query("SELECT missing, duplicates FROM run") == [(0, 0)]


def test_a_line_of_256_megabytes_costs_no_memory_compressed_or_not(shipper, tmp_path):
    step = b"z" * (1 << 20)
    with open(tmp_path / "a.log", "wb") as file:
        file.write(record(1) + b'{"a":"')
        for _ in range(256):
            file.write(step)
        file.write(b'"}\n' + record(2))
    with gzip.open(tmp_path / "b.log.1.gz", "wb", compresslevel=1) as file:
        file.write(record(3) + b'{"a":"')
        for i in range(64):
            file.write(os.urandom(4096).hex().encode() * 128)
        file.write(b'"}\n' + record(4))
    code, rss_kb = once_measured(shipper, tmp_path / "a.log", tmp_path / "b.log.1.gz")
    assert code == 0 and 0 < rss_kb < RSS_KB_MAX
    assert sorted((shipper.folder / "out").read_bytes().splitlines(True)) == [record(n) for n in (1, 2, 3, 4)]
    assert shipper.database.rejects() == {"too_long": 2}


def test_a_hole_of_four_gigabytes_within_a_line_is_passed_over(shipper, tmp_path):
    """What a power cut or a crashed copytruncate leaves: a sparse file, read as zeros."""
    log = tmp_path / "app.log"
    with open(log, "wb") as file:
        file.write(record(1) + b'{"half":')
        file.seek(4 << 30)
        file.write(b'1}\n' + record(2))
    code, rss_kb = once_measured(shipper, log)
    assert code == 0 and 0 < rss_kb < RSS_KB_MAX
    assert (shipper.folder / "out").read_bytes() == record(1) + record(2)
    assert shipper.database.rejects() == {"not_json": 2}  # what stood before the hole, and behind it
    assert shipper.database.positions("stats") == {str(log): (4 << 30) + 3 + len(record(2))}


def test_a_million_keys_and_128_levels_are_a_record_and_keys_that_stand_twice_take_the_last(shipper, tmp_path):
    keys = b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(1_000_000)) + b',"level":"ERROR","level":"DEBUG"}\n'
    deep = b'{"level":"WARNING","a":' + b"[" * 127 + b"]" * 127 + b"}\n"
    too_deep = b'{"level":"WARNING","a":' + b"[" * 128 + b"]" * 128 + b"}\n"
    (tmp_path / "app.log").write_bytes(keys + deep + too_deep)
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")], "max_line": "32MiB"}], [])
    shipper.once("-c", config).expect(0)
    assert {key[4]: n for key, n in shipper.database.counts(10).items()} == {"DEBUG": 1, "WARNING": 1}
    assert shipper.database.rejects() == {"too_deep": 1}


@pytest.mark.parametrize("setting, forwarded, counted", [("skip", 1, 1), ("count", 3, 3)])
def test_copies_are_passed_over_unless_the_input_counts_them(shipper, tmp_path, setting, forwarded, counted):
    lines = [record(1), record(2, level="ERROR", copy=True), record(3, level="CRITICAL", copy=True)]
    (tmp_path / "errors.log").write_bytes(b"".join(lines))
    config = shipper.write_config([{"paths": [str(tmp_path / "errors.log")], "copies": setting}],
                                  [{"name": "out", "type": "stdout", "start_at": "beginning"}])
    assert shipper.once("-c", config).expect(0).out == b"".join(lines[:forwarded])
    assert sum(shipper.database.counts(10).values()) == counted
    totals = shipper.database.source_totals()
    assert (totals["records"], totals["copies"]) == (counted, 3 - counted)
    assert shipper.database.query("SELECT records FROM run") == [(counted,)]


def test_levels_of_every_spelling_are_one_and_what_is_none_is_unknown_and_keeps_its_text(shipper, tmp_path):
    spellings = {
        "TRACE": ["trace", "Trace", 10, "10", "verbose", "finest"], "DEBUG": ["debug", "DBG", 20, 7, "fine"],
        "INFO": ["info", "Information", "notice", 30, 6, 5, "inf"], "WARNING": ["warn", "WARN", "wrn", 40, 4],
        "ERROR": ["err", "error", "severe", 50, 3, "exception"],
        "CRITICAL": ["fatal", "panic", "emerg", "alert", "crit", 60, 0, 1, 2],
        "UNKNOWN": ["odd", "", 8, 70, -1, 1.5, None, True, ["ERROR"], {"a": "ERROR"}],
    }
    values = [value for each in spellings.values() for value in each]
    text = b"".join(record(i, level=value) for i, value in enumerate(values))
    (tmp_path / "app.log").write_bytes(text)
    assert shipper.once(tmp_path / "app.log").expect(0).out == text
    found = Counter()
    for key, n in shipper.database.counts(86400).items():
        found[key[4]] += n
    assert found == {level: len(each) for level, each in spellings.items()}


def windows(shipper):
    result = Counter()
    for (_, start, *_), n in shipper.database.counts(10).items():
        result[start] += n
    return result


def test_a_missing_absurd_or_future_time_is_that_of_the_record_before_however_the_reading_was_cut(build, tmp_path):
    """The same on every replay: in one go, line by line with a restart after each, and in runs of any length."""
    chance, lines, wanted, now, bad_times = random.Random(114), [], Counter(), 1760884205, 0
    for number in range(60):
        bad = number > 0 and chance.random() < 0.5
        bad_times += bad
        if not bad:
            now += chance.randrange(30)
        absurd = chance.choice([None, "yesterday", "2025-13-01T00:00:00Z", int(time.time()) + 4000, "", True, 1e300])
        stamp = absurd if bad else now
        lines.append(record(number, timestamp=stamp))
        wanted[now - now % 10] += 1
    for name, cuts in (("whole", {60}), ("each", set(range(1, 61))), ("some", {7, 8, 31, 60})):
        shipper, log = Shipper(build / "shipper" / "shipper", tmp_path / name), tmp_path / f"{name}.log"
        for number, line in enumerate(lines, 1):
            with open(log, "ab") as file:
                file.write(line)
            if number in cuts:
                shipper.once(log).expect(0)
        assert windows(shipper) == wanted, name
        assert shipper.database.source_totals()["bad_time"] == bad_times


def test_a_first_record_without_a_time_is_of_the_files(shipper, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b'{"level":"INFO"}\n')
    os.utime(log, (1760884203, 1760884203))
    shipper.once(log).expect(0)
    assert windows(shipper) == {1760884200: 1}


def test_a_whole_object_at_the_end_of_an_older_generation_is_a_record_and_half_of_one_is_cut(shipper, tmp_path):
    (tmp_path / "app.log.2").write_bytes(record(1)[:-1])
    (tmp_path / "app.log.1").write_bytes(record(2) + record(3)[:-5])
    (tmp_path / "app.log").write_bytes(record(4))
    assert shipper.once(tmp_path / "app.log*").expect(0).out == record(1) + record(2) + record(4)
    assert shipper.database.rejects() == {"cut": 1}
    assert shipper.database.query("SELECT offset FROM reject_line") == [(len(record(2)),)]


def test_runs_are_audited_by_intervals_with_64_gaps_each(shipper, tmp_path):
    """Every number of one run, odd numbers only of another: 64 of its gaps are remembered, the rest is still missing."""
    lines = [record(n, run_id="all") for n in range(5, 400)] + [record(n, run_id="odd") for n in range(1, 400, 2)]
    (tmp_path / "app.log").write_bytes(b"".join(lines) + record(7, run_id="all"))
    shipper.once(tmp_path / "app.log").expect(0)
    runs = {run["run_id"]: run for run in json.loads(shipper.run("runs", "--format", "json").expect(0).out)}
    assert {key: runs["all"][key] for key in ("missing", "before_first", "duplicates", "inexact", "records")} == {
        "missing": 0, "before_first": 4, "duplicates": 1, "inexact": False, "records": 396}
    assert {key: runs["odd"][key] for key in ("missing", "before_first", "duplicates", "inexact", "records")} == {
        "missing": 199, "before_first": 0, "duplicates": 0, "inexact": True, "records": 200}
    gaps = shipper.database.query("SELECT from_seq, to_seq FROM run_gap WHERE run_id = 'odd' ORDER BY from_seq")
    assert gaps == [(n, n) for n in range(272, 400, 2)]


def test_gaps_of_all_runs_together_are_bounded_and_the_oldest_runs_become_inexact(shipper, tmp_path):
    runs, gaps_each = 1700, 63
    with open(tmp_path / "app.log", "wb") as file:
        for run in range(runs):
            file.write(b"".join(b'{"timestamp":1760884200,"run_id":"run-%05d","seq":%d}\n' % (run, seq)
                                for seq in range(1, 2 * gaps_each + 2, 2)))
    shipper.once("-q", tmp_path / "app.log").expect(0)
    assert 100_000 - 2 * gaps_each < shipper.database.query("SELECT count(*) FROM run_gap")[0][0] <= 100_000
    exact = shipper.database.query("SELECT min(run_id), count(*) FROM run WHERE NOT inexact")[0]
    assert exact == (f"run-{runs - exact[1]:05d}", 100_000 // gaps_each)
    assert shipper.database.query("SELECT sum(missing), count(*) FROM run") == [(runs * gaps_each, runs)]
