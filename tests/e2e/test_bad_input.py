"""Bad input harms only itself: it is counted by reason, kept for a look, and told with a code, a sentence and an exit code."""

import gzip
import json
import os
import sqlite3

import pytest

from support.check import assert_statistics
from support.processes import run
from support.records import MAX_LINE, REJECTS, Story


def test_lines_that_are_no_records_are_counted_by_reason_and_kept_and_the_rest_goes_on(shipper, tmp_path):
    story = Story(60, kinds=())
    good = [story.record() for _ in range(len(REJECTS) + 1)]
    log = tmp_path / "app.log"
    log.write_bytes(good[0] + b"".join(bad + b"\n" + line for (bad, _), line in zip(REJECTS, good[1:])))
    for _, reason in REJECTS:
        story.truth.rejects[reason] += 1
    story.truth.totals["rejected"] = len(REJECTS)

    done = shipper.once(log).expect(0)

    assert done.out == b"".join(good)
    assert_statistics(shipper.database, story.truth)
    kept = [(reason, line.encode() if isinstance(line, str) else line) for reason, line in shipper.database.reject_lines()]
    assert kept == [(reason, bad[:4096]) for bad, reason in REJECTS]


def test_rejected_lines_are_kept_up_to_a_thousand_and_all_are_counted(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(b"".join(b"no JSON %d\n" % i for i in range(3000)))
    shipper.once(tmp_path / "app.log").expect(0)
    assert shipper.database.rejects() == {"not_json": 3000}
    kept = [line if isinstance(line, bytes) else line.encode() for _, line in shipper.database.reject_lines()]
    assert kept == [b"no JSON %d" % i for i in range(2000, 3000)]


def test_lines_that_are_no_records_are_forwarded_as_they_are_when_asked_for(shipper, tmp_path):
    text = b"plain words\n" + Story(61, kinds=()).record() + b"[1,2]\n"
    (tmp_path / "app.log").write_bytes(text)
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")], "invalid": "forward"}],
                                  [{"name": "out", "type": "stdout", "start_at": "beginning"}])
    assert shipper.once("-c", config).expect(0).out == text
    assert shipper.database.rejects() == {"not_json": 1, "not_object": 1}


def test_a_line_without_end_is_passed_over_and_the_next_record_is_read(shipper, tmp_path):
    story = Story(62, kinds=())
    record = story.record()
    with open(tmp_path / "app.log", "wb") as file:
        file.write(b"x" * (64 * MAX_LINE) + b"\n" + record)
    assert shipper.once(tmp_path / "app.log").expect(0).out == record
    assert shipper.database.rejects() == {"too_long": 1}


def test_after_a_power_cut_the_half_line_is_rejected_the_zeros_passed_over_and_the_next_record_read(shipper, tmp_path):
    story = Story(71, kinds=())
    before, half, after = story.record(), b'{"timestamp":"2025-01-01T00:00:0', story.record()
    (tmp_path / "app.log").write_bytes(before + half + b"\x00" * 5000 + after)
    assert shipper.once(tmp_path / "app.log").expect(0).out == before + after
    assert shipper.database.rejects() == {"not_json": 1}


@pytest.mark.parametrize("line", [
    b'{"level":"ERROR","fields":' + b'{"a":' * 100000 + b"1" + b"}" * 100000 + b"}",
    b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(50000)) + b"}",
    b"\xef\xbb\xbf" + b'{"level":"INFO"}',
    b'{"timestamp":"2025-01-01T00:00:00Z","level":"INFO","seq":99999999999999999999999,"run_id":"r"}',
    b'{"timestamp":"2025-01-01T00:00:00Z","level":"INFO","seq":-1,"run_id":"r"}',
    b'{"timestamp":"2025-01-01T00:00:00Z","level":{"a":1},"service":[1],"exception":"text","run_id":7,"seq":"1"}',
    b'{"timestamp":"0000-00-00T00:00:00Z","level":""}',
    b'{"timestamp":"2025-01-01T00:00:00Z","level":"INFO","service":"' + b"s" * 100000 + b'"}',
    b'{"timestamp":"2025-01-01T00:00:00Z","level":"INFO","service":"\\ud800 half \\u0000 nul"}',
    b"{}",
], ids=["100000-deep", "50000-keys", "bom", "huge-seq", "negative-seq", "wrong-types", "zero-date", "long-service",
        "half-surrogate", "empty-object"])
def test_a_strange_line_is_a_record_or_a_reject_and_the_lines_around_it_are_read(shipper, tmp_path, line):
    story = Story(63, kinds=())
    before, after = story.record(), story.record()
    (tmp_path / "app.log").write_bytes(before + line + b"\n" + after)

    done = shipper.once(tmp_path / "app.log").expect(0)

    rejected = sum(shipper.database.rejects().values())
    assert done.out == before + (b"" if rejected else line + b"\n") + after
    assert shipper.database.source_totals()["records"] == 3 - rejected
    assert shipper.database.integrity() == ["ok"]


def test_a_log_that_says_drop_table_is_counted_like_any_other(shipper, tmp_path):
    record = {"timestamp": "2025-01-01T00:00:00Z", "level": "ERROR", "service": "'); DROP TABLE counts; --",
              "exception": {"type": "\"; DELETE FROM run; --"}}
    (tmp_path / "app.log").write_text(json.dumps(record) + "\n")
    shipper.once(tmp_path / "app.log").expect(0)
    assert shipper.database.query("SELECT service, type, SUM(count) FROM counts JOIN series ON series.id = series_id"
                                  " WHERE resolution_s = 86400") == [(record["service"], record["exception"]["type"], 1)]


