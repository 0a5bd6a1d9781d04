"""Hostile or poor surroundings: closed descriptors, few of them, odd zones, names that are no text."""

import os
import resource
import subprocess

import pytest

from support.records import Story


@pytest.fixture
def log(shipper):
    """A log of ten records beside the database."""
    path = shipper.folder / "app.log"
    story = Story(90, kinds=())
    path.write_bytes(b"".join(story.record() for _ in range(10)))
    return path


def close(*descriptors):
    return lambda: [os.close(fd) for fd in descriptors]


def run_with(shipper, before, *arguments):
    """`shipper run --once` in a process on which `before` was called."""
    return subprocess.run([shipper.binary, "run", "--once", *map(str, arguments)], cwd=shipper.folder, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before)


def records_of(shipper):
    return shipper.database.source_totals()["records"]


@pytest.mark.parametrize("descriptors", [(0,), (2,), (0, 2)])
def test_with_closed_descriptors_the_database_takes_no_words_and_all_is_forwarded(shipper, log, descriptors):
    done = run_with(shipper, close(*descriptors), log)

    assert done.returncode == 0 and done.stdout == log.read_bytes()
    assert shipper.database.integrity() == ["ok"] and records_of(shipper) == 10


def test_a_closed_standard_output_is_told_and_its_records_come_when_it_is_open(shipper, log):
    done = run_with(shipper, close(1), log)

    assert done.returncode == 74 and b"IO_003" in done.stderr and b"standard output is closed" in done.stderr
    assert shipper.once(log).out == log.read_bytes()
    assert records_of(shipper) == 10


def test_names_that_are_no_text_steer_no_terminal_and_leave_the_database_readable(shipper):
    folder = os.fsencode(shipper.folder)
    story = Story(91, kinds=())
    for name in (b"a\nb.log", b"\xff\xfe.log", b"\x1b[31mred.log"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(story.record() + b'{"half')

    done = run_with(shipper, None, shipper.folder / "*.log")
    again = run_with(shipper, None, shipper.folder / "*.log")
    shown = subprocess.run([shipper.binary, "positions"], cwd=shipper.folder, capture_output=True, timeout=60).stdout

    assert done.returncode == 0 and done.stdout.count(b"\n") == 3 and again.stdout == b""
    assert done.stderr.count(b"no end yet") == 3
    for words in (done.stderr, shown):
        assert b"a\\x0ab.log" in words and b"\\x1b[31mred.log" in words and b"\x1b" not in words
    assert sorted(os.path.basename(path) for path, in shipper.database.query("SELECT path FROM source")) == [
        "\x1b[31mred.log", "a\nb.log", "\ufffd\ufffd.log"]


def test_what_is_no_file_is_passed_over_and_a_file_with_two_names_is_read_once(shipper, log):
    folder = shipper.folder
    os.mkfifo(folder / "fifo.log")
    (folder / "folder.log").mkdir()
    for name, target in (("one.log", "other.log"), ("other.log", "one.log"), ("gone.log", "nowhere"), ("zero.log", "/dev/zero")):
        os.symlink(target, folder / name)
    os.link(log, folder / "second.log")

    done = run_with(shipper, None, folder / "*.log")

    assert done.returncode == 0 and done.stdout == log.read_bytes() and records_of(shipper) == 10


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "nonsense///", ":/etc/passwd", ""])
def test_no_zone_and_no_locale_moves_a_record_into_another_window(shipper, log, zone):
    shipper.once(log, env={**os.environ, "TZ": zone, "LC_ALL": "tr_TR.UTF-8"})
    counts = shipper.database.counts()
    os.rename(shipper.folder / "shipper.db", shipper.folder / "other.db")
    for left in ("shipper.db-wal", "shipper.db-shm"):
        (shipper.folder / left).unlink(missing_ok=True)
    shipper.once(log, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"})

    assert counts and shipper.database.counts() == counts


def test_with_few_descriptors_every_file_is_read_and_followed(shipper):
    story = Story(92, kinds=())
    files = [shipper.folder / f"f{i}.log" for i in range(100)]
    for file in files:
        file.write_bytes(story.record())
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    done = run_with(shipper, limit, shipper.folder / "*.log")
    for file in files:
        file.rename(f"{file}.1")
        file.write_bytes(story.record())
    again = run_with(shipper, limit, shipper.folder / "*.log")

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert records_of(shipper) == 200
