"""
`shipper stats --live`: a program's own error statistics, read while it runs and after it was killed. The program says in
shared memory how many calls have returned, and what its n-th record is follows from n: that is the truth. After recovery
the numbers are those that shipper counts in the log.
"""

import json
import os
import random
import signal
import time
from collections import Counter

import pytest

from support.logger import Counters, Restless, log_environment, ring_folder
from support.processes import run, wait_until
from support.shipper import Shipper

THREADS = 2
TYPES = 60


def kind(n):
    """Level and type of the n-th record of a thread: see restless.c. It is that of record n + PERIOD too."""
    if n % 3 == 0:
        return "ERROR", f"Type{n % TYPES}"
    if n % 97 == 0:
        return "ERROR", "OperationalError"
    return "WARNING" if n % 5 == 0 else "INFO", None


PERIOD = 97 * TYPES
ONE_PERIOD = Counter(kind(n) for n in range(PERIOD))


def truth(returned):
    """What threads that have made so many calls have logged: by level, and errors by type."""
    levels, types = Counter(), Counter()
    for count in returned:
        kinds = Counter(kind(n) for n in range(1, count % PERIOD + 1))
        for each, times in ONE_PERIOD.items():
            kinds[each] += count // PERIOD * times
        for (level, type_), times in kinds.items():
            levels[level] += times
            if type_:
                types[type_] += times
    return levels, types


def positive(counts):
    return {key: count for key, count in counts.items() if count}


def live(build, log, *options):
    done = run([build / "shipper" / "shipper", "stats", "--live", log, *options]).expect(0)
    return json.loads(done.out)


def of_run(stats, run_id):
    return next(process for process in stats["processes"] if process["run_id"] == run_id)


def between(counted, least, most):
    """Each number lies between what had certainly been logged and what can have been."""
    for low, high, found in zip(least, most, (counted["error_counts"], counted["error_types"])):
        for key in {*low, *high, *positive(found)}:
            assert low[key] <= found.get(key, 0) <= high[key], (key, low[key], found.get(key, 0), high[key])


def expect_returned(counted, returned, threads=THREADS):
    """All calls that had returned, and of each thread at most the one that had not."""
    between(counted, truth(returned), truth([count + 1 for count in returned]))
    assert 0 <= sum(counted["error_counts"].values()) - sum(returned) <= threads


def what_shipper_counts(build, log, folder):
    shipper = Shipper(build / "shipper" / "shipper", folder)
    shipper.once(log).expect(0)
    return json.loads(shipper.run("stats").expect(0).out)


def expect_equal(stats, counted):
    assert positive(stats["error_counts"]) == positive(counted["error_counts"])
    assert stats["error_types"] == counted["error_types"]
    assert stats["total_errors"] == counted["total_errors"]


def kill_once(build, log, folder, chance, **settings):
    counters = Counters(folder / "counters")
    with Restless(build, log, counters, THREADS, types=TYPES, **settings) as logger:
        wait_until(logger.has_logged, what="the first records", every_s=0.001)
        time.sleep(chance.uniform(0, 0.03))
        assert logger.kill() == -9
    result = counters.run_id(), counters.returned(THREADS)
    counters.close()
    return result


def recover_with_kills(build, log, chance):
    """Recoverers that are killed on their way, and one that is not."""
    from support.processes import Child

    for _ in range(2):
        with Child([build / "shipper" / "shipper", "recover", log]) as recoverer:
            time.sleep(chance.uniform(0, 0.01))
            recoverer.kill()
    run([build / "shipper" / "shipper", "recover", log]).expect(0)


@pytest.mark.parametrize("ring_size", ["64KB", "1MB"])
@pytest.mark.parametrize("seed", [1, 2])
def test_statistics_of_killed_programs_are_those_of_their_logs(build, tmp_path, ring_size, seed):
    """Eight kills a folder: asked before anybody has finished the ring, and after; recoverers are killed too."""
    chance = random.Random(seed)
    log = tmp_path / "app.log"
    for _ in range(8):
        run_id, returned = kill_once(build, log, tmp_path, chance, LOG_RING_SIZE=ring_size)
        before = of_run(live(build, log), run_id)
        assert not before["alive"] and before["settled"]
        expect_returned(before, returned)
        recover_with_kills(build, log, chance)
        after = of_run(live(build, log), run_id)
        expect_equal(after, before)
        assert after["unwritten"] == 0
    stats = live(build, log)
    assert len(stats["processes"]) == 8
    expect_equal(stats, what_shipper_counts(build, log, tmp_path / "state"))


