"""What the commands answer equals the truth, parses in every format, and ends with the exit code that was promised."""

import csv
import html
import io
import json
import re
from datetime import datetime, timezone

import pytest

from support.check import differences
from support.processes import clean_environment, run
from support.records import Story, write_three_files
from support.shipper import Shipper

COMMANDS = ("run", "check", "report", "stats", "recover", "explain")


@pytest.fixture(scope="module")
def filled(build, tmp_path_factory):
    """A state folder in which 20,000 records have been counted, and the truth about them."""
    folder = tmp_path_factory.mktemp("filled")
    story = Story(90)
    family = write_three_files(story, folder / "logs", 20000)
    shipper = Shipper(build / "shipper" / "shipper", folder / "state")
    shipper.once(family.pattern()).expect(0)
    return shipper, story.truth


def answer(shipper, *arguments, code=0):
    return shipper.run(*arguments).expect(code).out.decode()


def test_stats_tell_the_totals_by_level_and_type_and_the_rate_between_first_and_last(filled):
    shipper, truth = filled
    stats = json.loads(answer(shipper, "stats"))

    assert list(stats)[:5] == ["error_counts", "error_types", "total_errors", "error_rate_per_minute",
                               "tracking_duration_minutes"]
    wanted = dict(truth.by("level"))
    assert {level: n for level, n in stats["error_counts"].items() if n} == wanted
    types = {name: n for name, n in truth.errors_by("type").items() if name}
    assert {name: n for name, n in stats["error_types"].items() if name} == types
    assert stats["total_errors"] == wanted["ERROR"] + wanted["CRITICAL"]
    # the time between first and last, known to ten seconds at either end
    minutes = (max(truth.windows)[0] - min(truth.windows)[0]) / 60
    assert stats["tracking_duration_minutes"] == pytest.approx(minutes, abs=0.35)
    assert stats["error_rate_per_minute"] == pytest.approx(
        stats["total_errors"] / stats["tracking_duration_minutes"], abs=0.01)


def rows_of(report):
    return report["groups"]


def test_a_report_shows_its_range_its_total_all_levels_and_the_account_of_runs_and_rejects(filled):
    shipper, truth = filled
    report = json.loads(answer(shipper, "report", "--since", "3d", "--format", "json"))

    levels = dict(truth.by("level"))
    assert report["total"] == levels["ERROR"] + levels["CRITICAL"]
    assert {level: n for level, n in report["level_counts"].items() if n} == levels
    assert report["records"] == sum(levels.values())
    runs = [run for run in truth.runs.values() if run.records]
    assert report["runs"]["runs"] == len(runs)
    for fact in ("records", "missing", "duplicates", "dropped", "before_first"):
        assert report["runs"][fact] == sum(getattr(run, fact) for run in runs), fact
    assert {reason: n for reason, n in report["rejected"].items() if n} == dict(truth.rejects)
    assert report["minutes"] > 0
    assert report["rate_per_minute"] == pytest.approx(report["total"] / report["minutes"], rel=0.001)


BY = ("type", "code", "service", "endpoint", "level", "logger")


@pytest.mark.parametrize("by", BY)
def test_a_report_of_all_there_is_by_any_column_adds_up_to_the_truth(filled, by):
    shipper, truth = filled
    report = json.loads(answer(shipper, "report", "--since", "3d", "--by", by, "--top", "1000", "--format", "json"))
    found = {row[by]: row["count"] for row in rows_of(report)}
    wanted = dict(truth.errors_by(by))
    assert found == wanted, differences(found, wanted)


@pytest.mark.parametrize("level", ["WARNING", "CRITICAL"])
def test_a_report_from_a_level_on_counts_that_level_and_those_above(filled, level):
    shipper, truth = filled
    above = ("WARNING", "ERROR", "CRITICAL")
    wanted = {name: n for name, n in truth.by("level").items() if name in above[above.index(level):]}
    report = json.loads(answer(shipper, "report", "--since", "3d", "--by", "level", "--level", level, "--format", "json"))
    assert {row["level"]: row["count"] for row in rows_of(report)} == wanted


