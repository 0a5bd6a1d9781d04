"""Starting, awaiting and ending processes. Every wait has an end, and only processes started here are ended, by id."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Finished:
    """What a process that has ended leaves behind."""

    code: int
    out: bytes
    err: str

    def expect(self, code=0):
        assert self.code == code, f"exit code {self.code}, expected {code}\n{self.err}"
        return self


def clean_environment(**more):
    """This process's environment without anything that configures liblog or shipper."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("LOG_", "SHIPPER_")) and name not in ("APP_ENV", "NO_COLOR")}
    return {**kept, **more}


def run(command, timeout_s=60, cwd=None, env=None, stdin=subprocess.DEVNULL):
    """Runs a command to its end; a command that outlives its time is killed and the test fails."""
    done = subprocess.run([str(part) for part in command], stdin=stdin, capture_output=True, timeout=timeout_s, cwd=cwd,
                          env=clean_environment() if env is None else env)
    return Finished(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


class Child:
    """A process of our own that runs beside the test. Used with `with`: at the end it is gone, whatever happened."""

    def __init__(self, command, cwd=None, env=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=stdout,
                                        stderr=stderr, cwd=cwd, env=clean_environment() if env is None else env)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        """kill -9, and waits until the kernel has let go of it."""
        self.process.kill()
        return self.process.wait(timeout=30)

    def terminate(self, timeout_s=10):
        """SIGTERM, and the exit code; a process that does not end in time fails the test."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=timeout_s)

    def wait(self, timeout_s):
        return self.process.wait(timeout=timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_running():
            self.process.kill()
        self.process.wait(timeout=30)


def wait_until(condition, timeout_s=30, what="the condition", every_s=0.05):
    """Waits for `condition()` to be true and returns what it gave."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} did not come about within {timeout_s} s"
        time.sleep(every_s)


def free_ports(count):
    """Ports of 127.0.0.1 that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
