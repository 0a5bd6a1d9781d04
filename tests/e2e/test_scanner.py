"""The scanner against Python's own JSON parser: the same verdict and the same values for every line, by every way of scanning.

SCANNER_LINES=1000000 SCANNER_SEED=7 makes it longer, and another."""

import json
import os
import random
import subprocess

import pytest

LINES = int(os.environ.get("SCANNER_LINES", "20000"))
SEED = int(os.environ.get("SCANNER_SEED", "115"))
DEPTH_MAX = 128
KEYS = ("timestamp", "level", "service", "environment", "logger", "message", "run_id", "parent_run_id", "seq", "mark",
        "request_id", "trace_id", "span_id", "endpoint", "user", "pid", "tid", "truncated", "copy")
NESTED = {"exception": ("type", "message", "code", "fingerprint"), "dropped": ("count", "reason", "level")}


# ---- what Python says ----

class Refused(Exception):
    pass


class Number(str):
    """As it stands in the line."""


def refuse(_):
    raise Refused


def depth_of(text):
    """How deep brackets are nested, outside of strings."""
    depth = deepest = 0
    inside = escaped = False
    for c in text:
        if inside:
            inside, escaped = not (c == '"' and not escaped), c == "\\" and not escaped
        elif c == '"':
            inside = True
        elif c in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "}]":
            depth -= 1
    return deepest


def kind_and_text(value):
    if isinstance(value, Number):
        return ["number", str(value)]
    if isinstance(value, str):
        return ["string", value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
                if not any(0xD800 <= ord(c) < 0xE000 for c in value)
                else "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in value)]
    if value is None:
        return ["null", ""]
    if isinstance(value, bool):
        return ["true" if value else "false", None]
    return ["object" if isinstance(value, Pairs) else "array", None]


class Pairs(list):
    """An object with its members in order, so that a key that stands twice can be seen."""


def flatten(pairs, mapping):
    """{key of the record: value}: the last stands, and a later object takes the place of an earlier one whole."""
    found = {}
    for key, value in pairs:
        if key in KEYS and key not in mapping.values():
            found[key] = value
        if key in NESTED:
            found = {name: old for name, old in found.items() if not name.startswith(key + ".")}
            if isinstance(value, Pairs):
                for inner, inner_value in value:
                    if inner in NESTED[key]:
                        found[f"{key}.{inner}"] = inner_value
    return found


def expected(line, mapping):
    """What the scanner must say: {"reject": reason}, or {"utf8": …, "values": …}."""
    text = line.decode("utf-8", "surrogateescape")
    is_utf8 = not any(0xDC80 <= ord(c) <= 0xDCFF for c in text)
    if depth_of(text) > DEPTH_MAX + 1:
        return None  # what is wrong before that depth is told first; the lines of one mistake say enough
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse, object_pairs_hook=Pairs)
    except (ValueError, Refused, RecursionError):
        return {"reject": "not_json"}
    if depth_of(text) > DEPTH_MAX:
        return {"reject": "too_deep"}
    if not isinstance(value, Pairs):
        return {"reject": "not_object"}
    values = {key: kind_and_text(each) for key, each in flatten(value, mapping).items()}
    return {"utf8": is_utf8, "values": values}


def same(found, wanted, line):
    if wanted is None:
        return found.get("reject") in ("too_deep", "not_json")
    if "reject" in wanted or "reject" in found:
        # Not JSON and too deep at once: either is true.
        both = {found.get("reject"), wanted.get("reject")}
        return found.get("reject") == wanted.get("reject") or (
            both == {"not_json", "too_deep"} and depth_of(line.decode("utf-8", "surrogateescape")) > DEPTH_MAX)
    if found["utf8"] != wanted["utf8"] or found["values"].keys() != wanted["values"].keys():
        return False
    for key, (kind, text) in wanted["values"].items():
        found_kind, found_text = found["values"][key]
        if kind != found_kind or (text is not None and wanted["utf8"] and text != found_text):
            return False
    return True


