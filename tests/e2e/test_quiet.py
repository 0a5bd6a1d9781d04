"""What logging costs besides time: no system call on the caller's way, nothing at all while nobody logs, little memory."""

import re
import subprocess
import time
from pathlib import Path

THREADS = 4
CALLS = 1000
MEMORY_KB_MAX = 16 * 1024


def environment(tmp_path):
    return {"LOG_FILE": str(tmp_path / "app.log"), "PATH": "/usr/bin:/bin"}


class Quiet:
    """The program, from "done" on, when it only waits."""

    def __init__(self, build, tmp_path, threads, calls, wrapper=()):
        self.process = subprocess.Popen(
            [*wrapper, build / "tests" / "loggers" / "quiet", str(threads), str(calls)],
            env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.process.stdout.readline() == "done\n"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def status(self, pattern, task=None):
        proc = Path("/proc") / str(self.process.pid)
        text = (proc / "task" / task / "status" if task else proc / "status").read_text()
        return sum(map(int, re.findall(pattern, text)))

    def switches(self):
        """{thread's name: how often it has been given the processor}"""
        tasks = [task.name for task in (Path("/proc") / str(self.process.pid) / "task").iterdir()]
        name = {task: (Path("/proc") / str(self.process.pid) / "task" / task / "comm").read_text().strip() for task in tasks}
        return {name[task]: self.status(r"ctxt_switches:\s+(\d+)", task) for task in tasks}


def calls_between_marks(trace):
    """By thread: the system calls between its two calls of getppid, which are not among them."""
    between, inside = {}, set()
    for line in trace.read_text().splitlines():
        thread, call = re.match(r"(\d+)\s+(.*)", line).groups()
        if call.startswith("getppid("):
            inside ^= {thread}
            between.setdefault(thread, [])
        elif thread in inside and not call.startswith("<... getppid resumed"):
            between[thread].append(call)
    return between


def test_a_log_call_makes_no_system_call_while_the_ring_has_room_and_the_writer_is_awake(build, tmp_path):
    trace = tmp_path / "trace"
    with Quiet(build, tmp_path, THREADS, CALLS, ("strace", "-f", "-qq", "-o", trace)):
        pass
    between = calls_between_marks(trace)
    assert len(between) == THREADS
    assert all(calls == [] for calls in between.values()), between
    lines = (tmp_path / "app.log").read_text().splitlines()
    assert sum('"request served"' in line for line in lines) == THREADS * (1 + CALLS)


def test_while_nobody_logs_the_library_does_not_wake_up_once(build, tmp_path):
    with Quiet(build, tmp_path, 1, 10) as quiet:
        time.sleep(1)  # the writer falls asleep for good after a tenth of that
        before = quiet.switches()
        assert "ll-writer" in before
        time.sleep(2)
        assert quiet.switches() == before


def test_eight_threads_that_log_leave_the_program_under_16_mb_of_memory(build, tmp_path):
    with Quiet(build, tmp_path, 8, 20000) as quiet:
        assert quiet.status(r"VmHWM:\s+(\d+) kB") < MEMORY_KB_MAX
