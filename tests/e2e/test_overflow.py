"""
Each way to treat a full ring, over kill -9: the records in the log and those announced as dropped are together the calls
that had returned, by thread and level. The counters lie in the ring, so a death announces them too.
"""

import json
import random
import time
from collections import Counter

import pytest

from support.logger import Counters, Restless
from support.processes import run, wait_until

THREADS = 4


def account(log):
    """{run_id: (records, dropped)}; every line is whole JSON and every seq of a run is there once."""
    records, dropped, last_seq = Counter(), Counter(), {}
    for line in log.read_bytes().splitlines():
        record = json.loads(line)
        run_id = record["run_id"]
        assert record["seq"] == last_seq.get(run_id, 0) + 1
        last_seq[run_id] = record["seq"]
        if record.get("mark") == "dropped":
            assert record["dropped"]["reason"] == "overflow"
            dropped[run_id] += record["dropped"]["count"]
        records[run_id] += "mark" not in record
    return records, dropped


@pytest.mark.parametrize("overflow", ["block", "drop", "sync"])
def test_records_and_dropped_are_together_the_calls_made_also_when_killed(build, tmp_path, overflow):
    chance = random.Random(overflow)
    log = tmp_path / "app.log"
    returned = {}
    for _ in range(12):
        counters = Counters(tmp_path / "counters")
        with Restless(build, log, counters, THREADS, LOG_OVERFLOW=overflow, LOG_RING_SIZE="64KB",
                      LOG_BLOCK_MAX="0s" if overflow == "block" else "60s") as logger:
            wait_until(logger.has_logged, what="the first records", every_s=0.001)
            time.sleep(chance.uniform(0, 0.05))
            assert logger.kill() == -9
        returned[counters.run_id()] = sum(counters.returned(THREADS))
        counters.close()
        run([build / "shipper" / "shipper", "recover", log]).expect(0)
    records, dropped = account(log)
    assert set(records) == set(returned)
    for run_id, calls in returned.items():
        assert calls <= records[run_id] + dropped[run_id] <= calls + THREADS, run_id
    assert (sum(dropped.values()) > 0) == (overflow != "sync")
