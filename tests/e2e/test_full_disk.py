"""
A log on a disk that is full again and again, with a program that logs on and shipper that follows: every record is in
the log once, in whole lines, and is counted once; what was in the file when the disk was full stays there.
"""

import json
import random
import time
from collections import Counter

from support.disk import Disk
from support.logger import Account, Counters, Follower, Restless
from support.processes import run, wait_until
from support.shipper import Shipper

THREADS = 2
DISK_KIB = 32768


def stall(disk, log):
    """Leaves the log a little room and waits until it has taken all of it, in the middle of a block and of a line."""
    disk.fill(leave_bytes=5 * 4096)
    sizes = []

    def stands_still():
        sizes.append(log.stat().st_size)
        return len(sizes) > 2 and sizes[-1] == sizes[-2] == sizes[-3]

    wait_until(stands_still, what="a full disk", every_s=0.15)
    return log.read_bytes()


def logger(build, tmp_path, log, counters, **more):
    """Fast enough to fill blocks, slow enough that its ring holds what a full disk does not take."""
    return Restless(build, log, counters, THREADS, pause_us=200, LOG_RING_SIZE="32MB",
                    LOG_RING_DIR=str(tmp_path / "rings"), **more)


def has_counted(shipper, records):
    return lambda: shipper.database.path.exists() and sum(run["records"] for run in shipper.database.runs().values()) >= records


def counted_by_level(shipper):
    levels = Counter()
    for key, count in shipper.database.counts(10).items():
        levels[key[4]] += count
    return levels


def test_a_disk_that_is_full_again_and_again_neither_loses_nor_counts_twice(build, tmp_path):
    (tmp_path / "rings").mkdir()
    shipper = Shipper(build / "shipper" / "shipper", tmp_path / "state")
    counters = Counters(tmp_path / "counters")
    with Disk(tmp_path / "disk", DISK_KIB) as disk:
        log = disk.folder / "app.log"
        with logger(build, tmp_path, log, counters, LOG_MARKS="off") as program, shipper.start(log):
            wait_until(program.has_logged, what="the first records")
            for _ in range(5):
                time.sleep(0.2)
                part = stall(disk, log)
                assert not part.endswith(b"\n"), "the disk was full at the end of a line: there is nothing to be seen"
                shipped = part.count(b"\n")
                wait_until(has_counted(shipper, shipped), what="shipper at the end of a log that is full")
                disk.empty()
                wait_until(lambda: log.stat().st_size > len(part), what="a log that grows again")
                assert log.read_bytes()[:len(part)] == part
            assert program.terminate() == 0
            account = Account()
            account.read(log.read_bytes())
            wait_until(has_counted(shipper, account.records), what="all records counted")
            time.sleep(0.5)  # whatever is counted twice would be there by now
        levels = Counter(json.loads(line)["level"] for line in log.read_bytes().splitlines())
    account.settle(counters.run_id(), counters.returned(THREADS))
    assert counted_by_level(shipper) == levels
    assert shipper.database.source_totals() | {"copies": 0} == {
        "records": account.records, "rejected": 0, "copies": 0, "bad_time": 0, "utf8": 0, "lost_bytes": 0}
    (audit,) = shipper.database.runs().values()
    assert (audit["missing"], audit["duplicates"]) == (0, 0)


