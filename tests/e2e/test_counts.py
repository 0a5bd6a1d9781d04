"""What a user relies on when shipper has read files: every count equals what was written, and each record left once."""

import gzip
import json
import os

import pytest

from support.check import assert_statistics
from support.records import Family, Story, write_three_files


@pytest.fixture(scope="module")
def three_files(tmp_path_factory):
    """300,000 records over app.log.2.gz, app.log.1 and app.log, with all that goes wrong in real files."""
    folder = tmp_path_factory.mktemp("three")
    with open(folder / "forwarded.ndjson", "wb") as forwarded:
        story = Story(1, forwarded)
        family = write_three_files(story, folder / "logs", 300_000)
    return family, story.truth, folder / "forwarded.ndjson"


def test_300000_records_over_three_files_are_counted_and_forwarded_once_and_a_second_run_finds_nothing(shipper, three_files):
    family, truth, forwarded = three_files

    first = shipper.once(family.pattern()).expect(0)

    assert truth.totals["records"] >= 300_000
    assert_statistics(shipper.database, truth)
    assert first.out == forwarded.read_bytes()

    before = shipper.database.statistics()
    second = shipper.once(family.pattern()).expect(0)

    assert second.out == b""
    assert shipper.database.statistics() == before


def test_sources_keep_their_counts_when_logrotate_moves_and_compresses_them_between_runs(shipper, tmp_path):
    story = Story(5, programs=2)
    family = write_three_files(story, tmp_path / "logs", 9000)
    shipper.once(family.pattern()).expect(0)

    story.begin_file()
    family.rotate()
    more = b"".join(story.line() for _ in range(1000))
    family.append(more)
    shipper.once(family.pattern()).expect(0)

    assert_statistics(shipper.database, story.truth)
    assert len(shipper.database.query("SELECT id FROM source")) == 4


