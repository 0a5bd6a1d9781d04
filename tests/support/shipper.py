"""Running shipper, and reading the database it leaves."""

import json
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

from support.processes import Child, run

SERIES_COLUMNS = ("service", "environment", "level", "type", "code", "endpoint", "logger")


class Shipper:
    """One state folder, in which the program runs as often as the test likes."""

    def __init__(self, binary, folder):
        assert Path(binary).is_file(), f"{binary} is not built"
        self.binary = Path(binary)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(self.folder / "shipper.db")

    def run(self, *arguments, timeout_s=120, env=None):
        return run([self.binary, *arguments], timeout_s=timeout_s, cwd=self.folder, env=env)

    def once(self, *arguments, timeout_s=120, env=None):
        return self.run("run", "--once", *arguments, timeout_s=timeout_s, env=env)

    def start(self, *arguments, stdout=subprocess.DEVNULL, env=None):
        """`shipper run …` beside the test; its words go to shipper.err in the state folder."""
        return self.start_command("run", *arguments, stdout=stdout, env=env)

    def start_command(self, *arguments, stdout=subprocess.DEVNULL, env=None):
        with open(self.folder / "shipper.err", "ab") as words:
            return Child([self.binary, *arguments], cwd=self.folder, stdout=stdout, stderr=words, env=env)

    def words(self):
        path = self.folder / "shipper.err"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def write_config(self, inputs, outputs, name="shipper.yaml", **more):
        """A configuration with this state folder. JSON is YAML, so nothing needs quoting by hand."""
        path = self.folder / name
        path.write_text(json.dumps({"state_dir": str(self.folder), "inputs": inputs, "outputs": outputs, **more}, indent=2))
        return path


class Database:
    """shipper.db as a user reads it: read-only, with the names of docs/store.md."""

    def __init__(self, path):
        self.path = Path(path)

    def query(self, sql, *parameters):
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def counts(self, resolution_s=None):
        """{(resolution, start, service, environment, level, type, code, endpoint, logger): count}"""
        rows = self.query(f"SELECT resolution_s, start, {', '.join(SERIES_COLUMNS)}, SUM(count) FROM counts"
                          " JOIN series ON series.id = series_id GROUP BY resolution_s, start,"
                          f" {', '.join(SERIES_COLUMNS)}")
        return Counter({row[:-1]: row[-1] for row in rows if resolution_s in (None, row[0])})

    RUN_COLUMNS = ("run_id", "parent_run_id", "pid", "service", "first_seen_ns", "last_seen_ns", "first_seq", "last_seq",
                   "records", "missing", "duplicates", "dropped", "before_first", "inexact", "ended")

    def runs(self):
        """{run_id: {column: value}}"""
        rows = self.query(f"SELECT {', '.join(self.RUN_COLUMNS)} FROM run")
        return {row[0]: dict(zip(self.RUN_COLUMNS, row)) for row in rows}

    def gaps(self):
        return sorted(self.query("SELECT run_id, from_seq, to_seq FROM run_gap"))

    def rejects(self):
        return {reason: count for reason, count in self.query("SELECT reason, count FROM reject") if count}

    def reject_lines(self):
        return self.query("SELECT reason, line FROM reject_line ORDER BY source_id, offset")

    def source_totals(self):
        names = ("records", "rejected", "copies", "bad_time", "utf8", "lost_bytes")
        sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in names)
        return dict(zip(names, self.query(f"SELECT {sums} FROM source")[0]))

    def positions(self, output):
        """How far the output is in each source, by the source's path."""
        return dict(self.query("SELECT path, offset FROM output_position JOIN source ON source.id = source_id"
                               " WHERE output = ?", output))

    def integrity(self):
        return [row[0] for row in self.query("PRAGMA integrity_check")]

    def statistics(self):
        """Everything that must be equal between two ways to read the same files."""
        return {"counts": self.counts(), "runs": self.runs(), "gaps": self.gaps(), "rejects": self.rejects(),
                "totals": self.source_totals()}
