"""The real logrotate rotates a log while a program writes it and shipper reads it: nothing is lost, nothing comes twice."""

import json
import time
from contextlib import nullcontext

import pytest

from support.check import assert_statistics
from support.processes import wait_until
from support.records import Story
from support.rotations import Campaign
from support.writer import Logrotate, Writer, generations

# A rotation between two lines: a record whose time stands in for the next one's may be in the file before.
KINDS = Story.KINDS - {"bad_time"}


def counted(shipper):
    if not shipper.database.path.exists():
        return 0
    rows = shipper.database.query("SELECT name FROM sqlite_schema WHERE name = 'source'")
    return shipper.database.source_totals()["records"] if rows else 0


@pytest.mark.parametrize("directives, told", [
    ((), False),
    (("compress", "delaycompress"), False),
    (("compress",), True),
    (("dateext", "dateformat -%s", "compress", "delaycompress"), False),
], ids=["plain", "delaycompress", "compress", "dateext"])
def test_six_rotations_while_program_and_shipper_run_lose_nothing_and_count_nothing_twice(
        shipper, tmp_path, directives, told):
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "app.log"
    logrotate = Logrotate(tmp_path, log, "nocreate", *directives)
    forwarded = open(tmp_path / "forwarded.ndjson", "w+b")
    story = Story(30, forwarded, KINDS)
    config = shipper.write_config([{"paths": [str(log)], "rotated": True}],
                                  [{"name": "out", "type": "stdout", "start_at": "beginning"}])
    with open(tmp_path / "stdout.ndjson", "wb") as out, shipper.start("-c", config, stdout=out) as child:
        with Writer(story, log) as writer:
            for _ in range(6):
                time.sleep(0.5 if "dateext" not in directives else 1.1)  # dateext names a file by its second
                # compressing at once needs a program that has let go of the file
                with writer.lock if told else nullcontext():
                    logrotate.rotate()
            time.sleep(0.2)
        wait_until(lambda: counted(shipper) >= story.truth.totals["records"], what="that all is counted")
        assert child.terminate() == 0

    assert len(generations(log)) == 7 or "dateext" in directives
    assert_statistics(shipper.database, story.truth)
    forwarded.seek(0)
    assert (tmp_path / "stdout.ndjson").read_bytes() == forwarded.read()


def test_rotations_in_every_style_under_load_with_kills_lose_nothing_and_count_nothing_twice(shipper, tmp_path):
    print(Campaign(shipper, tmp_path, seed=5).run(rotations=60, kills=12))


def test_what_a_power_cut_took_back_is_told_by_runs_and_report_and_what_comes_then_is_forwarded(shipper, tmp_path):
    story = Story(640, kinds=())
    log = tmp_path / "app.log"
    read, more = (b"".join(story.record() for _ in range(count)) for count in (20, 3))
    log.write_bytes(read)
    config = shipper.write_config([{"paths": [str(log)]}], [{"name": "out", "type": "stdout", "start_at": "beginning"}])
    assert shipper.once("-c", config).out == read
    log.write_bytes(read[:len(read) // 2].rpartition(b"\n")[0] + b"\n")  # a power cut took the second half

    assert shipper.once("-c", config).expect(0).out == b""

    lost = len(read) - log.stat().st_size
    words = f"{lost:,} bytes of 1 file, truncated".encode()
    assert words in shipper.run("runs", "-c", config).out
    for form in ("table", "md", "html"):
        assert words in shipper.run("report", "-c", config, "--format", form).out
    assert json.loads(shipper.run("report", "-c", config, "--format", "json").out)["lost"] == {"bytes": lost, "files": 1}
    with open(log, "ab") as file:
        file.write(more)
    assert shipper.once("-c", config).out == more