def test_a_program_stopped_anywhere_is_read_at_that_moment(build, tmp_path):
    """SIGSTOP in the middle of calls and of the writer's work: every call that had returned is counted, once."""
    chance = random.Random(5)
    log = tmp_path / "app.log"
    counters = Counters(tmp_path / "counters")
    with Restless(build, log, counters, THREADS, types=TYPES, LOG_RING_SIZE="64KB") as logger:
        wait_until(logger.has_logged, what="the first records")
        for _ in range(12):
            time.sleep(chance.uniform(0, 0.004))
            os.kill(logger.pid, signal.SIGSTOP)
            wait_until(lambda: state_of(logger.pid) == "T", what="the program to stop")
            counted = of_run(live(build, log), counters.run_id())
            assert counted["alive"] and counted["settled"]
            expect_returned(counted, counters.returned(THREADS))
            os.kill(logger.pid, signal.SIGCONT)
    counters.close()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def test_two_programs_are_read_while_they_log_their_sum_and_each(build, tmp_path):
    log = tmp_path / "app.log"
    counters = [Counters(tmp_path / f"counters{i}") for i in range(2)]
    with Restless(build, log, counters[0], THREADS, types=TYPES) as first, \
            Restless(build, log, counters[1], THREADS, types=TYPES, pause_us=500) as second:
        wait_until(lambda: first.has_logged() and second.has_logged(), what="the first records")
        for _ in range(6):
            before = [c.returned(THREADS) for c in counters]
            stats = live(build, log)
            after = [c.returned(THREADS) for c in counters]
            assert len(stats["processes"]) == 2
            for i, c in enumerate(counters):
                counted = of_run(stats, c.run_id())
                assert counted["alive"]
                if counted["settled"]:
                    between(counted, truth(before[i]), truth([count + 1 for count in after[i]]))
            assert of_run(stats, counters[1].run_id())["settled"]
            for key in ("INFO", "WARNING", "ERROR"):
                assert stats["error_counts"][key] == sum(p["error_counts"][key] for p in stats["processes"])
            assert stats["total_errors"] == sum(p["total_errors"] for p in stats["processes"])
        assert first.terminate() == 0 and second.terminate() == 0
    stats = live(build, log)
    assert not any(process["alive"] for process in stats["processes"])
    for c in counters:
        assert of_run(stats, c.run_id())["error_counts"]["ERROR"] == truth(c.returned(THREADS))[0]["ERROR"]
        c.close()
    expect_equal(stats, what_shipper_counts(build, log, tmp_path / "state"))


def ended(build, log, folder, records=30, **settings):
    """A program that logs and ends; gives its run."""
    counters = Counters(folder / "counters")
    with Restless(build, log, counters, 1, records=records, types=TYPES, **settings) as logger:
        assert logger.wait(30) == 0
    run_id = counters.run_id()
    counters.close()
    return run_id


def test_a_window_tells_of_the_last_time_only(build, tmp_path):
    log = tmp_path / "app.log"
    ended(build, log, tmp_path)
    assert live(build, log, "--window", "1h")["total_errors"] == 10
    time.sleep(2.1)
    assert live(build, log, "--window", "1s")["total_errors"] == 0
    assert live(build, log, "--window", "1s")["recent"] == []
    assert live(build, log, "--window", "1d")["error_counts"]["INFO"] == live(build, log)["error_counts"]["INFO"]


def test_the_table_shows_counts_processes_and_the_latest_errors(build, tmp_path):
    log = tmp_path / "app.log"
    run_id = ended(build, log, tmp_path)
    shown = run([build / "shipper" / "shipper", "stats", "--live", log, "--format", "table"]).expect(0).out.decode()
    assert run_id in shown and "over" in shown and "restless" in shown
    assert any(line.split() == ["Type3", "1"] for line in shown.splitlines())
    assert any(line.split() == ["ERROR", "10"] for line in shown.splitlines())
    assert "Type30: one of many (restless.c:" in shown


def test_the_latest_errors_are_the_last_of_the_log(build, tmp_path):
    log = tmp_path / "app.log"
    ended(build, log, tmp_path, records=900)
    errors = [record for record in map(json.loads, log.read_text().splitlines()) if record["level"] == "ERROR"]
    recent = live(build, log)["recent"]
    assert len(recent) == 128
    for shown, record in zip(recent, reversed(errors)):
        assert shown["seq"] == record["seq"] and shown["timestamp"] == record["timestamp"]
        assert shown["type"] == record["exception"]["type"] and shown["message"] == record["message"]
        assert shown["source"] == f"{record['source']['file']}:{record['source']['line']}"


