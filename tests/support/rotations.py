"""Rotating a log in every style while a program writes it, shipper follows it and is killed; used by the test and by the
campaign script."""

import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from support.check import assert_nothing_lost, assert_statistics
from support.processes import wait_until
from support.records import Story, compress
from support.writer import Writer

# A rotation between two lines: a record whose time stands in for the next one's may be in the file before.
KINDS = Story.KINDS - {"bad_time"}
GENERATIONS_MAX = 120  # so many that shipper, killed or not, has read the oldest long before it goes


@dataclass
class Report:
    rotations: int = 0
    kills: int = 0
    records: int = 0
    repeated: int = 0
    torn: int = 0

    def __str__(self):
        return (f"{self.rotations} rotations under load, {self.kills} kills: {self.records} records, 0 lost, 0 counted twice"
                f" ({self.repeated} lines forwarded again after a kill, {self.torn} torn by one)")


class Rotator:
    """app.log and its generations, app.log.1 the youngest; some are compressed, the oldest goes."""

    def __init__(self, log, writer, chance):
        self.log = log
        self.writer = writer
        self.chance = chance
        self.endings = []  # of app.log.1, app.log.2 …: "", ".gz", ".zst"

    def path(self, number):
        return self.log.with_name(f"{self.log.name}.{number}{self.endings[number - 1]}")

    def rotate(self):
        self._make_room()
        if self.chance.random() < 0.6:
            self._rename()
        else:
            self._copytruncate()
        if self.chance.random() < 0.5 and len(self.endings) > 2:
            self._compress(self.chance.randrange(2, min(len(self.endings), 5) + 1))

    def _make_room(self):
        if len(self.endings) == GENERATIONS_MAX:
            self.path(GENERATIONS_MAX).unlink()
            self.endings.pop()
        for number in range(len(self.endings), 0, -1):
            self.path(number).rename(self.log.with_name(f"{self.log.name}.{number + 1}{self.endings[number - 1]}"))
        self.endings.insert(0, "")

    def _rename(self):
        self.log.rename(self.path(1))  # the program opens the log anew for each piece

    def _copytruncate(self):
        """What is written between copy and truncation is lost by design, so the program waits; shipper does not."""
        with self.writer.lock:
            with open(self.log, "r+b") as live, open(self.path(1), "wb") as copy:
                for piece in iter(lambda: live.read(1 << 14), b""):
                    copy.write(piece)
                copy.flush()
                time.sleep(self.chance.choice((0, 0, 0.01)))
                live.truncate(0)

    def _compress(self, number):
        plain = self.path(number)
        if self.endings[number - 1]:
            return
        ending = self.chance.choice((".gz", ".zst"))
        packed = plain.with_name(plain.name + ending)
        if ending == ".gz":
            compress(plain, packed)
        else:
            subprocess.run(["zstd", "-q", "--rm", plain, "-o", packed], check=True, timeout=60)
        self.endings[number - 1] = ending


class Campaign:
    """shipper follows, is killed now and then and started again at once or a moment later; at the end the statistics must
    equal the truth, and every record must have been forwarded."""

    def __init__(self, shipper, folder, seed):
        self.chance = random.Random(seed)
        self.shipper = shipper
        self.folder = Path(folder)
        self.output = self.folder / "stdout.ndjson"
        self.forwarded = open(self.folder / "forwarded.ndjson", "w+b")
        self.story = Story(seed, self.forwarded, KINDS, burst=1000)
        self.log = self.folder / "logs" / "app.log"
        self.log.parent.mkdir()
        self.config = shipper.write_config([{"paths": [str(self.log)]}],
                                           [{"name": "out", "type": "stdout", "start_at": "beginning"}])
        self.report = Report()

    def _start(self):
        with open(self.output, "ab") as out:
            return self.shipper.start("-c", self.config, stdout=out)

    def _kill(self, child):
        assert child.is_running(), self.shipper.words()[-2000:]
        child.kill()
        self.report.kills += 1
        time.sleep(self.chance.choice((0, 0, 0.2)))
        return self._start()

    def run(self, rotations, kills, tell=lambda report: None):
        child = self._start()
        blows = set(self.chance.sample(range(rotations), kills))
        try:
            with Writer(self.story, self.log, lines_per_second=3000) as writer:
                wait_until(self.log.exists, what="the first line")
                rotator = Rotator(self.log, writer, self.chance)
                for number in range(rotations):
                    time.sleep(self.chance.uniform(0.02, 0.4))  # kills are further apart than commits, most of them
                    wait_until(self.log.exists, what="the next line")
                    rotator.rotate()
                    self.report.rotations += 1
                    if number in blows:
                        time.sleep(self.chance.uniform(0, 0.05))
                        child = self._kill(child)
                    tell(self.report)
            self._finish(child)
        finally:
            if child.is_running():
                child.kill()
        return self.report

    def _counted(self):
        rows = self.shipper.database.query("SELECT name FROM sqlite_schema WHERE name = 'source'")
        return self.shipper.database.source_totals()["records"] if rows else 0

    def _finish(self, child):
        wanted = self.story.truth.totals["records"]
        wait_until(lambda: self._counted() >= wanted, timeout_s=60, what=f"that all {wanted} records are counted")
        assert child.terminate() == 0, self.shipper.words()[-2000:]
        assert_statistics(self.shipper.database, self.story.truth)
        self.forwarded.seek(0)
        self.report.repeated, self.report.torn = assert_nothing_lost(self.output.read_bytes(), self.forwarded.read())
        self.report.records = wanted
        self.forwarded.close()
