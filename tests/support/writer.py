"""A program that logs while others do things to its file: a thread that appends a story's lines, opening the file anew."""

import subprocess
import threading
import time
from pathlib import Path

from support.processes import run


class Writer:
    """Appends until stopped. `lock` is held while the file is open, for rotations that a real program must be told of."""

    def __init__(self, story, path, lines_per_second=8000, lines_per_write=40):
        self.story = story
        self.path = Path(path)
        self.lock = threading.Lock()
        self.lines_per_write = lines_per_write
        self.pause_s = lines_per_write / lines_per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self):
        while not self._stop.is_set():
            with self.lock, open(self.path, "ab") as file:
                file.write(b"".join(self.story.line() for _ in range(self.lines_per_write)))
            time.sleep(self.pause_s)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)


class Logrotate:
    """
    The real logrotate with a configuration of the test's own. For a program that makes a new log at once, as Writer does,
    that says `nocreate`: with `create`, logrotate that finds the new file there moves it to app.log-DATE.backup. liblog
    gives logrotate a moment to make it.
    """

    def __init__(self, folder, log, *directives):
        self.state = Path(folder) / "logrotate.state"
        self.config = Path(folder) / "logrotate.conf"
        lines = ["rotate 50", "missingok", *directives]
        self.config.write_text(f"{log} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n")

    def rotate(self):
        done = run(["/usr/sbin/logrotate", "-f", "-s", self.state, self.config])
        assert done.code == 0, done.err


def generations(log):
    """All files of a log, oldest first, as logrotate numbers them."""
    log = Path(log)
    older = [path for path in log.parent.glob(log.name + ".*") if path.name[len(log.name) + 1:].split(".")[0].isdigit()]
    older.sort(key=lambda path: -int(path.name[len(log.name) + 1:].split(".")[0]))
    return older + ([log] if log.exists() else [])


def read_generations(log):
    """The bytes of all generations, in the order in which they were written."""
    parts = []
    for path in generations(log):
        if path.suffix == ".gz":
            parts.append(subprocess.run(["gzip", "-dc", path], capture_output=True, check=True, timeout=60).stdout)
        else:
            parts.append(path.read_bytes())
    return b"".join(parts)