def test_rings_elsewhere_are_found_by_their_folder(build, tmp_path):
    log = tmp_path / "app.log"
    rings = tmp_path / "rings"
    rings.mkdir()
    run_id = ended(build, log, tmp_path, LOG_RING_DIR=str(rings))
    assert of_run(live(build, log, "--ring-dir", rings), run_id)["total_errors"] == 10
    shipper = build / "shipper" / "shipper"
    assert run([shipper, "stats", "--live", log]).code == 66


def test_what_cannot_be_answered_is_refused_with_its_code(build, tmp_path):
    shipper = build / "shipper" / "shipper"
    log = tmp_path / "app.log"
    none = run([shipper, "stats", "--live", log])
    assert none.code == 66 and "LOG_002" in none.err
    ended(build, log, tmp_path, LOG_STATS="off")
    assert run([shipper, "stats", "--live", log]).code == 66
    assert run([shipper, "stats", "--live", log, "--db", "x"]).code == 64
    assert run([shipper, "stats", "--window", "5m"]).code == 64
    assert run([shipper, "stats", "--live", log, "--window", "25h"]).code == 64


def test_a_damaged_file_harms_only_itself(build, tmp_path):
    log = tmp_path / "app.log"
    run_id = ended(build, log, tmp_path)
    path = ring_folder(log) / f"{run_id}.stats"
    whole = path.read_bytes()
    (ring_folder(log) / "other.stats").write_bytes(whole[:5000])
    (ring_folder(log) / "folder.stats").mkdir()
    stats = live(build, log)
    assert stats["damaged"] == 2 and stats["total_errors"] == 10
    path.write_bytes(b"x" + whole[1:])
    done = run([build / "shipper" / "shipper", "stats", "--live", log])
    assert done.code == 65 and "LOG_001" in done.err
    chance = random.Random(9)
    for _ in range(20):  # whatever stands in it: an answer or a refusal, never a crash
        torn = bytearray(whole)
        for _ in range(2000):
            torn[chance.randrange(24, len(torn))] = chance.randrange(256)
        path.write_bytes(torn[:chance.choice([len(torn), len(torn), 40000])])
        assert run([build / "shipper" / "shipper", "stats", "--live", log]).code in (0, 65)


def test_a_ring_that_cannot_be_believed_leaves_what_was_counted(build, tmp_path):
    log = tmp_path / "app.log"
    run_id, returned = kill_once(build, log, tmp_path, random.Random(3))
    run([build / "shipper" / "shipper", "recover", log]).expect(0)
    (ring_folder(log) / f"{run_id}.1.ring").write_bytes(b"LLRING\n\0 and then nothing")
    counted = of_run(live(build, log), run_id)
    assert not counted["settled"]
    expect_returned(counted, returned)


def test_statistics_go_on_in_one_run_and_a_new_program_begins_at_zero(build, tmp_path):
    log = tmp_path / "app.log"
    first, second = (ended(build, log, tmp_path) for _ in range(2))
    stats = live(build, log)
    assert [of_run(stats, run_id)["total_errors"] for run_id in (first, second)] == [10, 10]
    assert stats["total_errors"] == 20
    for _ in range(10):
        ended(build, log, tmp_path)
    assert len(live(build, log)["processes"]) <= 9  # the latest 8, and those that ended since somebody opened the log


def test_log_environment_is_not_needed_to_ask(build, tmp_path):
    log = tmp_path / "app.log"
    ended(build, log, tmp_path)
    done = run([build / "shipper" / "shipper", "stats", "--live", "app.log"], cwd=tmp_path, env=log_environment(log))
    assert json.loads(done.expect(0).out)["total_errors"] == 10


def test_a_crash_counts_once_and_its_mark_is_the_only_one_that_does(build, tmp_path):
    log = tmp_path / "app.log"
    run([build / "tests" / "loggers" / "crasher", "segv"], cwd=tmp_path, env=log_environment(log)).expect(-signal.SIGSEGV)
    before = live(build, log)
    run([build / "shipper" / "shipper", "recover", log]).expect(0)
    stats = live(build, log)
    expect_equal(stats, before)
    assert stats["error_counts"]["CRITICAL"] == 1 and stats["error_types"] == {"SIGSEGV": 1}
    assert stats["recent"][0]["type"] == "SIGSEGV"
    marks = [record.get("mark") for record in map(json.loads, log.read_text().splitlines())]
    assert "recovered" in marks  # a WARNING in the log, and in no statistics
    expect_equal(stats, what_shipper_counts(build, log, tmp_path / "state"))
