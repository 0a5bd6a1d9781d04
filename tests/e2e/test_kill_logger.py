"""
kill -9 of a program that logs from two threads and never pauses: after recovery every call that had returned is in the
log, once, in whole lines, with seq 1, 2, 3 … and no gap. 200 kills over these tests, each at a random moment.
"""

import random
import time
from contextlib import ExitStack

import pytest

from support.logger import Account, Counters, Follower, Restless, ring_files
from support.logger_kills import LoggerCampaign
from support.processes import run, wait_until
from support.shipper import Shipper
from support.writer import Logrotate, generations, read_generations

THREADS = 2


def kill_once(build, log, folder, chance, threads=THREADS, most_s=0.03, **settings):
    """Starts the logger, kills it at a random moment after its first records. Gives (run_id, returned calls)."""
    counters = Counters(folder / "counters")
    with Restless(build, log, counters, threads, **settings) as logger:
        wait_until(logger.has_logged, what="the first records", every_s=0.001)
        time.sleep(chance.uniform(0, most_s))
        assert logger.kill() == -9
    result = counters.run_id(), counters.returned(threads)
    counters.close()
    return result


def recover(build, log):
    return run([build / "shipper" / "shipper", "recover", log])


def test_shipper_recover_brings_back_all_that_a_killed_program_had_logged(build, tmp_path):
    chance = random.Random(80)
    account = Account()
    log = tmp_path / "app.log"
    follower = Follower(log)
    for _ in range(70):
        run_id, returned = kill_once(build, log, tmp_path, chance)
        recover(build, log).expect(0)
        account.read(follower.more())
        account.settle(run_id, returned)
    assert account.marks.get("recovered") == 70
    print(f"70 kills, {account.records} records, 0 lost, 0 twice")


@pytest.mark.parametrize("seed", range(7))
def test_the_next_start_of_the_program_brings_back_all_that_the_killed_one_had_logged(build, tmp_path, seed):
    """A chain of ten: each start finds what the kill before has left, the last one ends cleanly."""
    chance = random.Random(seed)
    log = tmp_path / "app.log"
    killed = [kill_once(build, log, tmp_path, chance) for _ in range(10)]
    counters = Counters(tmp_path / "counters")
    with Restless(build, log, counters, THREADS, records=10) as last:
        assert last.wait(30) == 0
    account = Account()
    account.read(log.read_bytes())
    for run_id, returned in killed + [(counters.run_id(), [10] * THREADS)]:
        account.settle(run_id, returned)
    assert account.marks == {"recovered": 10, "close": 1}


def test_a_ring_of_64_kib_that_is_always_full_loses_nothing_either(build, tmp_path):
    chance = random.Random(82)
    account = Account()
    log = tmp_path / "app.log"
    follower = Follower(log)
    for _ in range(30):
        run_id, returned = kill_once(build, log, tmp_path, chance, LOG_RING_SIZE="64KB")
        recover(build, log).expect(0)
        account.read(follower.more())
        account.settle(run_id, returned)


def test_a_log_rotated_by_logrotate_between_the_kills_holds_each_record_once(build, tmp_path):
    chance = random.Random(83)
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "app.log"
    logrotate = Logrotate(tmp_path, log, "create 0644")
    killed = []
    for number in range(30):
        counters = Counters(tmp_path / "counters")
        with Restless(build, log, counters, THREADS) as logger:
            wait_until(logger.has_logged, what="the first records", every_s=0.001)
            time.sleep(chance.uniform(0, 0.01))
            logrotate.rotate()  # the log is renamed under the running program
            time.sleep(chance.uniform(0, 0.02))
            assert logger.kill() == -9
        killed.append((counters.run_id(), counters.returned(THREADS)))
        counters.close()
        if number % 3 == 0:
            logrotate.rotate()  # between death and recovery
        recover(build, log).expect(0)
    assert len(generations(log)) == 41
    account = Account()
    account.read(read_generations(log))
    for run_id, returned in killed:
        account.settle(run_id, returned)


def test_recovery_that_is_killed_itself_neither_loses_nor_repeats(build, tmp_path):
    chance = random.Random(84)
    account = Account()
    log = tmp_path / "app.log"
    follower = Follower(log)
    kills = 0
    for _ in range(20):
        run_id, returned = kill_once(build, log, tmp_path, chance)
        for _ in range(3):
            with Shipper(build / "shipper" / "shipper", tmp_path).start_command("recover", log) as child:
                time.sleep(chance.uniform(0, 0.01))
                kills += child.kill() == -9
        recover(build, log).expect(0)
        account.read(follower.more())
        account.settle(run_id, returned)
    assert kills > 10


