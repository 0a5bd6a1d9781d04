#!/usr/bin/env python3
"""
Ten thousand seeds of the tail's model: a program logs, somebody rotates, truncates, compresses and deletes, the reader runs,
stops, is killed and comes back, clocks are set; every line that could still be read must have been read exactly once.

    LIBLOG_BUILD=build/dev python3 tests/e2e/campaign_tail.py [--seeds 10000] [--from 1] [--jobs 2]

ctest runs the first few hundred seeds as the test `model_tail`. About a quarter of an hour.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CHUNK = 250


def run(binary, first, count):
    return subprocess.run([binary, "--from", str(first), "--seeds", str(count)], capture_output=True, text=True, timeout=3600,
                          check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10000)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    build = Path(os.environ.get("LIBLOG_BUILD", REPOSITORY / "build" / "dev")).resolve()
    binary = build / "tests" / "model_tail" / "model_tail"
    last = arguments.first + arguments.seeds
    chunks = [(first, min(CHUNK, last - first)) for first in range(arguments.first, last, CHUNK)]
    failed = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for (first, count), done in zip(chunks, pool.map(lambda chunk: run(binary, *chunk), chunks)):
            failed += done.returncode != 0
            print(done.stdout.strip() + done.stderr.strip(), flush=True)
            if done.returncode not in (0, 1):
                print(f"seeds {first} to {first + count - 1}: the model ended with {done.returncode}", flush=True)
    print(f"{arguments.seeds} seeds: {'every line was read once' if not failed else f'{failed} chunks failed'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
