"""kill -9 of shipper: afterwards the statistics are those of a run that nobody disturbed, and nothing is missing."""

import re
from collections import Counter

import pytest

from support.check import assert_nothing_lost, assert_statistics
from support.kills import Campaign
from support.processes import clean_environment, run
from support.records import Story, write_three_files
from support.shipper import Shipper


def test_statistics_are_exact_and_nothing_is_lost_after_30_kills_at_random_moments(shipper, tmp_path):
    campaign = Campaign(shipper, tmp_path, seed=20)
    number = 0
    while campaign.report.kills < 30:
        assert number < 90, f"shipper ends too early to be killed: {campaign.report}"
        campaign.round(number)
        number += 1
    print(campaign.finish())


# How shipper writes: the database, its log, standard output. strace kills the program as it enters such a call.
WRITING_CALLS = "write,writev,pwrite64,fsync,fdatasync,ftruncate,unlink"
POINTS = 25


def traced(shipper, pattern, *options):
    environment = clean_environment(ASAN_OPTIONS="detect_leaks=0")  # the leak detector cannot run under a tracer
    return run(["strace", "-f", "-qq", "-o", shipper.folder / "strace.out", "-e", f"trace={WRITING_CALLS}", *options,
                shipper.binary, "run", "--once", pattern], cwd=shipper.folder, env=environment, timeout_s=120)


def writing_calls(trace):
    """The calls of a run in order, each as (name, the how manieth of that name in its thread): what strace counts."""
    seen, calls = Counter(), []
    for thread, name in re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE):
        seen[thread, name] += 1
        calls.append((name, seen[thread, name]))
    return calls


@pytest.fixture(scope="module")
def small_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    with open(folder / "forwarded.ndjson", "w+b") as forwarded:
        story = Story(21, forwarded)
        family = write_three_files(story, folder / "logs", 2000)
        forwarded.seek(0)
        return family, story.truth, forwarded.read()


def test_statistics_are_exact_when_shipper_is_killed_as_it_writes(build, small_files, tmp_path):
    """A clean run's writing calls are listed, then runs are killed at calls spread evenly over them."""
    family, truth, forwarded = small_files
    binary = build / "shipper" / "shipper"
    clean = Shipper(binary, tmp_path / "clean")
    traced(clean, family.pattern()).expect(0)
    calls = writing_calls(clean.folder / "strace.out")
    points = [calls[i * (len(calls) - 1) // (POINTS - 1)] for i in range(POINTS)]

    killed = 0
    for number, (name, nth) in enumerate(points):
        shipper = Shipper(binary, tmp_path / f"killed-{number}")
        blow = traced(shipper, family.pattern(), "-e", f"inject={name}:signal=KILL:when={nth}")
        killed += blow.code == -9
        rest = shipper.once(family.pattern()).expect(0)
        assert_statistics(shipper.database, truth)
        assert_nothing_lost(blow.out + rest.out, forwarded)
    assert killed == POINTS
