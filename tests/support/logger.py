"""Programs that log through liblog, run and killed; and the account of what their log must hold."""

import json
import mmap
import os
import struct
import subprocess
from pathlib import Path

from support.processes import Child, clean_environment, run

THREADS_MAX = 8
RUN_ID_SIZE = 40
COUNTERS_SIZE = RUN_ID_SIZE + 8 * THREADS_MAX


def log_environment(log, **settings):
    """LOG_FILE and more LOG_ variables: log_environment(path, LOG_LEVEL="trace")."""
    return clean_environment(LOG_FILE=str(log), **settings)


def showcase(build, case, log, **settings):
    """Runs one case of showcase.c to its end and gives the log's records."""
    run([build / "tests" / "loggers" / "showcase", case], env=log_environment(log, **settings)).expect(0)
    return [json.loads(line) for line in Path(log).read_bytes().decode().splitlines()]


class Counters:
    """What restless.c counts in shared memory: the run's id, and for each thread the number of returned calls."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.write_bytes(bytes(COUNTERS_SIZE))
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), COUNTERS_SIZE)

    def run_id(self):
        return self.memory[:RUN_ID_SIZE].split(b"\0")[0].decode()

    def returned(self, threads):
        return list(struct.unpack_from(f"{threads}Q", self.memory, RUN_ID_SIZE))

    def close(self):
        self.memory.close()
        self.path.unlink()


class Restless(Child):
    """The program that never pauses, on a log of the test's."""

    def __init__(self, build, log, counters, threads=2, pause_us=0, records=None, types=0,
                 stderr=subprocess.DEVNULL, **settings):
        self.counters = counters
        self.threads = threads
        command = [build / "tests" / "loggers" / "restless", counters.path, threads, pause_us]
        more = [records or 2**63, types] if records or types else []
        super().__init__(command + more, env=log_environment(log, **settings), stderr=stderr)

    def has_logged(self):
        assert self.is_running() or self.process.returncode == 0, f"the logger ended with {self.process.returncode}"
        return all(self.counters.returned(self.threads))


class Account:
    """
    Reads a log as it grows and checks every line: whole JSON; seq of each run 1, 2, 3 …; the numbers of each thread 1, 2,
    3 … in the order of their calls. `settle` compares a run's numbers with what the program had counted. Runs in `may_drop`
    may leave records out, and say how many.
    """

    def __init__(self):
        self.last_seq = {}
        self.last_n = {}      # (run, thread) -> n
        self.records = 0
        self.marks = {}
        self.may_drop = set()
        self.dropped = {}     # run -> as told
        self.found = {}       # run -> records of the program's own
        self.errors = {}      # run -> seq of each record that the errors file repeats
        self._rest = b""

    def read(self, data):
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take(line)

    def _take(self, line):
        try:
            record = json.loads(line)
        except ValueError:
            raise AssertionError(f"a line is no whole record: {line[:200]!r}") from None
        run_id, seq = record["run_id"], record["seq"]
        expected = self.last_seq.get(run_id, 0) + 1
        assert seq == expected, f"run {run_id}: seq {seq} where {expected} was due"
        self.last_seq[run_id] = seq
        self.records += 1
        if "mark" in record:
            self.marks[record["mark"]] = self.marks.get(record["mark"], 0) + 1
            if record["mark"] == "dropped":
                assert run_id in self.may_drop, f"records were dropped: {line[:300]!r}"
                self.dropped[run_id] = self.dropped.get(run_id, 0) + record["dropped"]["count"]
            return
        if record["level"] in ("ERROR", "CRITICAL"):
            self.errors.setdefault(run_id, []).append(seq)
        place = (run_id, record["fields"]["thread"])
        n, last = record["fields"]["n"], self.last_n.get(place, 0)
        assert n == last + 1 or (n > last and run_id in self.may_drop), f"{place}: record {n} after {last}"
        self.last_n[place] = n
        self.found[run_id] = self.found.get(run_id, 0) + 1

    def settle(self, run_id, returned):
        """Nothing of what had returned is missing; one call more may have been under way in each thread."""
        assert not self._rest, f"the log ends in the middle of a line: {self._rest[:200]!r}"
        if run_id in self.may_drop:
            found, dropped = self.found.get(run_id, 0), self.dropped.get(run_id, 0)
            assert sum(returned) <= found + dropped <= sum(returned) + len(returned), \
                f"run {run_id}: {sum(returned)} calls had returned, {found} records are there, {dropped} dropped"
            return
        for thread, count in enumerate(returned):
            found = self.last_n.pop((run_id, thread), 0)
            assert found in (count, count + 1), f"run {run_id}, thread {thread}: {count} calls had returned, {found} are there"


def copies_of(data):
    """Of an errors file, the seq of each record by run: every line whole, and marked as a copy."""
    copies = {}
    for line in data.splitlines(keepends=True):
        assert line.endswith(b"\n"), f"the errors file ends in the middle of a line: {line[:200]!r}"
        record = json.loads(line)
        assert record["copy"] is True
        copies.setdefault(record["run_id"], []).append(record["seq"])
    return copies


class Follower:
    """Gives what was appended to a file since it was last asked."""

    def __init__(self, path):
        self.path = Path(path)
        self.offset = 0

    def more(self):
        if not self.path.exists():
            return b""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        return data


def ring_folder(log):
    log = Path(log)
    return log.with_name(f".{log.name}.ll")


def ring_files(log):
    """The rings that lie beside a log; the lock of its writers and the statistics of its runs stay there."""
    folder = ring_folder(log)
    return sorted(name for name in os.listdir(folder) if name.endswith((".ring", ".new"))) if folder.exists() else []
