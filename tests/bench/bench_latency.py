#!/usr/bin/env python3
"""
How long a record is on its way: a program writes records at a steady rate, shipper follows the file, and each record
that comes out of its standard output is asked how long ago it was written. Statistics are committed meanwhile.

    bench_latency.py [--rate N] [--seconds S] [--folder DIR] [--quick] SHIPPER
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

STEP_S = 0.001
STAMP = re.compile(rb'"written_ns":(\d+)')


def write_steadily(path, rate, seconds):
    """One write(2) a record, as a logger without a buffer does; the stamp is taken right before it."""
    per_step = max(1, round(rate * STEP_S))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    begin, seq = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        now = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for _ in range(per_step):
            seq += 1
            os.write(fd, (f'{{"timestamp":"{now}","level":"{"ERROR" if seq % 8 == 0 else "INFO"}","service":"checkout",'
                          f'"logger":"backend.http","message":"Request {seq} done","run_id":'
                          f'"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90","seq":{seq},'
                          f'"fields":{{"written_ns":{time.monotonic_ns()}}}}}\n').encode())
        behind = begin + seq / rate - time.monotonic()
        if behind > 0:
            time.sleep(behind)
    os.close(fd)


def read_latencies(out, finished):
    """Of each record in ns, in the order of arrival; ends when the writer has, and nothing came for a second."""
    latencies, rest = [], b""
    os.set_blocking(out.fileno(), False)
    last = time.monotonic()
    while not finished() or time.monotonic() - last < 1:
        chunk = out.raw.read(1 << 20) if hasattr(out, "raw") else out.read(1 << 20)
        if not chunk:
            time.sleep(0.0002)
            continue
        now, last = time.monotonic_ns(), time.monotonic()
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        latencies += [now - int(stamp) for stamp in STAMP.findall(whole + newline)]
    return latencies


def measure(binary, folder, rate, seconds):
    log = folder / "app.log"
    log.touch()
    with subprocess.Popen([binary, "run", "--quiet", str(log)], stdout=subprocess.PIPE, cwd=folder) as shipper:
        time.sleep(0.5)
        writer = multiprocessing.Process(target=write_steadily, args=(log, rate, seconds))
        writer.start()
        latencies = read_latencies(shipper.stdout, lambda: not writer.is_alive())
        writer.join()
        shipper.terminate()
    if shipper.returncode != 0:
        raise SystemExit(f"shipper ended with {shipper.returncode}")
    with open(log, "rb") as lines:
        written = sum(1 for _ in lines)
    if len(latencies) != written:
        raise SystemExit(f"{written} records were written, {len(latencies)} came out")
    return sorted(latencies)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shipper", type=Path)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds = 2
    with tempfile.TemporaryDirectory(prefix="bench_latency.", dir=arguments.folder) as folder:
        took = measure(str(arguments.shipper.resolve()), Path(folder), arguments.rate, arguments.seconds)

    def at(share):
        return took[min(len(took) - 1, int(share * len(took)))] / 1e6

    print(f"write to stdout, {len(took) / arguments.seconds:.0f} records/s for {arguments.seconds:g} s:"
          f" p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, p99.9 {at(0.999):.1f} ms, max {took[-1] / 1e6:.1f} ms")


if __name__ == "__main__":
    main()
