"""Plugins that come and go, programs that become daemons, handlers that log at a high rate: nothing is lost or doubled."""

import json
import subprocess

from support.logger import Account, Counters, log_environment, ring_files as files_beside
from support.processes import wait_until


def ring_files(log):
    return [name for name in files_beside(log) if name.endswith((".ring", ".new"))]


def records(log):
    return [json.loads(line) for line in log.read_bytes().decode().splitlines()]


def test_a_plugin_that_is_loaded_and_unloaded_again_and_again_says_what_it_said(build, tmp_path):
    """More rounds than the table of call sites has room for, were each loading entered anew."""
    rounds, folder = 6000, build / "tests" / "loggers"
    log = tmp_path / "app.log"
    done = subprocess.run([folder / "plugin_host", str(rounds), folder / "plugin_a.so", folder / "plugin_b.so"],
                          env=log_environment(log), capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    found = records(log)
    assert len(found) == 2 * rounds + 1 and found[-1]["mark"] == "close"
    for n in range(rounds):
        letter, (at_work, failed) = "ab"[n % 2], found[2 * n:2 * n + 2]
        assert at_work["logger"] == failed["logger"] == f"plugin.{letter}"
        assert at_work["message"] == f"plugin {letter} at work" and failed["message"] == f"plugin {letter} failed"
        assert at_work["fields"] == {f"round {letter}": n, "plugin": letter} and failed["fields"] == {"round": n}
        assert failed["exception"] == {"type": f"PluginError{letter}", "message": "as it should"}


def test_a_handler_that_logs_5000_times_a_second_and_forked_children_lose_nothing(build, tmp_path):
    """The main thread logs without pause meanwhile; campaign_signals.py does it with two million records."""
    log, settled = tmp_path / "app.log", tmp_path / "settled.json"
    signals(build, log, settled, records_own=150_000, children=5)


def signals(build, log, settled, records_own, children):
    done = subprocess.run([build / "tests" / "loggers" / "interrupted", str(records_own), "200", str(children), settled],
                          env=log_environment(log, LOG_BLOCK_MAX="60s"), capture_output=True, timeout=400)
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(settled.read_text())
    seen, seq = {"main": 0, "handler": 0, "child": 0}, {}
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            run = record["run_id"]
            assert record["seq"] == seq.get(run, 0) + 1
            seq[run] = record["seq"]
            if "mark" in record:
                assert record["mark"] == "close", line
                continue
            kind = record["message"]
            if kind != "child":
                assert record["fields"]["n"] == seen[kind], line
            seen[kind] += 1
    assert seen == {**told, "child": 10 * children}
    assert told["main"] >= records_own and told["handler"] >= 200
    assert ring_files(log) == []
    return told


def test_exit_among_logging_threads_loses_no_call_that_returned(build, tmp_path):
    log, path = tmp_path / "app.log", tmp_path / "counters"
    for attempt in range(10):
        counters, account = Counters(path), Account()
        done = subprocess.run([build / "tests" / "loggers" / "restless", path, "3", "0", "1000000000", "0",
                               str(20 + attempt)], env=log_environment(log), timeout=60)
        assert done.returncode == 0
        account.read(log.read_bytes())
        account.settle(counters.run_id(), counters.returned(3))
        assert account.marks == {"close": 1} and ring_files(log) == []
        counters.close()
        log.unlink()


def test_a_daemon_keeps_what_its_parent_logged_before(build, tmp_path):
    """daemon(3) ends the parent by _exit: what lay in its ring is finished by the child."""
    log = tmp_path / "app.log"
    done = subprocess.run([build / "tests" / "loggers" / "daemonized"], env=log_environment(log), timeout=60)
    assert done.returncode == 0
    found = wait_until(lambda: log.exists() and [r for r in records(log) if r.get("mark") == "close"] and records(log),
                       what="the daemon's end")
    messages = [record["message"] for record in found if "mark" not in record]
    assert sorted(messages) == ["before open", "in the daemon", "in the parent", "in the parent"]
    parent = next(record["run_id"] for record in found if record["message"] == "in the parent")
    assert all(record["parent_run_id"] == parent for record in found if record["message"] == "in the daemon")
    assert ring_files(log) == []


def test_what_handlers_of_exit_log_is_there_before_the_end(build, tmp_path):
    log = tmp_path / "app.log"
    done = subprocess.run([build / "tests" / "loggers" / "at_exit"], env=log_environment(log), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    found = records(log)
    assert [record["seq"] for record in found] == [1, 2, 3, 4]
    assert [record["message"] for record in found[:3]] == ["main", "handler registered after open", "handler registered before open"]
    assert found[3]["mark"] == "close" and ring_files(log) == []