# ---- lines ----

class Lines:
    def __init__(self, seed):
        self.chance = random.Random(seed)

    def string(self):
        chance = self.chance
        alphabet = chance.choice(["abc", "aé€😀", "a\"\\/\b\f\n\r\t\x01\x7f", "{}[]:,\" ", "\ud800\udc00a", "\u2028\ufeff0"])
        return "".join(chance.choice(alphabet) for _ in range(chance.choice([0, 1, 3, 8, 30, 63, 64, 65, 200])))

    def scalar(self):
        chance = self.chance
        return chance.choice([
            lambda: chance.choice([True, False, None]), lambda: chance.randrange(-10, 10), lambda: chance.getrandbits(64),
            lambda: chance.uniform(-1e3, 1e3), lambda: chance.choice([1e300, -0.0, 5e-324, 1e22]), self.string, self.string,
            lambda: chance.choice(["INFO", "ERROR", "2025-10-19T14:30:00.5Z"])])()

    def value(self, depth):
        dice = self.chance.random()
        if depth <= 0 or dice < 0.6:
            return self.scalar()
        if dice < 0.75:
            return [self.value(depth - 1) for _ in range(self.chance.randrange(4))]
        return self.object(depth - 1)

    def object(self, depth):
        names = [*KEYS, *NESTED, "fields", "source", "type", "code", "count", "x", "", "exception.type", "level "]
        return {self.chance.choice(names) if self.chance.random() < 0.9 else self.string(): self.value(depth)
                for _ in range(self.chance.randrange(7))}

    def record(self):
        """As liblog writes it: lines of one shape, one after the other."""
        chance = self.chance
        record = {"timestamp": "2025-10-19T14:30:%02d.%09dZ" % (chance.randrange(60), chance.randrange(10**9)),
                  "level": chance.choice(["INFO", "WARNING", "ERROR", "DEBUG"]), "service": "checkout", "logger": "a.b",
                  "message": self.string(), "run_id": "019a2b6e", "seq": chance.randrange(1, 10**9)}
        if chance.random() < 0.3:
            record["exception"] = {"type": "T", "message": self.string(), "code": "C"}
        if chance.random() < 0.3:
            record["fields"] = {"level": "ERROR", "exception": {"type": "Forged"}, "n": chance.random()}
        return record

    def spell(self, value):
        """As JSON, in one of the many ways."""
        chance = self.chance
        separators = chance.choice([(",", ":"), (", ", ": "), (" ,\t", "\r: ")])
        text = json.dumps(value, ensure_ascii=chance.random() < 0.5, separators=separators)
        if chance.random() < 0.05:
            text = chance.choice(["", " ", "\t \r"]) + text + chance.choice([" ", "\r", "  \t"])
        if chance.random() < 0.05:  # a letter of a key or value as an escape
            at = text.find("level")
            text = text if at < 0 else text[:at] + "\\u%04x" % ord(text[at]) + text[at + 1:]
        if chance.random() < 0.05 and text.startswith("{") and text.endswith("}") and len(text) > 2:  # keys that stand twice
            text = text[:-1] + "," + text[1:]
        return text.encode("utf-8", "surrogatepass")

    def mutate(self, line):
        chance = self.chance
        line = bytearray(line)
        for _ in range(chance.choice([1, 1, 1, 2, 4])):
            at = chance.randrange(len(line) + 1)
            part = chance.choice([b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b" ", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00",
                                  b"\x1f", b"0", b"-", b".", b"e", b"true", b"nul", b"\\u12", b"\\x", b"\xef\xbb\xbf", b"\v", b"'"])
            how = chance.random()
            if how < 0.4:
                line[at:at] = part
            elif how < 0.7:
                del line[at:at + chance.choice([1, 1, 2, 9])]
            elif how < 0.9:
                line[at:at + len(part)] = part
            else:
                line = line[:at] + line[chance.randrange(len(line) + 1):]
        return bytes(line).replace(b"\n", b" ")

    def deep(self):
        depth = self.chance.choice([126, 127, 128, 129, 130, 300])
        opening, closing = self.chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
        return b'{"level":' + opening * (depth - 1) + (b"1" if opening != b"[" else b"") + closing * (depth - 1) + b"}"

    def line(self):
        dice = self.chance.random()
        if dice < 0.01:
            return self.deep()
        if dice < 0.4:
            line = self.spell(self.record())
        else:
            line = self.spell(self.object(4) if dice < 0.95 else self.value(3))
        return self.mutate(line) if self.chance.random() < 0.4 else line


