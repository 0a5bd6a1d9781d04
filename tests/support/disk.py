"""A small file system of the test's own, which it fills and empties as it likes."""

import os
import subprocess
from pathlib import Path


class Disk:
    """A tmpfs; used with `with`, and gone at the end."""

    def __init__(self, folder, size_kib):
        self.folder = Path(folder)
        self.size_kib = size_kib
        self.filler = self.folder / "filler"

    def __enter__(self):
        self.folder.mkdir(parents=True)
        self._run("mount", "-t", "tmpfs", "-o", f"size={self.size_kib}k", "tmpfs", self.folder)
        return self

    def __exit__(self, *_):
        self._run("umount", "-l", self.folder)

    def _run(self, *command):
        done = subprocess.run([str(part) for part in command], capture_output=True, timeout=30)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"

    def remount(self, options):
        self._run("mount", "-o", f"remount,{options}", self.folder)

    def free_bytes(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_bsize

    def fill(self, leave_bytes=0):
        """Takes all room but `leave_bytes`."""
        with open(self.filler, "ab", buffering=0) as filler:
            try:
                while self.free_bytes() > leave_bytes:
                    filler.write(bytes(min(65536, self.free_bytes() - leave_bytes)))
            except OSError:
                pass  # somebody else was quicker: it is full all the same

    def empty(self):
        self.filler.unlink(missing_ok=True)