def test_killed_while_the_disk_is_full_and_recovered_on_a_full_disk_each_record_is_there_once(build, tmp_path):
    chance = random.Random(91)
    (tmp_path / "rings").mkdir()
    account = Account()
    recover = [build / "shipper" / "shipper", "recover", "--ring-dir", tmp_path / "rings"]
    with Disk(tmp_path / "disk", DISK_KIB) as disk:
        log = disk.folder / "app.log"
        follower = Follower(log)
        for _ in range(8):
            counters = Counters(tmp_path / "counters")
            with logger(build, tmp_path, log, counters) as program:
                wait_until(program.has_logged, what="the first records", every_s=0.001)
                time.sleep(chance.uniform(0, 0.1))
                part = stall(disk, log)
                time.sleep(chance.uniform(0, 0.2))
                assert program.kill() == -9
            run(recover + [log])  # has no room
            assert log.read_bytes().startswith(part[:part.rfind(b"\n") + 1])
            if chance.random() < 0.5:
                disk.empty()
                disk.fill(leave_bytes=chance.randrange(4096, 65536))
                run(recover + [log])
            disk.empty()
            run(recover + [log]).expect(0)
            account.read(follower.more())
            account.settle(counters.run_id(), counters.returned(THREADS))
            counters.close()


def test_two_programs_on_a_full_disk_tear_no_line_of_each_other(build, tmp_path):
    (tmp_path / "rings").mkdir()
    accounts = [Counters(tmp_path / f"counters{i}") for i in range(2)]
    with Disk(tmp_path / "disk", DISK_KIB) as disk:
        log = disk.folder / "app.log"
        with logger(build, tmp_path, log, accounts[0]) as first, logger(build, tmp_path, log, accounts[1]) as second:
            wait_until(lambda: first.has_logged() and second.has_logged(), what="the first records")
            for _ in range(4):
                stall(disk, log)
                disk.empty()
                time.sleep(0.3)
            assert first.terminate(30) == 0 and second.terminate(30) == 0
        account = Account()
        account.read(log.read_bytes())
    for counters in accounts:
        account.settle(counters.run_id(), counters.returned(THREADS))


def test_an_errors_file_alone_on_a_full_disk_holds_nothing_up_and_goes_on_when_there_is_room(build, tmp_path):
    (tmp_path / "rings").mkdir()
    counters = Counters(tmp_path / "counters")
    log = tmp_path / "app.log"
    with Disk(tmp_path / "disk", 4096) as disk:
        errors = disk.folder / "errors.log"
        with logger(build, tmp_path, log, counters, LOG_ERROR_FILE=str(errors)) as program:
            wait_until(program.has_logged, what="the first records")
            disk.fill(leave_bytes=4096)
            size = log.stat().st_size
            wait_until(lambda: log.stat().st_size > size + 1000000, what="a log that goes on")
            disk.empty()
            full = errors.stat().st_size
            wait_until(lambda: errors.stat().st_size > full, what="copies that go on")
            assert program.terminate() == 0
        account = Account()
        account.read(log.read_bytes())
        account.settle(counters.run_id(), counters.returned(THREADS))
        records = {record["seq"] for record in map(json.loads, log.read_bytes().splitlines()) if record["level"] == "ERROR"}
        copies = [json.loads(line) for line in errors.read_bytes().splitlines()]  # whole lines only
    assert all(copy["copy"] is True and copy["seq"] in records for copy in copies)
    seqs = [copy["seq"] for copy in copies]
    assert seqs == sorted(set(seqs))
    assert 0 < len(seqs) < len(records)


def test_a_file_system_that_is_read_only_at_first_is_written_as_soon_as_it_can_be(build, tmp_path):
    (tmp_path / "rings").mkdir()
    counters = Counters(tmp_path / "counters")
    with Disk(tmp_path / "disk", DISK_KIB) as disk:
        log = disk.folder / "app.log"
        disk.remount("ro")
        with open(tmp_path / "words", "wb") as words, \
                logger(build, tmp_path, log, counters, stderr=words) as program:
            wait_until(program.has_logged, what="the first records")
            wait_until(lambda: b"Read-only file system" in (tmp_path / "words").read_bytes(), what="words about it")
            disk.remount("rw")
            wait_until(log.exists, what="the log")
            assert program.terminate() == 0
        account = Account()
        account.read(log.read_bytes())
        account.settle(counters.run_id(), counters.returned(THREADS))
    assert (tmp_path / "words").read_bytes().count(b"\n") == 1
