"""
Input for the tests, and the truth about it.

A Story makes lines as programs write them (records of several runs, the library's marks, copies, lines that are no
records, hostile text) and adds up, while it makes them, what shipper must find: the counts of every window, the account
of every run, the rejects, and the very bytes to be forwarded. A Family puts the lines into app.log and rotates it as
logrotate does. The same seed makes the same story.

As a program: python3 -m support.records --records 300000 --folder DIR
writes DIR/logs/app.log, app.log.1, app.log.2.gz, errors.log, and the truth in DIR/truth.json.
"""

import argparse
import gzip
import json
import os
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

RESOLUTIONS_S = (10, 60, 3600, 86400)
LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MAX_LINE = 1024 * 1024
SECOND = 1_000_000_000

SERVICES = ("checkout", "search", "café-billing")
ENDPOINTS = ("", "/api/cart", "/api/glossary", "/api/orders/{id}", "/<script>alert(1)</script>")
LOGGERS = ("root", "backend.database", "backend.http")
# exception type and code; the hostile ones must reach the database as they are
FAILURES = (("OperationalError", "DB_003"), ("TimeoutError", ""), ("java.lang.NullPointerException", ""),
            ("=cmd|' /C calc'!A0", "X-1"), ("Fehler \"ü\"\\", "ÄÖ"), ("'; DROP TABLE counts; --", "%n%s"))

MESSAGES = (
    "request served", "Database connection failed", "took 12.5 ms", "%n%n%s%x", "${jndi:ldap://127.0.0.1/a}",
    '{"level":"CRITICAL","seq":1}', '","level":"CRITICAL","x":"', "<script>alert(1)</script>", "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b[0m", "a\u0000b", "zeile\u2028umbruch\u2029", "tab\tnewline\nreturn\r", "日本語 🎉", "\\", '"', "",
    "copy\":true", "x" * 3000)

# what a caller may put into `fields`: none of it may be mistaken for the record's own keys
FIELDS = (
    {"attempt": 3, "elapsed_ms": 12.5, "retry": True},
    {"level": "CRITICAL", "message": "forged", "seq": 1, "run_id": "forged", "copy": True, "mark": "close"},
    {"exception": {"type": "Forged", "code": "F_001"}, "service": "forged", "endpoint": "/forged"},
    {"deep": {"fields": {"exception": {"type": "Forged"}}, "list": [1, [2, [3, {"level": "ERROR"}]]]}},
    {"big": 18446744073709551615, "small": -9223372036854775808, "tiny": 5e-324, "none": None},
    {"\"level\":\"ERROR\"": "}{][,:", "\\": "\\\\"},
)