def test_a_report_of_one_service_has_only_that_services_errors(filled):
    shipper, truth = filled
    wanted = sum(n for key, n in truth.windows.items() if key[1] == "café-billing" and key[3] in ("ERROR", "CRITICAL"))
    report = json.loads(answer(shipper, "report", "--since", "3d", "--service", "café-billing", "--by", "service",
                               "--format", "json"))
    assert {row["service"]: row["count"] for row in rows_of(report)} == {"café-billing": wanted}


def test_a_report_between_two_times_counts_whole_windows_and_prints_the_range_it_used(filled):
    shipper, truth = filled
    starts = sorted({key[0] for key in truth.windows})
    middle = starts[len(starts) // 2]
    since, until = middle - middle % 3600, middle - middle % 3600 + 3600
    wanted = sum(n for key, n in truth.windows.items() if since <= key[0] < until and key[3] in ("ERROR", "CRITICAL"))

    stamps = [datetime.fromtimestamp(each, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for each in (since, until)]
    text = answer(shipper, "report", "--since", stamps[0], "--until", stamps[1], "--by", "level", "--format", "json")

    assert wanted > 0 and sum(row["count"] for row in rows_of(json.loads(text))) == wanted
    table = shipper.run("report", "--since", stamps[0], "--until", stamps[1])
    assert all(stamp[:16].replace("T", " ") in (table.out.decode() + table.err).replace("T", " ") for stamp in stamps)


def test_every_format_of_the_report_parses_and_says_the_same(filled):
    shipper, truth = filled
    ask = ("report", "--since", "3d", "--by", "service", "--format")
    wanted = dict(truth.errors_by("service"))

    assert {row["service"]: row["count"] for row in rows_of(json.loads(answer(shipper, *ask, "json")))} == wanted
    lines = [json.loads(line) for line in answer(shipper, *ask, "jsonl").splitlines()]
    assert {row["service"]: row["count"] for row in lines if "service" in row} == wanted
    table = csv.DictReader(io.StringIO(answer(shipper, *ask, "csv"), newline=""))
    assert {row["service"]: int(row["count"]) for row in table} == wanted
    for form in ("table", "md"):
        text = answer(shipper, *ask, form)
        for service, count in wanted.items():
            assert re.search(rf"{service}\W.*\b{count}\b", text), f"{service} {count} not in\n{text}"
    page = answer(shipper, *ask, "html")
    assert page.lstrip().lower().startswith("<!doctype html>") and all(str(n) in page for n in wanted.values())


def test_hostile_names_do_no_harm_in_csv_and_html(filled):
    shipper, _ = filled
    table = answer(shipper, "report", "--since", "3d", "--by", "type", "--format", "csv")
    assert not any(cell.startswith(("=", "+", "@")) for row in csv.reader(io.StringIO(table)) for cell in row)
    assert "cmd|' /C calc'!A0" in table
    page = answer(shipper, "report", "--since", "3d", "--by", "endpoint", "--format", "html")
    assert "<script>alert" not in page and "<script>alert(1)</script>" in html.unescape(page)


def test_a_report_can_be_written_to_a_file(filled, tmp_path):
    shipper, _ = filled
    out = tmp_path / "report.json"
    assert answer(shipper, "report", "--since", "3d", "--by", "type", "--format", "json", "-o", out) == ""
    assert json.loads(out.read_text()) is not None
    assert shipper.run("report", "-o", tmp_path / "none" / "report.json").code == 73


def test_a_report_is_answered_while_the_daemon_runs(filled, tmp_path):
    shipper, _ = filled
    (tmp_path / "other.log").touch()
    with shipper.start(tmp_path / "other.log") as child:
        assert json.loads(answer(shipper, "stats"))["total_errors"] > 0
        assert child.is_running() and child.terminate() == 0


@pytest.mark.parametrize("command", ["report", "stats"])
def test_asking_before_anything_was_counted_says_what_to_do(shipper, command):
    done = shipper.run(command)
    assert done.code == 66 and "DB_006" in done.err and done.out == b""
    assert not shipper.database.path.exists()


@pytest.mark.parametrize("arguments", [("--since", "yesterdayish"), ("--by", "colour"), ("--format", "pdf"), ("--top", "many")])
def test_a_value_on_the_command_line_that_cannot_be_is_refused_with_what_would_do(filled, arguments):
    shipper, _ = filled
    done = shipper.run("report", *arguments)
    assert done.code == 64 and arguments[0] in done.err and arguments[1] in done.err


def test_explain_knows_every_code_that_is_in_the_catalogue(shipper):
    catalogue = json.loads(answer(shipper, "explain", "--format", "json"))
    assert {entry["code"] for entry in catalogue} >= {"CFG_003", "IO_001", "DB_005", "KAF_001", "NET_001", "VAL_001"}
    for entry in catalogue:
        text = answer(shipper, "explain", entry["code"])
        assert entry["meaning"] in text and all(step in text for step in entry["steps"])
        assert 1 <= len(entry["steps"]) <= 3 and entry["exit_code"] in (64, 65, 66, 69, 70, 73, 74, 75, 77, 78)
    done = shipper.run("explain", "CFG_0003")
    assert done.code == 64 and done.out == b""


def test_check_prints_the_configuration_in_force_the_files_that_match_and_each_outputs_guarantee(shipper, tmp_path):
    (tmp_path / "app.log").write_bytes(Story(91, kinds=()).record())
    config = shipper.write_config(
        [{"paths": [str(tmp_path / "*.log")]}],
        [{"name": "lake", "type": "kafka", "brokers": "127.0.0.1:1", "topic": "logs",
          "properties": {"sasl.password": "hunter2"}}, {"name": "out", "type": "stdout"}])

    done = shipper.run("check", "-c", config).expect(0)

    text = done.out.decode()
    assert str(tmp_path / "app.log") in text and "at_least_once" in text.replace(" ", "_").replace("-", "_")
    assert "max_line" in text and "hunter2" not in text + done.err
    assert not shipper.database.path.exists()


def test_a_variable_in_the_environment_overrides_the_file_and_expands_in_it(shipper, tmp_path):
    config = shipper.folder / "shipper.yaml"
    config.write_text(f"environment: ${{WHERE:-development}}\nstate_dir: {shipper.folder}\n"
                      f"inputs:\n  - paths: ['{tmp_path}/*.log']\n")
    assert "development" in shipper.run("check", "-c", config).out.decode()
    assert "staging" in shipper.run("check", "-c", config, env=clean_environment(WHERE="staging")).out.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_on_stdout(shipper, command):
    done = shipper.run(command, "--help").expect(0)
    assert command in done.out.decode() and done.err == ""


def test_help_and_version_of_the_program(shipper):
    text = shipper.run("--help").expect(0).out.decode()
    assert all(command in text for command in COMMANDS)
    assert re.search(r"\d+\.\d+\.\d+", shipper.run("--version").expect(0).out.decode())


def test_views_for_people_agree_with_the_truth(filled):
    shipper, truth = filled
    rows = shipper.database.query("SELECT SUM(errors), SUM(records) FROM error_rate_per_minute")
    levels = truth.by("level")
    assert rows == [(levels["ERROR"] + levels["CRITICAL"], sum(levels.values()))]
    runs = shipper.database.query("SELECT SUM(records), SUM(missing), SUM(duplicates) FROM run_accounting")
    assert runs == [tuple(sum(getattr(run, name) for run in truth.runs.values())
                          for name in ("records", "missing", "duplicates"))]


def test_answers_have_no_colour_when_nobody_looks(filled):
    shipper, _ = filled
    for arguments in (("report", "--since", "3d"), ("explain", "IO_001"), ("--help",)):
        assert b"\x1b" not in shipper.run(*arguments).out


def test_the_database_opens_with_sqlite3_and_names_itself(filled):
    shipper, _ = filled
    done = run(["sqlite3", "-readonly", shipper.database.path, "PRAGMA application_id; PRAGMA journal_mode;"]).expect(0)
    assert done.out.decode().split() == [str(0x6c6f6753), "wal"]
    assert shipper.database.path.stat().st_mode & 0o777 == 0o640