@pytest.fixture(scope="module")
def driver(build):
    path = build / "tests" / "scan_lines"
    assert path.is_file(), f"{path} is not built"
    return path


@pytest.fixture(scope="module")
def lines():
    maker = Lines(SEED)
    return [maker.line() for _ in range(LINES)]


def scanned(driver, lines, *arguments):
    done = subprocess.run([driver, *arguments], input=b"".join(line + b"\n" for line in lines), capture_output=True, timeout=300,
                          check=True)
    found = done.stdout.decode().splitlines()
    assert len(found) == len(lines)
    return found


def test_every_way_of_scanning_says_what_pythons_parser_says(driver, lines):
    ways = subprocess.run([driver], capture_output=True, check=True, timeout=60).stdout.decode().split()
    assert "plain" in ways
    by_way = {way: scanned(driver, lines, way) for way in ways}
    verdicts = {"taken": 0, "refused": 0}
    for number, line in enumerate(lines):
        wanted = expected(line, {})
        for way in ways:
            found = json.loads(by_way[way][number])
            assert same(found, wanted, line), f"seed {SEED}, line {number}, {way}: {line!r}\nfound  {found}\nwanted {wanted}"
        assert len({by_way[way][number] for way in ways}) == 1, f"seed {SEED}, line {number}: {line!r}"
        verdicts["refused" if wanted is None or "reject" in wanted else "taken"] += 1
    assert min(verdicts.values()) > LINES / 10, verdicts  # else the lines would say little


def test_what_a_line_says_does_not_depend_on_the_lines_before_it(driver, lines):
    """The scanner remembers shapes, keys and minutes; in another order it must say the same of each line."""
    way = subprocess.run([driver], capture_output=True, check=True, timeout=60).stdout.decode().split()[0]
    order = list(range(len(lines)))
    random.Random(SEED).shuffle(order)
    straight = scanned(driver, lines, way)
    shuffled = scanned(driver, [lines[i] for i in order], way)
    for place, number in enumerate(order):
        assert shuffled[place] == straight[number], f"seed {SEED}, line {number}: {lines[number]!r}"


def test_mapped_keys_are_found_nested_and_dotted_and_nowhere_else(driver):
    chance = random.Random(SEED)
    lines, wanted = [], []
    for _ in range(2000):
        flat, kind, decoy = chance.random() < 0.5, "K%d" % chance.randrange(1000), "Forged%d" % chance.randrange(1000)
        members = [("fields", {"err": {"kind": decoy}, "err.kind": decoy, "msg": decoy}), ("x", [{"err": {"kind": decoy}}]),
                   ("err.kind", kind) if flat else ("err", {"other": 1, "kind": kind, "err": {"kind": decoy}}),
                   ("msg", "m " + kind), ("message", decoy), ("kind", decoy)]
        chance.shuffle(members)
        lines.append(json.dumps(dict(members)).encode())
        wanted.append((kind, "m " + kind))
    way = subprocess.run([driver], capture_output=True, check=True, timeout=60).stdout.decode().split()[0]
    found = [json.loads(text)["values"] for text in
             scanned(driver, lines, way, "liblog", "exception.type=err.kind", "message=msg")]
    assert [(each["exception.type"][1], each["message"][1]) for each in found] == wanted