# one line each: (bytes without newline, the reason shipper gives)
REJECTS = (
    (b"this is no JSON at all", "not_json"),
    (b'{"timestamp":"2025-10-19T14:30:00.000000000Z","level":"ERROR","message":"cut off in the mid', "not_json"),
    (b"{'level':'ERROR'}", "not_json"),
    (b'{"level":"ERROR",}', "not_json"),
    (b'{"level":"ERROR"}{"level":"ERROR"}', "not_json"),
    (b'{"level":"ERROR","message":"a raw \x01 control"}', "not_json"),
    (b'{"level":"ERROR","n":01}', "not_json"),
    (b"\xff\xfegarbage", "not_json"),
    (b'["level","ERROR"]', "not_object"),
    (b'"ERROR"', "not_object"),
    (b"42", "not_object"),
    (b"null", "not_object"),
    (b'{"level":"ERROR","fields":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep"),
    (b'{"level":"ERROR","message":"' + b"y" * MAX_LINE + b'"}', "too_long"),
)
BLANKS = (b"", b"   ", b"\t", b"\x00" * 512, b"\r")


def rfc3339(time_ns):
    whole, rest = divmod(time_ns, SECOND)
    return datetime.fromtimestamp(whole, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


@dataclass
class RunTruth:
    """What `run` must say of one run of one process."""

    run_id: str
    service: str
    pid: int
    parent_run_id: str = ""
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    first_seq: int = 0
    last_seq: int = 0
    records: int = 0
    missing: int = 0
    duplicates: int = 0
    dropped: int = 0
    ended: str = ""  # closed, crashed, killed; empty: not known to the story

    @property
    def before_first(self):
        return self.first_seq - 1

    def saw(self, seq, time_ns):
        self.records += 1
        self.first_seq = self.first_seq or seq
        self.last_seq = max(self.last_seq, seq)
        self.first_seen_ns = min(self.first_seen_ns or time_ns, time_ns)
        self.last_seen_ns = max(self.last_seen_ns, time_ns)


@dataclass
class Truth:
    """What shipper must have found when it has read everything."""

    windows: Counter = field(default_factory=Counter)  # (start of 10 s, service, …, logger) -> count
    runs: dict = field(default_factory=dict)
    gaps: list = field(default_factory=list)
    rejects: Counter = field(default_factory=Counter)
    totals: Counter = field(default_factory=Counter)   # records, rejected, copies, bad_time, utf8 as in `source`
    forwarded: int = 0

    def count(self, time_ns, series):
        second = time_ns // SECOND
        self.windows[(second - second % 10, *series)] += 1

    def counts(self):
        """{(resolution, start, service, …, logger): count}, as Database.counts() gives it."""
        result = Counter()
        for (start, *series), count in self.windows.items():
            for resolution in RESOLUTIONS_S:
                result[(resolution, start - start % resolution, *series)] += count
        return result

    def by(self, column):
        """Totals by one column of the series: level, type, service …"""
        index = ("start", "service", "environment", "level", "type", "code", "endpoint", "logger").index(column)
        result = Counter()
        for key, count in self.windows.items():
            result[key[index]] += count
        return result

    def errors_by(self, column):
        result = Counter()
        for key, count in self.windows.items():
            if key[3] in ("ERROR", "CRITICAL"):
                result[dict(zip(("start", "service", "environment", "level", "type", "code", "endpoint", "logger"),
                                key))[column]] += count
        return result

    def by_minute(self):
        result = Counter()
        for (start, *_), count in self.windows.items():
            result[start - start % 60] += count
        return result

    def as_json(self):
        return {"records": self.totals["records"], "forwarded": self.forwarded, "totals": dict(self.totals),
                "rejects": dict(self.rejects), "by_level": dict(self.by("level")),
                "by_type": {name: n for name, n in self.errors_by("type").items() if name},
                "by_service": dict(self.by("service")), "by_minute": dict(sorted(self.by_minute().items())),
                "runs": {run_id: {**vars(run), "before_first": run.before_first} for run_id, run in self.runs.items()}}


class Program:
    """One run of one process that logs."""

    def __init__(self, story, first_seq=1, parent=""):
        chance = story.chance
        self.story = story
        self.run_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        self.service = chance.choice(SERVICES)
        self.pid = chance.randrange(2, 60000)
        self.parent = parent
        self.seq = first_seq - 1
        self.truth = RunTruth(self.run_id, self.service, self.pid, parent)
        story.truth.runs[self.run_id] = self.truth
        self.has_gaps = chance.random() < 0.3
        self.drops = not self.has_gaps  # what is dropped takes no seq, so one program does not do both
        # half of the programs write the non-ASCII letters of their service's name as escapes
        name = json.dumps(self.service, ensure_ascii=chance.random() < 0.5)
        self.environment = chance.choice(("production", "staging", ""))
        environment = f',"environment":"{self.environment}"' if self.environment else ""
        self.head = f'"service":{name}{environment}'
        self.tail = f',"run_id":"{self.run_id}"' + (f',"parent_run_id":"{parent}"' if parent else "")

    def next_seq(self):
        self.seq += 1
        return self.seq


class Story:
    """
    line() gives the next line with its newline, or a whole one of several with `lines(n)`; `forwarded` (a binary file
    or None) takes the bytes that must reach an output, in order. `kinds` leaves out what a test has no use for:
    any of "marks", "copies", "rejects", "blanks", "hostile", "audit", "bad_time", "utf8", "foreign".
    """

    KINDS = frozenset({"marks", "copies", "rejects", "blanks", "hostile", "audit", "bad_time", "utf8", "foreign"})

    def __init__(self, seed, forwarded=None, kinds=KINDS, programs=4, end_s=None, burst=7500):
        self.chance = random.Random(seed)
        self.truth = Truth()
        self.forwarded = forwarded
        self.kinds = frozenset(kinds)
        self.burst = burst
        # from 36 hours ago on: within every resolution's retention, over hours and days
        self.end_ns = int(end_s or time.time()) * SECOND
        self.now_ns = self.end_ns - 36 * 3600 * SECOND + 123456789
        self.made = 0
        self.programs = [Program(self) for _ in range(programs)]
        self.previous_ns = None   # of the plain record just before, in this file
        self.last_error = None    # the line to copy
        self.rejects_made = 0
        self.too_long_left = 2
        self._head = {level: f'","level":"{level}",' for level in LEVELS}
        self._messages = [json.dumps(text, ensure_ascii=False) for text in MESSAGES]
        self._fields = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in FIELDS]
        self._failures = [(kind, code, self._exception(kind, code)) for kind, code in FAILURES]
        self._endpoints = [(each, f',"endpoint":{json.dumps(each)}' if each else "") for each in ENDPOINTS]

    @staticmethod
    def _exception(kind, code):
        body = {"type": kind, "message": "unable to open \"the\" database"}
        if code:
            body["code"] = code
        body["traceback"] = ["open_db (db.c:118)", "main (main.c:40)"]
        return ',"exception":' + json.dumps(body, ensure_ascii=False, separators=(",", ":"))

    def begin_file(self):
        """A new file begins: the next line has no record before it."""
        self.previous_ns = None

    def tick(self):
        """Time goes on: bursts of records, and pauses of about forty minutes between them as long as there is time."""
        self.made += 1
        self.now_ns += self.chance.randrange(1_000, 60_000_000)
        if self.made % self.burst == 0 and self.now_ns < self.end_ns - 12 * 3600 * SECOND:
            self.now_ns += self.chance.randrange(1800, 3000) * SECOND
        assert self.now_ns < self.end_ns, "the story has come to the present: a time ahead of the clock is a bad one"
        return self.now_ns

    def line(self):
        """One more record of a program, with what may come with it: other lines before it. Bytes."""
        chance, lines = self.chance, []
        dice = chance.random()
        if "rejects" in self.kinds and dice < 0.004:
            lines.append(self._reject())
        elif "blanks" in self.kinds and dice < 0.006:
            lines.append(chance.choice(BLANKS) + b"\n")
        elif "copies" in self.kinds and dice < 0.010 and self.last_error:
            lines.append(self.copy())
        elif "marks" in self.kinds and dice < 0.012:
            lines.append(self._mark())
        elif "bad_time" in self.kinds and dice < 0.014 and self.previous_ns is not None:
            lines.append(self._bad_time())
        elif "foreign" in self.kinds and dice < 0.018:
            lines.append(self._foreign())
        lines.append(self.record())
        return b"".join(lines)

    def record(self, level=None):
        """A plain record of one of the programs."""
        chance = self.chance
        program = chance.choice(self.programs)
        time_ns = self.tick()
        if chance.random() < 0.005:
            time_ns -= chance.randrange(1, 1200) * SECOND  # late: it counts in the window it belongs to
        if level is None:
            level = LEVELS[min(int(chance.expovariate(0.9)) + 1, 5)] if chance.random() < 0.95 else "TRACE"
        if program.has_gaps and "audit" in self.kinds and program.truth.records and chance.random() < 0.001:
            self._gap(program)
        seq = program.next_seq()
        logger = chance.choice(LOGGERS)
        message = chance.choice(self._messages) if "hostile" in self.kinds else '"request served"'
        in_request = chance.random() < 0.6
        endpoint, endpoint_text = chance.choice(self._endpoints) if in_request else ("", "")
        kind = code = exception = ""
        if level in ("ERROR", "CRITICAL") and chance.random() < 0.8:
            kind, code, exception = chance.choice(self._failures)
        fields = ""
        if chance.random() < 0.5:
            fields = ',"fields":' + (chance.choice(self._fields) if "hostile" in self.kinds else self._fields[0])
        request = f',"request_id":"req-{self.made}"' if in_request else ""
        truncated = ',"truncated":true' if chance.random() < 0.001 else ""
        text = (f'{{"timestamp":"{rfc3339(time_ns)}{self._head[level]}{program.head},"logger":"{logger}","message":{message}'
                f'{program.tail},"seq":{seq}{request}{endpoint_text}{exception},"pid":{program.pid},"tid":{program.pid}'
                f'{fields}{truncated}}}')
        line = text.encode()
        if "utf8" in self.kinds and chance.random() < 0.001:
            line = line.replace(b',"pid":', b',"user":"\xff\xc3(\xed\xa0\x80","pid":', 1)
            self.truth.totals["utf8"] += 1
        line += b"\r\n" if "blanks" in self.kinds and chance.random() < 0.002 else b"\n"
        self._counted(line, time_ns, (program.service, program.environment, level, kind, code, endpoint, logger))
        program.truth.saw(seq, time_ns)
        self.previous_ns = time_ns
        if level in ("ERROR", "CRITICAL") and b"\xff" not in line:
            self.last_error = line
        if program.has_gaps and "audit" in self.kinds and chance.random() < 0.0005:
            return line + self._twice(program, line, time_ns, seq,
                                      (program.service, program.environment, level, kind, code, endpoint, logger))
        return line

    def copy(self):
        """The last error again, as it stands in the errors file."""
        self.truth.totals["copies"] += 1
        self.previous_ns = None
        return self.last_error.rstrip(b"\r\n")[:-1] + b',"copy":true}\n'

    def end_run(self, program, mark=None):
        """A program ends (with a mark, or just so) and another takes its place. Gives the mark's line."""
        line = self._mark_line(program, mark) if mark else b""
        self.programs[self.programs.index(program)] = Program(
            self, first_seq=self.chance.choice((1, 1, 41)) if "audit" in self.kinds else 1,
            parent=program.run_id if self.chance.random() < 0.3 else "")
        return line

    def _forward(self, line):
        self.truth.forwarded += 1
        self.truth.totals["records"] += 1
        if self.forwarded is not None:
            self.forwarded.write(line)

    def _counted(self, line, time_ns, series):
        self.truth.count(time_ns, series)
        self._forward(line)

    def _gap(self, program):
        lost = self.chance.randrange(1, 20)
        self.truth.gaps.append((program.run_id, program.seq + 1, program.seq + lost))
        program.seq += lost
        program.truth.missing += lost

    def _twice(self, program, line, time_ns, seq, series):
        program.truth.duplicates += 1
        program.truth.saw(seq, time_ns)
        if b'"user":"\xff' in line:
            self.truth.totals["utf8"] += 1
        self._counted(line, time_ns, series)
        return line

    def _reject(self):
        line, reason = REJECTS[self.rejects_made % len(REJECTS)]
        self.rejects_made += 1
        if reason == "too_long":
            if self.too_long_left == 0:
                return b""
            self.too_long_left -= 1
        self.truth.rejects[reason] += 1
        self.truth.totals["rejected"] += 1
        return line + b"\n"

    def cut_record(self):
        """The beginning of a record without its end: a file that was left so."""
        self.truth.rejects["cut"] += 1
        self.truth.totals["rejected"] += 1
        return b'{"timestamp":"2025-10-19T14:30:00.000000000Z","level":"ERROR","message":"the power went o'

    def _mark(self):
        program = self.chance.choice(self.programs)
        if program.truth.records == 0:
            return b""
        kind = self.chance.choice(("close", "crash", "recovered", "dropped", "repeated"))
        if kind == "dropped":
            return self._dropped(program) if program.drops else b""
        if kind == "repeated":
            return self._mark_line(program, kind)
        return self.end_run(program, kind)

    def _mark_line(self, program, mark, more=""):
        time_ns = self.tick()
        seq = program.next_seq()
        level = "CRITICAL" if mark == "crash" else "INFO"
        line = (f'{{"timestamp":"{rfc3339(time_ns)}","level":"{level}",{program.head},"logger":"root","message":"{mark}"'
                f'{program.tail},"seq":{seq},"mark":"{mark}"{more},"pid":{program.pid},"tid":{program.pid}}}\n').encode()
        if mark == "crash":
            self.truth.count(time_ns, (program.service, program.environment, level, "", "", "", "root"))
        self._forward(line)
        program.truth.saw(seq, time_ns)
        program.truth.ended = {"close": "closed", "crash": "crashed", "recovered": "killed"}.get(mark, program.truth.ended)
        self.previous_ns = None
        return line

    def _dropped(self, program):
        count = self.chance.randrange(1, 1000)
        program.truth.dropped += count
        return self._mark_line(program, "dropped", f',"dropped":{{"count":{count},"reason":"overflow","level":"DEBUG"}}')

    def _bad_time(self):
        """A record whose time cannot be: that of the record before it stands in."""
        program = self.chance.choice(self.programs)
        time_ns = self.previous_ns
        stamp = self.chance.choice(('', '"timestamp":"yesterday",', '"timestamp":"2099-01-01T00:00:00Z",',
                                    '"timestamp":null,', '"timestamp":"2025-13-45T99:00:00Z",'))
        seq = program.next_seq()
        line = (f'{{{stamp}"level":"ERROR",{program.head},"logger":"root","message":"no time"{program.tail},"seq":{seq},'
                f'"pid":{program.pid},"tid":{program.pid}}}\n').encode()
        self._counted(line, time_ns, (program.service, program.environment, "ERROR", "", "", "", "root"))
        self.truth.totals["bad_time"] += 1
        program.truth.saw(seq, time_ns)
        return line

    def _foreign(self):
        """Another program's line: spellings of the level, no run, white space, escaped and repeated keys."""
        time_ns = self.tick()
        name, level = self.chance.choice((("warn", "WARNING"), ("Fatal", "CRITICAL"), ("err", "ERROR"), ("info", "INFO"),
                                          ("loud", "UNKNOWN")))
        text = self.chance.choice((
            '{{ "level" : "{name}" , "timestamp" : "{stamp}", "service":"search", "message":"spaced" }}',
            '{{"message":"last of two stands","level":"trace","level":"{name}","service":"search","timestamp":"{stamp}"}}',
            '{{"le\\u0076el":"{name}","timestamp":"{stamp}","service":"s\\u0065arch","message":"escaped"}}'))
        line = (text.format(name=name, stamp=rfc3339(time_ns)) + "\n").encode()
        self._counted(line, time_ns, ("search", "", level, "", "", "", ""))
        self.previous_ns = time_ns
        return line


class Family:
    """app.log and its older generations, rotated as logrotate does: rename, create; the second older one is compressed."""

    def __init__(self, folder, name="app.log"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.live = self.folder / name

    def older(self, number):
        return self.live.with_name(f"{self.live.name}.{number}")

    def append(self, data):
        with open(self.live, "ab") as file:
            file.write(data)

    def rotate(self):
        """Without keep: gzip .1 to .2.gz (delaycompress), rename the live file to .1, begin a new one."""
        numbers = sorted((int(path.name.split(".")[-2]) for path in self.folder.glob(f"{self.live.name}.*.gz")), reverse=True)
        for number in numbers:
            packed = self.live.with_name(f"{self.live.name}.{number}.gz")
            packed.rename(self.live.with_name(f"{self.live.name}.{number + 1}.gz"))
        if self.older(1).exists():
            compress(self.older(1), self.live.with_name(f"{self.live.name}.2.gz"))
        self.live.rename(self.older(1))
        self.live.touch()

    def pattern(self):
        return f"{self.live}*"


def compress(path, packed):
    """As gzip(1) does: the packed file grows beside the plain one, gets its time, and then the plain one goes."""
    times = path.stat()
    with open(path, "rb") as plain, gzip.open(packed, "wb", compresslevel=1) as out:
        while piece := plain.read(1 << 16):
            out.write(piece)
    os.utime(packed, ns=(times.st_atime_ns, times.st_mtime_ns))
    path.unlink()


def write_three_files(story, folder, records, cut=True):
    """`records` records over app.log.2.gz, app.log.1 (left with a cut record) and app.log. Gives the family."""
    family = Family(folder)
    for part in range(3):
        story.begin_file()
        count = records // 3 + (records % 3 if part == 2 else 0)
        with open(family.live, "ab", buffering=1 << 20) as file:
            wanted = story.truth.totals["records"] + count
            while story.truth.totals["records"] < wanted:
                file.write(story.line())
            if part == 1 and cut:
                file.write(story.cut_record())
        if part < 2:
            family.rotate()
    return family


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logs = arguments.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with open(arguments.folder / "forwarded.ndjson", "wb") as forwarded:
        story = Story(arguments.seed, forwarded)
        write_three_files(story, logs, arguments.records)
    (arguments.folder / "truth.json").write_text(json.dumps(story.truth.as_json(), indent=1, ensure_ascii=False))
    print(f"{story.truth.totals['records']} records in {logs}, the truth in {arguments.folder / 'truth.json'}")


if __name__ == "__main__":
    main()
