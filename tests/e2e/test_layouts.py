"""LOG_FORMAT: each layout as its readers see it, after kills too: whoever finishes a dead program's log writes as it would have."""

import json
import os
import pty
import random
import re
import subprocess
import time
from collections import Counter

import pytest

from support.logger import Counters, Restless, log_environment
from support.processes import run, wait_until
from support.shipper import Shipper

THREADS = 2
LEVELS = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

# Where run and number of a record stand, as jq or a regular expression says it.
RUN_AND_SEQ = {
    "json": "[.run_id, .seq, .mark]",
    "ecs": '[."labels.run_id", ."event.sequence", ."labels.mark"]',
    "otel": "[.attributes.run_id, .attributes.seq, .attributes.mark]",
}
TEXT_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (?:%s) .*? run_id=([0-9a-f-]{36}) seq=(\d+)$" % "|".join(LEVELS))


def showcase(build, log, layout, case="levels", **settings):
    environment = {"LOG_FILE": str(log), "LOG_FORMAT": layout, "LOG_LEVEL": "trace", "PATH": os.environ["PATH"], **settings}
    return subprocess.run([build / "tests" / "loggers" / "showcase", case], env=environment, check=True)


def jq(log, program):
    answer = run(["jq", "-c", program, log]).expect(0).out
    return [json.loads(line) for line in answer.splitlines()]


def runs_and_numbers(log, layout):
    """[(run_id, seq, mark)] of every line, in order; no line is anything else."""
    if layout != "text":
        return [tuple(found) for found in jq(log, RUN_AND_SEQ[layout])]
    found = [TEXT_LINE.match(line) for line in log.read_text().splitlines()]
    assert all(found)
    return [(match[1], int(match[2]), "recovered" if " mark=recovered " in match[0] else None) for match in found]


@pytest.mark.parametrize("layout", ["json", "text", "ecs", "otel"])
def test_a_killed_programs_log_is_finished_in_the_layout_it_was_begun_in(build, tmp_path, layout):
    chance = random.Random(layout)
    log = tmp_path / "app.log"
    returned = {}
    for _ in range(8):
        counters = Counters(tmp_path / "counters")
        with Restless(build, log, counters, THREADS, LOG_FORMAT=layout) as logger:
            wait_until(logger.has_logged, what="the first records", every_s=0.001)
            time.sleep(chance.uniform(0, 0.02))
            assert logger.kill() == -9
        returned[counters.run_id()] = sum(counters.returned(THREADS))
        counters.close()
        run([build / "shipper" / "shipper", "recover", log]).expect(0)
    numbers, marked = {}, 0
    for run_id, seq, mark in runs_and_numbers(log, layout):
        assert seq == numbers.get(run_id, 0) + 1
        numbers[run_id] = seq
        marked += mark == "recovered"
    assert marked == len(returned)
    for run_id, calls in returned.items():
        assert calls <= numbers[run_id] - 1 <= calls + THREADS  # a call under way may be in it, too


def test_ecs_is_read_by_jq_by_the_schemas_names(build, tmp_path):
    log = tmp_path / "app.log"
    showcase(build, log, "ecs", LOG_SERVICE="shop", APP_ENV="production", LOG_MARKS="off")
    records = jq(log, '[."log.level", ."service.name", ."service.environment", ."ecs.version", (."@timestamp"|endswith("Z"))]')
    assert records == [[level, "shop", "production", "8.11.0", True] for level in LEVELS]


@pytest.mark.parametrize("layout, kind, stack, mark", [
    ("ecs", '."error.type"', '."error.stack_trace"', '."labels.mark"'),
    ("otel", '.attributes."exception.type"', '.attributes."exception.stacktrace"', ".attributes.mark"),
])
def test_a_call_stack_is_one_text_with_a_line_for_each_call(build, tmp_path, layout, kind, stack, mark):
    log = tmp_path / "app.log"
    subprocess.run([build / "tests" / "loggers" / "crasher", "segv"], cwd=tmp_path, timeout=60,
                   env=log_environment(log, LOG_FORMAT=layout))
    [[name, text]] = jq(log, f'select({mark} == "crash") | [{kind}, {stack}]')
    assert name == "SIGSEGV"
    assert [line.split("+")[0] for line in text.split("\n")][:2] == ["write_to_nowhere", "serve_request"]


def test_otel_is_read_by_jq_by_the_data_models_names(build, tmp_path):
    log = tmp_path / "app.log"
    showcase(build, log, "otel", LOG_SERVICE="shop", LOG_MARKS="off")
    records = jq(log, '[.severityNumber, .severityText, .resource."service.name", (.timeUnixNano|tonumber > 1.7e18)]')
    assert records == [[1 + 4 * i, level, "shop", True] for i, level in enumerate(LEVELS)]


@pytest.mark.parametrize("layout, name", [("json", "liblog"), ("ecs", "ecs"), ("otel", "otel")])
def test_shipper_counts_the_same_and_audits_the_same_run_in_every_layout(build, tmp_path, layout, name):
    log = tmp_path / "app.log"
    showcase(build, log, layout, LOG_SERVICE="shop")
    shipper = Shipper(build / "shipper" / "shipper", tmp_path / "state")
    config = shipper.write_config([{"paths": [str(log)], "format": name}], [])
    shipper.once("-c", config).expect(0)
    levels = Counter()
    for (_, _, service, _, level, *_), n in shipper.database.counts(10).items():
        assert service == "shop"
        levels[level] += n
    assert levels == Counter(LEVELS)
    found = runs_and_numbers(log, layout)
    (run_id, audited), = shipper.database.runs().items()
    assert (run_id, found[-1][1:]) == (found[0][0], (len(LEVELS) + 1, "close"))
    assert (audited["records"], audited["missing"], audited["duplicates"]) == (len(LEVELS) + 1, 0, 0), audited


def on_a_terminal(build, **settings):
    """What a person sees at the terminal that is the program's stderr."""
    ours, theirs = pty.openpty()
    environment = {"LOG_FILE": "stderr", "LOG_FORMAT": "text", "PATH": os.environ["PATH"], **settings}
    subprocess.run([build / "tests" / "loggers" / "showcase", "levels"], env=environment, stderr=theirs, check=True)
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 65536):
            seen += more
    except OSError:  # the other end is closed, and all is read
        pass
    os.close(ours)
    return seen.decode()


def test_text_has_colours_at_a_terminal_only_and_not_with_no_color(build, tmp_path):
    assert "\033[31mERROR" in on_a_terminal(build)
    plain = on_a_terminal(build, NO_COLOR="1")
    assert "ERROR" in plain and "\033" not in plain
    showcase(build, tmp_path / "app.log", "text")
    assert "\033" not in (tmp_path / "app.log").read_text()
