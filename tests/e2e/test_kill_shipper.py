"""kill -9 of shipper: afterwards the statistics are those of a run that nobody disturbed, and nothing is missing."""

import pytest

from support.check import assert_nothing_lost, assert_statistics
from support.kills import Campaign
from support.processes import clean_environment, run
from support.records import Story, write_three_files


def test_statistics_are_exact_and_nothing_is_lost_after_30_kills_at_random_moments(shipper, tmp_path):
    campaign = Campaign(shipper, tmp_path, seed=20)
    number = 0
    while campaign.report.kills < 30:
        assert number < 90, f"shipper ends too early to be killed: {campaign.report}"
        campaign.round(number)
        number += 1
    print(campaign.finish())


# How shipper writes: the database, its log, standard output. strace kills the program as it enters the nth such call.
WRITING_CALLS = "write,writev,pwrite64,fsync,fdatasync,ftruncate,unlink"


def strace(shipper, *options):
    environment = clean_environment(ASAN_OPTIONS="detect_leaks=0")  # the leak detector cannot run under a tracer

    def once(pattern):
        return run(["strace", "-f", "-qq", "-o", shipper.folder / "strace.out", "-e", f"trace={WRITING_CALLS}", *options,
                    shipper.binary, "run", "--once", pattern], cwd=shipper.folder, env=environment, timeout_s=120)
    return once


@pytest.fixture(scope="module")
def small_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    with open(folder / "forwarded.ndjson", "w+b") as forwarded:
        story = Story(21, forwarded)
        family = write_three_files(story, folder / "logs", 2000)
        forwarded.seek(0)
        return family, story.truth, forwarded.read()


def test_statistics_are_exact_when_shipper_is_killed_as_it_writes(build, small_files, tmp_path):
    """A clean run's writing calls are counted, then runs are killed at points spread evenly over them."""
    from support.shipper import Shipper
    family, truth, forwarded = small_files
    binary = build / "shipper" / "shipper"
    clean = Shipper(binary, tmp_path / "clean")
    strace(clean)(family.pattern()).expect(0)
    calls = sum(1 for line in (clean.folder / "strace.out").read_text().splitlines() if "(" in line)
    points = sorted({1 + round(i * (calls - 1) / 24) for i in range(25)})

    killed = 0
    for point in points:
        shipper = Shipper(binary, tmp_path / f"at-{point}")
        blow = strace(shipper, "-e", f"inject={WRITING_CALLS}:signal=KILL:when={point}")(family.pattern())
        killed += blow.code == -9
        rest = shipper.once(family.pattern()).expect(0)
        assert_statistics(shipper.database, truth)
        assert_nothing_lost(blow.out + rest.out, forwarded)
    assert killed >= len(points) - 2, f"only {killed} of {len(points)} runs were killed"
