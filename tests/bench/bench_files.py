#!/usr/bin/env python3
"""
What following files costs: memory with one file and with many, processor time and wake-ups while nothing happens and while
one of them is written a thousand times a second, and how long a new line takes to be noticed among them.

    bench_files.py [--files N ...] [--idle S] [--busy S] [--folder DIR] [--quick] SHIPPER

Memory is what /proc says: resident, and of that what is the process's own (the rest are the libraries' pages, which other
programs share). Processor time is what the kernel let it run over the seconds, in percent of a core; what one file of 1,000
records a second costs is the same work with one followed file and with many, so their ratio is what the others cost.
--quick is a smoke run; its figures mean little.
"""

import argparse
import json
import shutil
import sqlite3
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

LINES = 20  # of each file, some 4 KB
BUSY_LINES_PER_S = 1000


def line(number):
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    return (f'{{"timestamp":"{stamp}","level":"INFO","service":"bench","logger":"root","message":"record {number} of a file'
            f' that is followed","run_id":"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90","seq":{number + 1},"pid":1,"tid":1}}\n')


def make_files(folder, count):
    """In folders of a thousand, as they lie in practice."""
    number = 0
    for index in range(count):
        inside = folder / f"service-{index // 1000:03d}"
        inside.mkdir(exist_ok=True)
        with open(inside / f"worker-{index:06d}.log", "w", encoding="ascii") as file:
            for _ in range(LINES):
                file.write(line(number))
                number += 1
    return number


@dataclass
class Seen:
    rss_kib: int
    own_kib: int
    cpu_s: float
    switches: int


def look_at(pid):
    status = dict(each.split(":", 1) for each in Path(f"/proc/{pid}/status").read_text().splitlines())
    switches = ran_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        ran_ns += int((task / "schedstat").read_text().split()[0])  # to the nanosecond, where `stat` counts in 10 ms
        for each in (task / "status").read_text().splitlines():
            if "ctxt_switches" in each:
                switches += int(each.split()[1])
    return Seen(int(status["VmRSS"].split()[0]), int(status["RssAnon"].split()[0]), ran_ns / 1e9, switches)


def counted(state):
    try:
        with sqlite3.connect(f"file:{state / 'shipper.db'}?mode=ro", uri=True) as database:
            return database.execute("SELECT coalesce(sum(records), 0) FROM source").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def wait_for(state, wanted, timeout_s):
    deadline = time.monotonic() + timeout_s
    while counted(state) < wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {counted(state)} of {wanted} records were counted within {timeout_s} s")
        time.sleep(0.2)


def notice_ms(child, path, number):
    """From the write of a line to its coming out of shipper, in milliseconds: the median of some."""
    took = []
    for turn in range(9):
        text = line(number + turn)
        begun = time.monotonic()
        with open(path, "a", encoding="ascii") as file:
            file.write(text)
        while child.stdout.readline() != text.encode():
            pass
        took.append((time.monotonic() - begun) * 1000)
        time.sleep(0.05)
    return sorted(took)[len(took) // 2]


def write_steadily(path, number, seconds):
    """A thousand lines a second, each by a write(2) of its own; catches up when it was late. How many lines it wrote."""
    begun, written = time.monotonic(), 0
    with open(path, "ab", buffering=0) as file:
        while (passed := time.monotonic() - begun) < seconds:
            if written >= passed * BUSY_LINES_PER_S:
                time.sleep(1 / BUSY_LINES_PER_S)
                continue
            file.write(line(number + written).encode())
            written += 1
    return written


def percent(before, after, seconds):
    return (after.cpu_s - before.cpu_s) / seconds * 100


def switches_per_s(before, after, seconds):
    return (after.switches - before.switches) / seconds


def measure(shipper, folder, count, idle_s, busy_s):
    logs, state = folder / "logs", folder / "state"
    for each in (logs, state):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir()
    records = make_files(logs, count)
    config = state / "shipper.yaml"
    config.write_text(json.dumps({"state_dir": str(state), "inputs": [{"paths": [f"{logs}/*/*.log"]}],
                                  "outputs": [{"name": "out", "type": "stdout"}]}))
    command = [shipper, "run", "-c", str(config)]
    with open(folder / "out", "w+b") as sink:
        child = subprocess.Popen(command, stdout=sink, stderr=subprocess.PIPE)
        try:
            begun = time.monotonic()
            wait_for(state, records, 300)
            caught_up_s = time.monotonic() - begun
            time.sleep(3)
            before = look_at(child.pid)
            time.sleep(idle_s)
            after = look_at(child.pid)
            written = write_steadily(next(logs.glob("*/*.log")), records, busy_s)
            busy = look_at(child.pid)
            wait_for(state, records + written, 60)
            records += written
        finally:
            child.terminate()
            child.wait(20)
    print(f"{count:7} files: {after.rss_kib / 1024:6.1f} MB resident, {after.own_kib / 1024:6.1f} MB of its own;"
          f" read in {caught_up_s:.1f} s; idle for {idle_s} s: {percent(before, after, idle_s):.3f} % of a core,"
          f" {switches_per_s(before, after, idle_s):.1f} context switches/s", flush=True)
    print(f"{'':7}        one of them written {written / busy_s:.0f} times a second for {busy_s} s:"
          f" {percent(after, busy, busy_s):.2f} % of a core, {switches_per_s(after, busy, busy_s):.0f} context switches/s", flush=True)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2 + count / 5000)
        print(f"{'':7}        a new line comes out after {notice_ms(child, next(logs.glob('*/*.log')), records):.1f} ms",
              flush=True)
    finally:
        child.terminate()
        child.communicate(timeout=20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shipper", type=Path)
    parser.add_argument("--files", type=int, nargs="+", default=[1, 1000, 10000])
    parser.add_argument("--idle", type=int, default=30)
    parser.add_argument("--busy", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.files, arguments.idle, arguments.busy = [1, 100], 1, 1
    with tempfile.TemporaryDirectory(prefix="bench_files.", dir=arguments.folder) as folder:
        for count in arguments.files:
            measure(arguments.shipper.resolve(), Path(folder), count, arguments.idle, arguments.busy)


if __name__ == "__main__":
    main()
