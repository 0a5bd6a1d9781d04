"""A full disk under shipper's database: counting stands still, forwarding goes on, and nothing is counted twice or lost."""

import time

from support.check import assert_statistics
from support.disk import Disk
from support.processes import wait_until
from support.records import Story
from support.shipper import Database, Shipper


def records_of(shipper):
    return shipper.database.source_totals()["records"]


def test_a_disk_full_under_the_database_is_told_and_all_is_counted_once_when_there_is_room(build, tmp_path):
    story = Story(710, kinds=Story.KINDS - {"bad_time"})
    log, out = tmp_path / "app.log", tmp_path / "out.jsonl"
    with Disk(tmp_path / "disk", 16384) as disk:
        shipper = Shipper(build / "shipper" / "shipper", tmp_path / "work")  # where its words go
        shipper.database = Database(disk.folder / "shipper.db")
        with open(log, "ab", buffering=0) as file, open(out, "ab") as stdout, shipper.start("--db", shipper.database.path, log, stdout=stdout) as child:
            file.write(b"".join(story.record() for _ in range(100)))
            wait_until(lambda: shipper.database.path.exists() and records_of(shipper) == 100, what="the first records counted")
            for _ in range(2):
                disk.fill()
                words = len(shipper.words())
                for batch in range(4):  # more than the log of the database has room for, and more than one try
                    file.write(b"".join(story.record() for _ in range(2000)))
                    time.sleep(0.6)
                wait_until(lambda: "IO_005" in shipper.words()[words:], what="a word about the full disk")
                wait_until(lambda: out.read_bytes().count(b"\n") == log.read_bytes().count(b"\n"), what="all records forwarded")
                disk.empty()
                wait_until(lambda: records_of(shipper) == story.truth.totals["records"], what="all records counted")
            assert child.terminate() == 0, shipper.words()
        assert shipper.database.integrity() == ["ok"]
        assert_statistics(shipper.database, story.truth)
    assert out.read_bytes() == log.read_bytes()