def test_a_file_without_read_permission_is_told_and_the_others_are_read(shipper, tmp_path):
    story = Story(64, kinds=())
    readable, hidden = tmp_path / "a.log", tmp_path / "b.log"
    readable.write_bytes(story.record())
    hidden.write_bytes(Story(65, kinds=()).record())
    hidden.chmod(0)

    done = run([*as_a_common_user(), shipper.binary, "run", "--once", tmp_path / "*.log"], cwd=shipper.folder)

    assert done.code == 77
    assert "IO_002" in done.err and "b.log" in done.err
    assert done.out == readable.read_bytes()
    assert_statistics(shipper.database, story.truth)


def as_a_common_user():
    """For root only: without the capabilities by which root reads what nobody may."""
    capabilities = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}"] if os.geteuid() == 0 else []


def test_a_pattern_that_matches_nothing_is_told_with_what_to_do(shipper, tmp_path):
    done = shipper.once(tmp_path / "none*.log")
    assert done.code == 66
    assert done.out == b"" and "IO_001" in done.err and "none*.log" in done.err


CONFIGURATIONS = {
    "unknown key": ("inputs:\n  - paths: [/tmp/none.log]\n    exclud: []\n", "CFG_003", ("exclud", "exclude", "3")),
    "wrong value": ("inputs:\n  - paths: [/tmp/none.log]\n    max_line: seven\n", "CFG_004", ("max_line", "seven", "3")),
    "wrong choice": ("inputs:\n  - paths: [/tmp/none.log]\n    invalid: drop\n", "CFG_004",
                     ("invalid", "drop", "reject", "forward")),
    "not YAML": ("inputs: [\n", "CFG_002", ()),
    "no variable": ("instance: ${SURELY_NOT_SET}\ninputs:\n  - paths: [/tmp/none.log]\n", "CFG_005", ("SURELY_NOT_SET",)),
    "owned property": ("inputs:\n  - paths: [/tmp/none.log]\noutputs:\n  - name: lake\n    type: kafka\n    brokers: b:1\n"
                       "    topic: t\n    properties: { acks: 1 }\n", "CFG_006", ("acks",)),
    "no brokers": ("inputs:\n  - paths: [/tmp/none.log]\noutputs:\n  - name: lake\n    type: kafka\n    topic: t\n",
                   "CFG_007", ("brokers",)),
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_wrong_configuration_is_refused_with_file_line_key_what_was_found_and_what_would_do(shipper, name, command):
    text, code, words = CONFIGURATIONS[name]
    config = shipper.folder / "broken.yaml"
    config.write_text(text)

    done = shipper.run(command, "-c", config)

    assert done.code == 78
    assert code in done.err and "broken.yaml" in done.err
    assert all(word in done.err for word in words), done.err
    assert not shipper.database.path.exists()


def test_a_configuration_with_several_mistakes_tells_them_all_at_once(shipper):
    config = shipper.folder / "broken.yaml"
    config.write_text("inputs:\n  - paths: [/tmp/none.log]\n    max_line: seven\n    rotated: perhaps\nfeetures: {}\n")
    done = shipper.run("check", "-c", config)
    assert done.code == 78
    assert all(word in done.err for word in ("seven", "perhaps", "feetures")), done.err


def test_a_configuration_file_that_is_not_there_is_told_by_name(shipper):
    done = shipper.run("check", "-c", "/nowhere/shipper.yaml")
    assert done.code == 78 and "CFG_001" in done.err and "/nowhere/shipper.yaml" in done.err


@pytest.mark.parametrize("arguments", [("runn",), ("run", "--onec"), ("report", "--since"), ()],
                         ids=["command", "option", "value", "nothing"])
def test_a_command_line_that_is_not_understood_is_a_usage_error(shipper, arguments):
    done = shipper.run(*arguments)
    assert done.code == 64
    assert done.out == b"" and done.err


def test_a_database_of_another_program_is_refused_and_left_as_it_is(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(Story(66, kinds=()).record())
    with sqlite3.connect(shipper.database.path) as other:
        other.execute("PRAGMA application_id = 7")
        other.execute("CREATE TABLE precious (thing)")
    before = shipper.database.path.read_bytes()

    done = shipper.once(tmp_path / "app.log")

    assert done.code == 77 and "DB_004" in done.err
    assert shipper.database.path.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(Story(67, kinds=()).record())
    shipper.once(tmp_path / "app.log").expect(0)
    with sqlite3.connect(shipper.database.path) as database:
        database.execute("PRAGMA user_version = 99999")

    done = shipper.once(tmp_path / "app.log")

    assert done.code == 78 and "DB_003" in done.err


def test_a_damaged_gz_gives_what_can_be_read_and_is_told(shipper, tmp_path):
    story = Story(68, kinds=())
    packed = gzip.compress(b"".join(story.record() for _ in range(5000)))
    (tmp_path / "app.log.2.gz").write_bytes(packed[:len(packed) // 2])
    story.begin_file()
    last = Story(69, kinds=()).record()
    (tmp_path / "app.log").write_bytes(last)

    done = shipper.once(tmp_path / "app.log*")

    assert "IO_007" in done.err and "app.log.2.gz" in done.err
    assert done.out.endswith(last) and done.out.count(b"\n") > 1000


def test_shippers_own_database_output_and_log_are_never_inputs(shipper):
    story = Story(70, kinds=())
    (shipper.folder / "app.log").write_bytes(story.record())
    output = shipper.folder / "output.ndjson"
    for _ in range(3):
        with open(output, "ab") as out, shipper.start("--once", str(shipper.folder / "*"), stdout=out) as child:
            assert child.wait(60) == 0, shipper.words()
    assert output.read_bytes() == (shipper.folder / "app.log").read_bytes()
    assert shipper.database.query("SELECT path FROM source") == [(str(shipper.folder / "app.log"),)]
