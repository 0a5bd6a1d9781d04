"""Killing programs that log, again and again, in every situation; used by the test and by the campaign script."""

import os
import random
import shutil
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from support.logger import Account, Counters, Restless, copies_of
from support.processes import Child, run, wait_until
from support.writer import read_generations

THREADS = 2
OVERFLOWS = ("block", "drop", "sync")
SITUATIONS = ("at full speed", "in a pause between bursts", "in a rotation", "two processes")
ENDS = ("recovered", "recovered by killed ones first", "opened again")
MOST_S = 0.012


class Life:
    """One program on the log, from its first record to its violent death."""

    def __init__(self, campaign, number, overflow, ring, pause_us):
        self.overflow = overflow
        self.counters = Counters(campaign.folder / f"counters{number}")
        self.process = Restless(campaign.build, campaign.log, self.counters, THREADS, pause_us,
                                LOG_OVERFLOW=overflow, LOG_RING_SIZE=ring, LOG_ERROR_FILE=str(campaign.errors))

    def end(self, account):
        """(run_id, returned calls)"""
        run_id, returned = self.counters.run_id(), self.counters.returned(THREADS)
        self.counters.close()
        if self.overflow == "drop":
            account.may_drop.add(run_id)
        return run_id, returned


class LoggerCampaign:
    """
    Each round is a new log: one to three times a program, or two at once, logs to it without a pause or in bursts, and
    is killed at a random moment, also while the log is rotated. In between the next start, or a recoverer that may be
    killed itself, finishes what was left. In the end every call that had returned is in the log, once.
    """

    def __init__(self, build, folder, seed, overflows=OVERFLOWS):
        self.build, self.top, self.overflows = Path(build), Path(folder), overflows
        self.chance = random.Random(seed)
        self.kills = Counter()
        self.recoverers_killed = 0
        self.records = 0
        self.dropped = 0
        self.folder = None

    def round(self):
        self.folder = self.top / "round"
        (self.folder / "logs").mkdir(parents=True)
        self.log = self.folder / "logs" / "app.log"
        self.errors = self.folder / "logs" / "errors.log"
        account = Account()
        ended = [life for _ in range(self.chance.randrange(1, 4)) for life in self._kill_one_round(account)]
        self._recover(self.chance.choice(ENDS[:2]))
        account.read(read_generations(self.log))
        for run_id, returned in ended:
            account.settle(run_id, returned)
        self._check_copies(account)
        self.records += account.records
        self.dropped += sum(account.dropped.values())
        shutil.rmtree(self.folder)

    def _kill_one_round(self, account):
        situation = self.chance.choice(SITUATIONS)
        overflow, ring = self.chance.choice(self.overflows), self.chance.choice(("64KB", "1MB"))
        pause_us = self.chance.choice((50, 500)) if situation == "in a pause between bursts" else 0
        with ExitStack() as stack:
            lives = [Life(self, number, overflow, ring, pause_us)
                     for number in range(2 if situation == "two processes" else 1)]
            for life in lives:
                stack.enter_context(life.process)
            for life in lives:
                wait_until(life.process.has_logged, what="the first records", every_s=0.0005)
            time.sleep(self.chance.uniform(0, MOST_S))
            if situation == "in a rotation":
                self._rotate()
                time.sleep(self.chance.uniform(0, 0.002))
            for life in lives:
                assert life.process.kill() == -9
                self.kills[f"{situation}, {overflow}, {ring}"] += 1
        end = self.chance.choice(ENDS)
        if end != "opened again":
            self._recover(end)
        return [life.end(account) for life in lives]

    def _rotate(self):
        """As logrotate does it: the older ones move up, the log becomes the first, a new one is made."""
        generations = sorted(self.log.parent.glob("app.log.*"), key=lambda path: -int(path.suffix[1:]))
        for path in generations:
            path.rename(path.with_suffix(f".{int(path.suffix[1:]) + 1}"))
        self.log.rename(self.log.with_name("app.log.1"))
        os.close(os.open(self.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o640))

    def _recover(self, how):
        command = [self.build / "tests" / "loggers" / "finish", self.log, self.errors]
        if how != "recovered":
            for _ in range(self.chance.randrange(1, 4)):
                with Child(command) as child:
                    time.sleep(self.chance.uniform(0, 0.006))
                    self.recoverers_killed += child.kill() == -9
        run(command).expect(0)

    def _check_copies(self, account):
        """The errors file has each ERROR record of the log once, whole, in the same order within a run."""
        copies = copies_of(self.errors.read_bytes() if self.errors.exists() else b"")
        for run_id in copies.keys() | account.errors.keys():
            assert copies.get(run_id, []) == account.errors.get(run_id, []), f"run {run_id}: the copies are not its errors"

    def __str__(self):
        kills = "\n".join(f"{count:6} {what}" for what, count in sorted(self.kills.items()))
        return (f"{kills}\n{sum(self.kills.values())} kills of loggers, {self.recoverers_killed} of recoverers; "
                f"{self.records} records, {self.dropped} dropped as told; 0 lost, 0 twice")
