"""Killing shipper at random moments while its files grow and rotate; used by the test and by the campaign script."""

import random
import time
from dataclasses import dataclass, field

from support.check import assert_nothing_lost, assert_statistics
from support.records import Family, Story


@dataclass
class Report:
    kills: int = 0
    ended_before: int = 0   # runs that were through before the blow fell
    repeated: int = 0
    torn: int = 0
    delays_ms: list = field(default_factory=list)

    def __str__(self):
        spread = f"{min(self.delays_ms):.0f} to {max(self.delays_ms):.0f} ms after the start" if self.delays_ms else ""
        return (f"{self.kills} kills {spread}, {self.ended_before} runs had ended before; "
                f"{self.repeated} lines repeated, {self.torn} torn, 0 lost")


class Campaign:
    """
    Each round: the log grows, is rotated now and then (also while shipper runs), shipper starts (in turn --once and
    as a daemon) and is killed. At the end one run goes through and the statistics must equal the truth.
    """

    def __init__(self, shipper, folder, seed):
        self.chance = random.Random(seed)
        self.shipper = shipper
        self.forwarded = open(folder / "forwarded.ndjson", "w+b")
        self.output = folder / "stdout.ndjson"
        self.story = Story(seed, self.forwarded, burst=1000)
        self.family = Family(folder / "logs")
        self.report = Report()
        self.once_s = self._time_of_a_clean_run()

    def _time_of_a_clean_run(self):
        """How long --once takes for a piece, so that most blows fall while it works."""
        self.grow()
        started = time.monotonic()
        with open(self.output, "ab") as out, self.shipper.start("--once", self.family.pattern(), stdout=out) as child:
            assert child.wait(60) == 0, self.shipper.words()[-2000:]
        return time.monotonic() - started

    def grow(self, most=1500):
        # a record's time may stand in for the next one's, so a piece ends where it likes, also inside a line
        self.family.append(b"".join(self.story.line() for _ in range(self.chance.randrange(1, most))))

    def rotate(self):
        self.story.begin_file()
        self.family.rotate()

    def round(self, number):
        self.grow()
        if self.chance.random() < 0.15:
            self.rotate()
        once = number % 2 == 0
        delay_s = self.chance.uniform(0, self.once_s) if once else self.chance.uniform(0, 1.6)
        arguments = (["--once"] if once else []) + [self.family.pattern()]
        with open(self.output, "ab") as out, self.shipper.start(*arguments, stdout=out) as child:
            started = time.monotonic()
            if self.chance.random() < 0.5:
                time.sleep(delay_s / 2)
                self.grow(300)
                if self.chance.random() < 0.2:
                    self.rotate()
            time.sleep(max(0.0, started + delay_s - time.monotonic()))
            running = child.is_running()
            code = child.kill()
        assert code in (0, -9), f"shipper ended with {code} in round {number}:\n{self.shipper.words()[-2000:]}"
        self.report.kills += running
        self.report.ended_before += not running
        self.report.delays_ms.append(delay_s * 1000)

    def finish(self):
        """The last run goes through; everything is compared."""
        with open(self.output, "ab") as out, self.shipper.start("--once", self.family.pattern(), stdout=out) as child:
            assert child.wait(120) == 0, self.shipper.words()[-2000:]
        assert_statistics(self.shipper.database, self.story.truth)
        self.forwarded.seek(0)
        self.report.repeated, self.report.torn = assert_nothing_lost(self.output.read_bytes(), self.forwarded.read())
        self.forwarded.close()
        return self.report