@pytest.mark.parametrize("name", ["app.log.2.gz", "app.log.2.gz.tmp"], ids=["in place", "under another name"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_was_read_is_not_counted_again_while_and_after_it_is_compressed(shipper, tmp_path, name, share):
    """shipper runs while gzip is half-way: the compressed file begins like the plain one and cannot be read to its end."""
    story = Story(13, programs=2)
    family = Family(tmp_path / "logs")
    family.append(b"".join(story.line() for _ in range(5000)))
    family.live.rename(family.older(1))
    shipper.once(family.pattern()).expect(0)
    packed, times = gzip.compress(family.older(1).read_bytes()), family.older(1).stat()
    growing = family.folder / name

    growing.write_bytes(packed[:int(len(packed) * share)])
    again = shipper.once(family.pattern())
    growing.write_bytes(packed)
    os.utime(growing, ns=(times.st_atime_ns, times.st_mtime_ns))
    growing.rename(family.folder / "app.log.2.gz")
    family.older(1).unlink()
    last = shipper.once(family.pattern()).expect(0)

    assert again.out + last.out == b""
    assert_statistics(shipper.database, story.truth)


def test_records_written_between_two_rotations_while_shipper_was_down_are_not_lost(shipper, tmp_path):
    forwarded = open(tmp_path / "forwarded", "w+b")
    story = Story(6, forwarded)
    family = Family(tmp_path / "logs")
    output = b""
    for part in range(4):
        story.begin_file()
        family.append(b"".join(story.line() for _ in range(700)))
        if part == 0:
            output += shipper.once(family.pattern()).expect(0).out
        story.begin_file()
        family.rotate()
    output += shipper.once(family.pattern()).expect(0).out

    assert_statistics(shipper.database, story.truth)
    forwarded.seek(0)
    assert output == forwarded.read()


def test_a_growing_file_is_read_on_from_where_the_last_run_ended_also_in_the_middle_of_a_line(shipper, tmp_path):
    story = Story(8, kinds=("hostile",))
    family = Family(tmp_path / "logs")
    text = b"".join(story.line() for _ in range(300))
    step = 4999
    output = b""
    for start in range(0, len(text), step):
        family.append(text[start:start + step])
        output += shipper.once(family.pattern()).expect(0).out

    assert output == text
    assert_statistics(shipper.database, story.truth)


def test_the_errors_file_beside_the_log_adds_nothing_to_counts_and_output(shipper, tmp_path):
    story = Story(9, kinds=("hostile",))
    family = Family(tmp_path / "logs")
    lines = [story.record() for _ in range(2000)]
    family.append(b"".join(lines))
    errors = [line[:-2] + b',"copy":true}\n' for line in lines if json.loads(line)["level"] in ("ERROR", "CRITICAL")]
    (tmp_path / "logs" / "errors.log").write_bytes(b"".join(errors))
    story.truth.totals["copies"] = len(errors)

    done = shipper.once(tmp_path / "logs" / "*.log").expect(0)

    assert len(errors) > 100
    assert done.out == b"".join(lines)
    assert_statistics(shipper.database, story.truth)


def test_an_input_with_copies_count_counts_and_forwards_an_errors_file_alone(shipper, tmp_path):
    story = Story(10, kinds=("hostile",))
    errors = [story.record(level="ERROR")[:-2] + b',"copy":true}\n' for _ in range(500)]
    (tmp_path / "errors.log").write_bytes(b"".join(errors))
    config = shipper.write_config([{"paths": [str(tmp_path / "errors.log")], "copies": "count"}],
                                  [{"name": "out", "type": "stdout", "start_at": "beginning"}])

    done = shipper.once("-c", config).expect(0)

    assert done.out == b"".join(errors)
    assert shipper.database.counts(86400) == {key: n for key, n in story.truth.counts().items() if key[0] == 86400}


def test_a_whole_last_line_without_newline_is_a_record_and_half_a_one_waits(shipper, tmp_path):
    story = Story(11, kinds=())
    log = tmp_path / "app.log"
    first, second = story.record(), story.record()
    log.write_bytes(first + second[:-1])
    done = shipper.once(log).expect(0)
    assert done.out.splitlines() == [first[:-1], second[:-1]]

    third = story.record()
    with open(log, "ab") as file:
        file.write(b"\n" + third[:50])
    done = shipper.once(log).expect(0)
    assert done.out == b"" and "app.log" in done.err

    with open(log, "ab") as file:
        file.write(third[50:])
    assert shipper.once(log).expect(0).out == third
    assert_statistics(shipper.database, story.truth)


def test_an_output_forwards_only_the_levels_it_names_and_everything_is_counted(shipper, tmp_path):
    story = Story(12, kinds=("hostile",))
    lines = [story.record() for _ in range(3000)]
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    config = shipper.write_config([{"paths": [str(tmp_path / "app.log")]}],
                                  [{"name": "out", "type": "stdout", "levels": ["ERROR", "CRITICAL"],
                                    "start_at": "beginning"}])

    done = shipper.once("-c", config).expect(0)

    assert done.out == b"".join(line for line in lines if json.loads(line)["level"] in ("ERROR", "CRITICAL"))
    assert_statistics(shipper.database, story.truth)


def test_another_programs_json_is_counted_through_a_table_of_key_names(shipper, tmp_path):
    access = [{"ts": f"2025-01-01T00:00:{second:02d}Z", "request": f"GET /{status}", "uri": "/cart", "status": status}
              for second, status in enumerate((200, 301, 404, 499, 500, 503, 599, 200))]
    (tmp_path / "access.json").write_text("".join(json.dumps(line) + "\n" for line in access))
    level = {"from": "status", "map": {"500-599": "ERROR", "400-499": "WARNING"}, "default": "INFO"}
    config = shipper.write_config(
        [{"paths": [str(tmp_path / "access.json")], "service": "nginx",
          "keys": {"timestamp": "ts", "message": "request", "endpoint": "uri", "level": level}}],
        [{"name": "out", "type": "stdout", "start_at": "beginning"}])

    shipper.once("-c", config).expect(0)

    rows = shipper.database.query("SELECT service, level, endpoint, SUM(count) FROM counts JOIN series ON"
                                  " series.id = series_id WHERE resolution_s = 86400 GROUP BY 1, 2, 3")
    assert sorted(rows) == [("nginx", "ERROR", "/cart", 3), ("nginx", "INFO", "/cart", 3), ("nginx", "WARNING", "/cart", 2)]
