"""
A program that crashes: its log ends with one record that says where and why, and the system says of its end what it says
without liblog. Each case is run twice, with liblog and its crash handler and without, and the two ends are compared.
"""

import json
import resource
import signal
import struct
import subprocess

import pytest

from support.logger import log_environment
from support.processes import run

# What happens, with which signal, and which functions the call stack begins with.
CRASHES = {
    "segv": ("SIGSEGV", ["write_to_nowhere", "serve_request"]),
    "abort": ("SIGABRT", None),
    "fpe": ("SIGFPE", ["divide_by_zero"]),
    "ill": ("SIGILL", ["run_no_instruction"]),
    "bus": ("SIGBUS", ["read_behind_a_file"]),
    "null_call": ("SIGSEGV", None),
    "smashed": ("SIGSEGV", ["smash_the_stack"]),
    "sent": ("SIGSEGV", None),
    "thread": ("SIGSEGV", ["write_to_nowhere", "serve_request", "in_a_thread"]),
    "threads": ("SIGSEGV", ["write_to_nowhere", "serve_request", "in_a_thread"]),
    "overflow": ("SIGSEGV", ["recurse", "recurse"]),
    "thread_overflow": ("SIGSEGV", ["recurse", "recurse"]),
    "in_call": ("SIGSEGV", None),
    "in_lock": ("SIGSEGV", None),
}


def with_core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)


def crash(build, folder, case, *more):
    """Runs a case in a folder of its own and gives how it ended."""
    folder.mkdir()
    done = subprocess.run([build / "tests" / "loggers" / "crasher", case, *more], cwd=folder, capture_output=True, timeout=60,
                          env=log_environment(folder / "app.log"), preexec_fn=with_core_files)
    return done.returncode, done.stdout


def records(log):
    return [json.loads(line) for line in log.read_bytes().decode().splitlines()]


def function_of(entry):
    return entry.split("+")[0]


@pytest.mark.parametrize("case", CRASHES)
def test_the_last_record_says_where_and_why_and_the_program_ends_as_without_liblog(build, tmp_path, case):
    name, functions = CRASHES[case]
    code, _ = crash(build, tmp_path / "with", case)
    assert code == -getattr(signal, name)
    assert crash(build, tmp_path / "without", case, "without")[0] == code
    log = records(tmp_path / "with" / "app.log")
    assert [record["seq"] for record in log] == list(range(1, len(log) + 1))
    assert [record["fields"]["n"] for record in log[:3]] == [1, 2, 3]
    crashes = [record for record in log if record.get("mark") == "crash"]
    assert len(crashes) == 1 and crashes[0]["level"] == "CRITICAL"
    assert crashes[0]["exception"]["type"] == name and crashes[0]["fields"]["signal"] == getattr(signal, name)
    traceback = crashes[0]["exception"]["traceback"]
    if functions:
        assert [function_of(entry) for entry in traceback[:len(functions)]] == functions
        assert traceback[0].endswith(" (crasher)")
    if "thread" not in case:
        assert crashes[0]["request_id"] == "abc123"


def test_a_call_through_a_null_pointer_names_the_function_that_made_it(build, tmp_path):
    crash(build, tmp_path / "with", "null_call")
    traceback = records(tmp_path / "with" / "app.log")[-1]["exception"]["traceback"]
    assert traceback[0] == "0x0" and function_of(traceback[1]) == "call_nothing"


def test_the_address_is_told(build, tmp_path):
    crash(build, tmp_path / "with", "segv")
    assert records(tmp_path / "with" / "app.log")[-1]["fields"]["address"] == "0x10"


def test_a_crash_of_the_writer_itself_is_written_by_whoever_comes_next(build, tmp_path):
    code, _ = crash(build, tmp_path / "with", "in_writer")
    assert code == -signal.SIGSEGV
    log = tmp_path / "with" / "app.log"
    run([build / "shipper" / "shipper", "recover", log]).expect(0)
    found = records(log)
    assert [record.get("mark") for record in found] == [None, None, None, "crash", "recovered"]
    entries = found[3]["exception"]["traceback"]
    assert entries and all("(" in entry and entry.startswith("0x") for entry in entries), "offset and module"


def test_a_handler_that_was_there_before_gets_the_signal_after_the_record(build, tmp_path):
    code, out = crash(build, tmp_path / "with", "own_handler")
    assert (code, out) == (3, b"own handler\n") == crash(build, tmp_path / "without", "own_handler", "without")
    assert [record.get("mark") for record in records(tmp_path / "with" / "app.log")] == [None, None, None, "crash"]


def test_a_program_that_survives_goes_on_logging(build, tmp_path):
    assert crash(build, tmp_path / "with", "survived")[0] == 0
    log = records(tmp_path / "with" / "app.log")
    assert [record.get("mark") for record in log] == [None, None, None, "crash", None, "close"]
    assert log[4]["message"] == "survived"


# --- the core file ---------------------------------------------------------------------------------------------------

NT_PRSTATUS, NT_FILE = 1, 0x46494C45
PC_AT = {62: 112 + 16 * 8, 183: 112 + 32 * 8}  # x86-64, arm64: the instruction pointer in a thread's registers


def notes(core):
    machine = struct.unpack_from("<H", core, 18)[0]
    offset, = struct.unpack_from("<Q", core, 32)
    each, count = struct.unpack_from("<HH", core, 54)
    for at in range(offset, offset + each * count, each):
        kind, _, place, _, _, size = struct.unpack_from("<IIQQQQ", core, at)
        end = place + size
        while kind == 4 and place < end:
            name, body, note = struct.unpack_from("<III", core, place)
            place += 12 + (name + 3) // 4 * 4
            yield machine, note, core[place:place + body]
            place += (body + 3) // 4 * 4


def crashed_at(core):
    """The signal of the thread that crashed, and where it was: file and offset in it."""
    status = next((machine, body) for machine, note, body in notes(core) if note == NT_PRSTATUS)
    files = next(body for _, note, body in notes(core) if note == NT_FILE)
    pc, = struct.unpack_from("<Q", status[1], PC_AT[status[0]])
    count, page = struct.unpack_from("<QQ", files, 0)
    names = files[16 + 24 * count:].split(b"\0")
    for i in range(count):
        start, end, offset = struct.unpack_from("<QQQ", files, 16 + 24 * i)
        if start <= pc < end:
            return struct.unpack_from("<h", status[1], 12)[0], names[i].decode(), pc - start + offset * page
    return struct.unpack_from("<h", status[1], 12)[0], "", pc


@pytest.mark.parametrize("case", ["segv", "fpe", "ill", "abort", "overflow", "thread", "sent"])
def test_the_core_file_shows_the_instruction_that_crashed_as_without_liblog(build, tmp_path, case):
    """Where the system hands core files to a program of its own, what that is told is compared: the signal."""
    ends = [crash(build, tmp_path / "with", case), crash(build, tmp_path / "without", case, "without")]
    assert ends[0] == ends[1]
    cores = [list((tmp_path / side).glob("core*")) for side in ("with", "without")]
    assert len(cores[0]) == len(cores[1])
    places = [crashed_at(core.read_bytes()) for side in cores for core in side]
    assert len(set(places)) <= 1, places
    assert all(place[0] == -ends[0][0] for place in places)
