"""The generator's truth, read back from the files by another way: Python's json, one line at a time."""

import gzip
import io
import json
from collections import Counter
from datetime import datetime

from support.records import MAX_LINE, RESOLUTIONS_S, SECOND, Story, write_three_files

LEVELS = {"warn": "WARNING", "Fatal": "CRITICAL", "err": "ERROR", "info": "INFO", "loud": "UNKNOWN"}


def lines_of(folder):
    for name, opener in (("app.log.2.gz", gzip.open), ("app.log.1", open), ("app.log", open)):
        with opener(folder / name, "rb") as file:
            yield from file


def nanoseconds(text):
    """The time of a record, or None where it cannot be."""
    try:
        whole, rest = text[:-1].split(".")
        return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * SECOND + int(rest)
    except (AttributeError, ValueError, TypeError):
        return None


def refuse(token):
    raise ValueError(token)


def reason_of(line):
    if len(line) > MAX_LINE:
        return "too_long"
    if b"[" * 129 in line:
        return "too_deep"
    try:
        value = json.loads(line.decode("utf-8", "replace"), parse_constant=refuse)
    except ValueError:
        return "not_json" if line.endswith(b"\n") else "cut"
    return value if isinstance(value, dict) else "not_object"


def recount(folder):
    """Counts of 10 s windows, runs' seqs, rejects and copies, from the files alone."""
    windows, seqs, totals, rejects, previous = Counter(), {}, Counter(), Counter(), None
    for line in lines_of(folder):
        if not line.strip(b" \t\r\n\x00"):
            continue
        record = reason_of(line)
        if isinstance(record, str):
            rejects[record] += 1
            continue
        if record.get("copy") is True:
            totals["copies"] += 1
            continue
        totals["records"] += 1
        totals["utf8"] += b"\xff" in line
        time_ns = nanoseconds(record.get("timestamp"))
        totals["bad_time"] += time_ns is None
        previous = time_ns = time_ns if time_ns is not None else previous
        if "seq" in record:
            seqs.setdefault(record["run_id"], []).append(record["seq"])
        if "mark" in record and record["mark"] != "crash":
            continue
        error = record.get("exception", {})
        second = time_ns // SECOND
        windows[(second - second % 10, record.get("service", ""), record.get("environment", ""),
                 LEVELS.get(record["level"], record["level"]), error.get("type", ""), error.get("code", ""),
                 record.get("endpoint", ""), record.get("logger", ""))] += 1
    return windows, seqs, rejects, totals


def test_the_truth_is_what_another_reader_finds_in_the_files(tmp_path):
    forwarded = io.BytesIO()
    story = Story(7, forwarded)
    write_three_files(story, tmp_path, 20000)
    truth = story.truth

    windows, seqs, rejects, totals = recount(tmp_path)

    assert windows == truth.windows
    assert rejects == truth.rejects
    assert totals == truth.totals - Counter(rejected=truth.totals["rejected"])
    assert {run: len(all_seqs) for run, all_seqs in seqs.items()} == {
        run: each.records for run, each in truth.runs.items() if each.records}
    for run_id, all_seqs in seqs.items():
        run, unique = truth.runs[run_id], set(all_seqs)
        assert (min(unique), max(unique)) == (run.first_seq, run.last_seq)
        assert run.last_seq - run.first_seq + 1 - len(unique) == run.missing
        assert len(all_seqs) - len(unique) == run.duplicates
    assert forwarded.getvalue().count(b"\n") == truth.forwarded == truth.totals["records"] >= 20000
    assert sum(truth.counts().values()) == len(RESOLUTIONS_S) * sum(windows.values())


def test_a_story_has_every_kind_of_line(tmp_path):
    story = Story(7)
    write_three_files(story, tmp_path, 20000)
    truth = story.truth

    assert set(truth.rejects) == {"not_json", "not_object", "too_deep", "too_long", "cut"}
    assert all(truth.totals[kind] for kind in ("copies", "bad_time", "utf8"))
    assert {run.ended for run in truth.runs.values()} == {"", "closed", "crashed", "killed"}
    assert any(run.missing for run in truth.runs.values()) and any(run.duplicates for run in truth.runs.values())
    assert any(run.dropped for run in truth.runs.values()) and any(run.before_first for run in truth.runs.values())


def test_the_same_seed_tells_the_same_story(tmp_path):
    stories = [io.BytesIO(), io.BytesIO()]
    for number, forwarded in enumerate(stories):
        write_three_files(Story(3, forwarded, end_s=1_800_000_000), tmp_path / str(number), 2000)
    assert stories[0].getvalue() == stories[1].getvalue()