def test_shipper_leaves_the_ring_of_a_living_program_alone(build, tmp_path):
    log = tmp_path / "app.log"
    counters = Counters(tmp_path / "counters")
    with Restless(build, log, counters, THREADS, pause_us=500) as logger:
        wait_until(logger.has_logged, what="the first records")
        for _ in range(5):
            recover(build, log).expect(0)
        assert logger.is_running()
        assert logger.terminate() == 0
    account = Account()
    account.read(log.read_bytes())
    account.settle(counters.run_id(), counters.returned(THREADS))
    assert account.marks == {"close": 1}


def test_a_clean_end_leaves_no_ring_behind_and_says_how_many_records_there_are(build, tmp_path):
    log = tmp_path / "app.log"
    counters = Counters(tmp_path / "counters")
    with Restless(build, log, counters, THREADS, records=5000) as logger:
        assert logger.wait(60) == 0
    account = Account()
    account.read(log.read_bytes())
    account.settle(counters.run_id(), [5000, 5000])
    assert account.last_seq[counters.run_id()] == 10001 and account.marks == {"close": 1}
    assert ring_files(log) == []


def test_shipper_run_finishes_the_rings_of_dead_programs_before_it_reads(build, shipper, tmp_path):
    log = tmp_path / "app.log"
    run_id, returned = kill_once(build, log, tmp_path, random.Random(85))

    shipper.once(log).expect(0)

    account = Account()
    account.read(log.read_bytes())
    last_seq = account.last_seq[run_id]
    account.settle(run_id, returned)
    found = shipper.database.runs()[run_id]
    assert {name: found[name] for name in ("first_seq", "last_seq", "records", "missing", "duplicates", "ended")} == {
        "first_seq": 1, "last_seq": last_seq, "records": last_seq, "missing": 0, "duplicates": 0, "ended": "killed"}


def test_shipper_that_follows_counts_each_record_of_killed_and_recovered_programs_once(build, shipper, tmp_path):
    """What a kill leaves half-written is repaired under the eyes of shipper, which may have read the first half."""
    chance = random.Random(87)
    log = tmp_path / "app.log"
    log.touch()
    output = tmp_path / "stdout.ndjson"
    killed = []
    with open(output, "wb") as out, shipper.start(log, stdout=out) as daemon:
        for _ in range(20):
            killed.append(kill_once(build, log, tmp_path, chance, most_s=0.01))
            recover(build, log).expect(0)
        account = Account()
        account.read(log.read_bytes())
        last_seqs = dict(account.last_seq)
        for run_id, returned in killed:
            account.settle(run_id, returned)
        wait_until(lambda: sum(run["records"] for run in shipper.database.runs().values()) >= account.records,
                   what="that all is counted")
        assert daemon.terminate() == 0, shipper.words()

    found = shipper.database.runs()
    facts = ("first_seq", "last_seq", "records", "missing", "duplicates", "ended")
    assert {run_id: tuple(run[fact] for fact in facts) for run_id, run in found.items()} == {
        run_id: (1, last, last, 0, 0, "killed") for run_id, last in last_seqs.items()}
    assert sum(shipper.database.counts(86400).values()) == account.records - account.marks["recovered"]
    assert output.read_bytes() == log.read_bytes()


PROCESSES = 3


@pytest.mark.parametrize("seed", range(30))
def test_three_programs_on_one_file_write_whole_lines_and_survive_each_others_death(build, tmp_path, seed):
    """They die one after the other within milliseconds: the next one, or recovery, finds several half-done writes."""
    chance = random.Random(seed)
    log = tmp_path / "app.log"
    counters = [Counters(tmp_path / f"counters-{i}") for i in range(PROCESSES)]
    with ExitStack() as stack:
        loggers = [stack.enter_context(Restless(build, log, each, THREADS)) for each in counters]
        for logger in loggers:
            wait_until(logger.has_logged, what="the first records", every_s=0.001)
        time.sleep(chance.uniform(0, 0.004))
        for logger in chance.sample(loggers, PROCESSES):
            logger.process.kill()
            time.sleep(chance.choice((0, 0, chance.uniform(0, 0.004))))
    recover(build, log).expect(0)
    account = Account()
    account.read(log.read_bytes())
    for each in counters:
        account.settle(each.run_id(), each.returned(THREADS))


def test_forty_kills_in_all_situations_lose_and_repeat_nothing(build, tmp_path):
    """The beginning of campaign_kill_logger.py: bursts, rotations, two processes, both ring sizes, killed recoverers."""
    campaign = LoggerCampaign(build, tmp_path / "campaign", seed=86)
    while sum(campaign.kills.values()) < 40:
        campaign.round()
    assert campaign.recoverers_killed > 5
    print(campaign)
