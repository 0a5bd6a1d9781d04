"""Comparing what shipper found with the truth, so that a difference is shown small."""

import bisect
from collections import Counter

from support.records import RESOLUTIONS_S


def differences(found, wanted, most=10):
    """Keys where two mappings differ, as {key: (found, wanted)}, at most so many."""
    keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    return {key: (found.get(key), wanted.get(key)) for key in keys[:most]}


def assert_equal(found, wanted, what):
    assert found == wanted, f"{what}: {len(differences(found, wanted, 10**9))} differ, such as {differences(found, wanted)}"


def assert_counts(database, truth):
    """Every window of every series in all four resolutions."""
    found, wanted = database.counts(), truth.counts()
    for resolution in RESOLUTIONS_S:
        assert_equal({key: n for key, n in found.items() if key[0] == resolution},
                     {key: n for key, n in wanted.items() if key[0] == resolution}, f"counts of {resolution} s")


RUN_FACTS = ("service", "pid", "parent_run_id", "first_seen_ns", "last_seen_ns", "first_seq", "last_seq", "records",
             "missing", "duplicates", "dropped", "before_first")


def assert_runs(database, truth):
    """The account of every run, and where its gaps lie."""
    found = database.runs()
    wanted = {run_id: run for run_id, run in truth.runs.items() if run.records}
    assert_equal({run_id: {fact: run[fact] for fact in RUN_FACTS} for run_id, run in found.items()},
                 {run_id: {fact: getattr(run, fact) for fact in RUN_FACTS} for run_id, run in wanted.items()}, "run")
    assert_equal({run_id: found[run_id]["ended"] for run_id, run in wanted.items() if run.ended},
                 {run_id: run.ended for run_id, run in wanted.items() if run.ended}, "how runs ended")
    assert not any(run["inexact"] for run in found.values())
    lasting = [gap for gap in truth.gaps if gap[2] < truth.runs[gap[0]].last_seq]
    assert database.gaps() == sorted(lasting)


def assert_statistics(database, truth):
    """Counts, runs, rejects and the counters of sources: all that the files say."""
    assert database.integrity() == ["ok"]
    assert_counts(database, truth)
    assert_runs(database, truth)
    assert_equal(database.rejects(), dict(truth.rejects), "rejects")
    totals = database.source_totals()
    assert_equal({name: totals[name] for name in ("records", "rejected", "copies", "bad_time", "utf8", "lost_bytes")},
                 {name: truth.totals[name] for name in ("records", "rejected", "copies", "bad_time", "utf8", "lost_bytes")},
                 "source counters")


def assert_nothing_lost(output, forwarded):
    """
    Every line of `forwarded` is in `output` at least as often as there; what else is in there is a repeat or the
    torn beginning of a line. Gives how many lines were repeated and how many torn.
    """
    wanted = Counter(split_lines(forwarded))
    found = Counter(split_lines(output))
    lost = wanted - found
    assert not lost, f"{sum(lost.values())} lines never came, such as {next(iter(lost))[:300]!r}"
    extra = found - wanted
    torn = Counter({line: n for line, n in extra.items() if line not in wanted})
    whole = sorted(wanted)
    strange = [line for line in torn if not is_torn(line, whole)]
    assert not strange, f"{len(strange)} lines are nothing that was to be forwarded, such as {strange[0][:300]!r}"
    return sum(extra.values()) - sum(torn.values()), sum(torn.values())


def split_lines(output):
    """Lines with their newline; only \\n ends a line."""
    lines = output.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def is_torn(line, whole):
    """A torn line is where one of the (sorted) whole lines begins; an empty one ends a torn one."""
    piece = line.rstrip(b"\n")
    place = bisect.bisect_left(whole, piece)
    return place < len(whole) and whole[place].startswith(piece)
