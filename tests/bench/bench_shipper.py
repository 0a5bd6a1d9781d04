#!/usr/bin/env python3
"""
How fast `shipper run --once` gets through a file, statistics in SQLite and every record to stdout (/dev/null), beside
`grep -c … | cat` over the same file; and through the file compressed, beside zcat. Each pair runs in turns, and the
medians are compared: only the ratios travel between machines.

    bench_shipper.py [--size MIB] [--pairs N] [--folder DIR] [--quick] SHIPPER

--quick is a smoke run of a few seconds; its figures mean little.
"""

import argparse
import gzip
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

LEVELS = ("INFO", "INFO", "DEBUG", "INFO", "WARNING", "INFO", "ERROR", "INFO")
LOGGERS = ("backend.database", "backend.http", "shop.cart", "root")
FAILURES = (("OperationalError", "database is locked"), ("TimeoutError", "upstream took 5 s"))
STEP_US = 100  # ten thousand records a second


def tail_of(chance, level):
    """What follows seq; about a hundred of them, so that a record is no copy of the one before."""
    exception = ""
    if level == "ERROR":
        name, message = chance.choice(FAILURES)
        exception = f',"exception":{{"type":"{name}","message":"{message}"}}'
    return (f'{exception},"pid":4711,"tid":{4713 + chance.randrange(8)},'
            f'"fields":{{"attempt":{chance.randrange(5)}}}}}\n')


def write_records(path, size):
    """Records of about 250 bytes of one run, without a gap. Returns how many, and how many of level ERROR."""
    chance = random.Random(4711)
    tails = {level: [tail_of(chance, level) for _ in range(97)] for level in set(LEVELS)}
    begin = int(time.time()) - 7200
    count = errors = written = 0
    prefix, prefix_second = "", -1
    with open(path, "w", encoding="ascii", buffering=1 << 20) as out:
        while written < size:
            second, us = divmod(count * STEP_US, 1_000_000)
            if second != prefix_second:
                prefix_second = second
                moment = datetime.fromtimestamp(begin + second, timezone.utc)
                prefix = moment.strftime('{"timestamp":"%Y-%m-%dT%H:%M:%S.')
            count += 1
            level = LEVELS[(count * 2654435761 >> 7) % 8]
            errors += level == "ERROR"
            written += out.write(
                f'{prefix}{us:06d}{count % 1000:03d}Z","level":"{level}","service":"checkout","logger":'
                f'"{LOGGERS[count % 4]}","message":"Request {count * 7919} done","run_id":'
                f'"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90","seq":{count}{tails[level][count % 97]}')
    return count, errors


@dataclass
class Took:
    seconds: float
    cpu_s: float
    rss_mib: float


def run_timed(command, stdout, cwd=None, **more):
    """Runs one program to its end; its own CPU time and peak memory."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, cwd=cwd, **more) as child:
        words = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {child.returncode}: {words.decode(errors='replace')}")
    return Took(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def shipper_once(binary, file, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return run_timed([binary, "run", "--once", "--quiet", str(file)], subprocess.DEVNULL, cwd=folder)


def grep_count(file, errors):
    """Through cat: a grep whose output is /dev/null stops at the first match."""
    command = ["sh", "-c", 'LC_ALL=C grep -c \'"level":"ERROR"\' "$1" | cat', "sh", str(file)]
    with tempfile.TemporaryFile() as out:
        took = run_timed(command, out)
        out.seek(0)
        counted = int(out.read())
    if counted != errors:
        raise SystemExit(f"grep counted {counted}, {errors} were written")
    return took


def zcat(file):
    return run_timed(["zcat", str(file)], subprocess.DEVNULL)


def counted_errors(folder):
    """What the statistics say, so that a fast wrong run is no result."""
    import sqlite3
    with sqlite3.connect(folder / "shipper.db") as db:
        query = ("SELECT SUM(count) FROM counts JOIN series ON series.id = series_id"
                 " WHERE resolution_s = 60 AND level = 'ERROR'")
        return db.execute(query).fetchone()[0]


def median(took, what):
    return statistics.median(getattr(t, what) for t in took)


def compare(title, file, ours, peer, peer_name, pairs, size, count):
    mine, theirs = [], []
    ours(), peer()  # the file is in memory from here on
    for _ in range(pairs):
        theirs.append(peer())
        mine.append(ours())
    seconds, peer_seconds = median(mine, "seconds"), median(theirs, "seconds")
    ratios = [m.seconds / t.seconds for m, t in zip(mine, theirs)]
    print(f"\n{title}: {file.stat().st_size / 2**20:.0f} MiB, {count} records of {size / count:.0f} bytes,"
          f" {pairs} pairs")
    print(f"  shipper run --once   {seconds:7.3f} s  {size / 1e6 / seconds:7.0f} MB/s  {count / 1e6 / seconds:6.2f}"
          f" M records/s  CPU {median(mine, 'cpu_s'):.3f} s  peak {median(mine, 'rss_mib'):.1f} MiB")
    print(f"  {peer_name:20} {peer_seconds:7.3f} s  {size / 1e6 / peer_seconds:7.0f} MB/s")
    print(f"  ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def compress(plain):
    packed = plain.with_suffix(".log.gz")
    with open(plain, "rb") as source, gzip.open(packed, "wb", compresslevel=6) as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return packed


def bench(arguments, folder):
    binary = str(arguments.shipper.resolve())
    plain, state = folder / "bench.log", folder / "state"
    count, errors = write_records(plain, arguments.size << 20)
    size = plain.stat().st_size
    compare("plain", plain, lambda: shipper_once(binary, plain, state), lambda: grep_count(plain, errors),
            "grep -c … | cat", arguments.pairs, size, count)
    if counted_errors(state) != errors:
        raise SystemExit(f"shipper counted {counted_errors(state)} errors, {errors} were written")
    packed = compress(plain)
    plain.unlink()
    compare("gzip", packed, lambda: shipper_once(binary, packed, state), lambda: zcat(packed), "zcat", arguments.pairs,
            size, count)
    if counted_errors(state) != errors:
        raise SystemExit(f"shipper counted {counted_errors(state)} errors in the .gz, {errors} were written")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shipper", type=Path)
    parser.add_argument("--size", type=int, default=256, choices=range(1, 1025), metavar="MIB")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.size, arguments.pairs = 16, 1
    with tempfile.TemporaryDirectory(prefix="bench_shipper.", dir=arguments.folder) as folder:
        bench(arguments, Path(folder))


if __name__ == "__main__":
    main()
