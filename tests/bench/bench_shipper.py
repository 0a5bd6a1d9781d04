#!/usr/bin/env python3
"""
How fast `shipper run --once` gets through a file, statistics in SQLite and every record to stdout (/dev/null), beside
`grep -c … | cat` over the same file; and through the file compressed, beside zcat. All on one core, so that the store's
thread costs what it takes. Each pair runs in turns, and what is compared is the ratio within a pair, in seconds and in
seconds of the processor (which other programs on the machine disturb less): only ratios travel between machines. Prints
how long each stage took, and the peak of memory over files of two sizes.

    bench_shipper.py [--size MIB] [--pairs N] [--core N] [--folder DIR] [--long-line GIB] [--quick] SHIPPER
    bench_shipper.py --backlog GIB [--core N] [--folder DIR] SHIPPER

--long-line reads a file that is one line of so many GiB, and prints the peak. --backlog does nothing but read so many GiB
that hours and hours of many runs have left, and prints the peak of memory over a tenth of them and over all. --quick is a
smoke run of a few seconds; its figures mean little.
"""

import argparse
import gzip
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
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
    words: str

    @property
    def rss_mib(self):
        """As shipper tells it: what wait4() tells of a child begins with the memory of who started it."""
        told = re.search(r"memory at most ([0-9.]+) MiB", self.words)
        return float(told[1]) if told else None


def run_timed(command, stdout, core, cwd=None):
    """Runs a program to its end on one core; the CPU time of it and of what it waited for."""
    begin = time.perf_counter()
    with subprocess.Popen(["taskset", "-c", str(core), *command], stdout=stdout, stderr=subprocess.PIPE, cwd=cwd) as child:
        words = child.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {child.returncode}: {words}")
    return Took(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, words)


def shipper_once(binary, file, folder, core, *flags):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return run_timed([binary, "run", "--once", "--quiet", *flags, str(file)], subprocess.DEVNULL, core, folder)


def grep_count(file, errors, core):
    """Through cat: a grep whose output is /dev/null stops at the first match."""
    command = ["sh", "-c", 'LC_ALL=C grep -c \'"level":"ERROR"\' "$1" | cat', "sh", str(file)]
    with tempfile.TemporaryFile() as out:
        took = run_timed(command, out, core)
        out.seek(0)
        counted = int(out.read())
    if counted != errors:
        raise SystemExit(f"grep counted {counted}, {errors} were written")
    return took


def counted_errors(folder):
    """What the statistics say, so that a fast wrong run is no result."""
    import sqlite3
    with sqlite3.connect(folder / "shipper.db") as db:
        query = ("SELECT SUM(count) FROM counts JOIN series ON series.id = series_id"
                 " WHERE resolution_s = 60 AND level = 'ERROR'")
        return db.execute(query).fetchone()[0]


def median(took, what):
    return statistics.median(getattr(t, what) for t in took)


def tell_stages(runs):
    """From the lines `stages: read 0.040 s, frame …` of runs of their own, for asking the time takes time, too."""
    each = [dict(re.findall(r"(\w+) ([0-9.]+) s", t.words)) for t in runs]
    medians = {stage: statistics.median(float(times[stage]) for times in each) for stage in each[0]}
    print("  stages: " + ", ".join(f"{stage} {took:.3f} s" for stage, took in medians.items())
          + f"; peak {median(runs, 'rss_mib'):.1f} MiB", flush=True)


def tell_ratio(what, mine, theirs):
    ratios = [getattr(m, what) / getattr(t, what) for m, t in zip(mine, theirs)]
    best = min(getattr(m, what) for m in mine) / min(getattr(t, what) for t in theirs)
    unit = "seconds" if what == "seconds" else "CPU seconds"
    print(f"  ratio in {unit:11} {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f};"
          f" best beside best {best:.2f})")


def compare(title, file, ours, peer, peer_name, pairs, size, count):
    mine, theirs = [], []
    ours(), peer()  # the file is in memory from here on
    for _ in range(pairs):
        theirs.append(peer())
        mine.append(ours())
    print(f"\n{title}: {file.stat().st_size / 2**20:.0f} MiB, {count} records of {size / count:.0f} bytes,"
          f" {pairs} pairs")
    for name, took in (("shipper run --once", mine), (peer_name, theirs)):
        seconds = median(took, "seconds")
        print(f"  {name:20} {seconds:7.3f} s  CPU {median(took, 'cpu_s'):7.3f} s  {size / 1e6 / seconds:7.0f} MB/s"
              f"  {count / 1e6 / seconds:6.2f} M records/s")
    tell_ratio("seconds", mine, theirs)
    tell_ratio("cpu_s", mine, theirs)
    tell_stages([ours("--timings") for _ in range(min(pairs, 3))])


def compress(plain):
    packed = plain.with_suffix(".log.gz")
    with open(plain, "rb") as source, gzip.open(packed, "wb", compresslevel=6) as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return packed


def bench_plain(arguments, plain, state, size, count, errors):
    compare("plain", plain, lambda *flags: shipper_once(arguments.binary, plain, state, arguments.core, *flags),
            lambda: grep_count(plain, errors, arguments.core), "grep -c … | cat", arguments.pairs, size, count)
    if counted_errors(state) != errors:
        raise SystemExit(f"shipper counted {counted_errors(state)} errors, {errors} were written")


def bench_gzip(arguments, plain, state, size, count, errors):
    packed = compress(plain)
    plain.unlink()
    compare("gzip", packed, lambda *flags: shipper_once(arguments.binary, packed, state, arguments.core, *flags),
            lambda: run_timed(["zcat", str(packed)], subprocess.DEVNULL, arguments.core), "zcat", arguments.pairs, size,
            count)
    if counted_errors(state) != errors:
        raise SystemExit(f"shipper counted {counted_errors(state)} errors in the .gz, {errors} were written")


def peak_over(arguments, folder, state, size):
    """The file is the same bytes again and again: what a larger backlog of one program looks like to memory."""
    piece, backlog = folder / "piece.log", folder / "backlog.log"
    written = piece.stat().st_size if piece.exists() else 0
    if not written:
        write_records(piece, 8 << 20)
        written = piece.stat().st_size
    with open(backlog, "wb") as out:
        for _ in range(max(1, size // written)):
            out.write(piece.read_bytes())
    peak = shipper_once(arguments.binary, backlog, state, arguments.core, "--timings").rss_mib
    backlog.unlink()
    return peak


def bench_memory(arguments, folder, state):
    small, large = arguments.size << 18, arguments.size << 21  # a quarter of the size, and twice as much
    print(f"\nmemory: peak {peak_over(arguments, folder, state, small):.1f} MiB over {small / 2**20:.0f} MiB,"
          f" {peak_over(arguments, folder, state, large):.1f} MiB over {large / 2**20:.0f} MiB", flush=True)
    if arguments.long_line:
        line = folder / "line.log"
        with open(line, "wb") as out:
            for _ in range(arguments.long_line << 6):
                out.write(b"x" * (1 << 24))
        took = shipper_once(arguments.binary, line, state, arguments.core, "--timings")
        print(f"memory: peak {took.rss_mib:.1f} MiB over one line of {arguments.long_line} GiB", flush=True)


def write_backlog(path, piece, size):
    """Each piece has an hour and a run of its own, so nothing that is kept by time or by run stays the same."""
    hour, run = re.search(rb'"timestamp":"(.{13})', piece)[1], re.search(rb'"run_id":"([^"]*)', piece)[1]
    count = max(1, size // len(piece))
    with open(path, "wb") as out:
        for number in range(count):
            stamp = datetime.now(timezone.utc) - timedelta(hours=count - number)
            out.write(piece.replace(hour, stamp.strftime("%Y-%m-%dT%H").encode())
                      .replace(run, run[:-6] + f"{number:06x}".encode()))


def bench_backlog(arguments, folder):
    piece, backlog, state = folder / "piece.log", folder / "backlog.log", folder / "state"
    write_records(piece, 8 << 20)
    for gib in (arguments.backlog / 10, arguments.backlog):
        write_backlog(backlog, piece.read_bytes(), int(gib * (1 << 30)))
        size = backlog.stat().st_size
        took = shipper_once(arguments.binary, backlog, state, arguments.core, "--timings")
        print(f"backlog of {size / 2**30:.1f} GiB: peak {took.rss_mib:.1f} MiB, read in {took.seconds:.1f} s", flush=True)


def bench(arguments, folder):
    arguments.binary = str(arguments.shipper.resolve())
    if arguments.backlog:
        bench_backlog(arguments, folder)
        return
    plain, state = folder / "bench.log", folder / "state"
    count, errors = write_records(plain, arguments.size << 20)
    size = plain.stat().st_size
    bench_plain(arguments, plain, state, size, count, errors)
    bench_gzip(arguments, plain, state, size, count, errors)
    bench_memory(arguments, folder, state)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shipper", type=Path)
    parser.add_argument("--size", type=int, default=256, choices=range(1, 4097), metavar="MIB")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--long-line", type=int, default=0, metavar="GIB")
    parser.add_argument("--backlog", type=int, default=0, metavar="GIB")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.size, arguments.pairs = 16, 1
    with tempfile.TemporaryDirectory(prefix="bench_shipper.", dir=arguments.folder) as folder:
        bench(arguments, Path(folder))


if __name__ == "__main__":
    main()
