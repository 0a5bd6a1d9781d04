#!/usr/bin/env python3
"""Code in the documentation is compiled or run. Every block of sh, c, cpp, cmake or yaml in the Markdown files says, in a
comment on the line above it, how it is kept true:

    <!-- file: PATH -->     it is that file, which the build compiles, to the letter
    <!-- part: PATH -->     it is a run of whole lines of that file
    <!-- run -->            it is run here by bash, in a folder of the page's own, after the blocks before it
    <!-- run: 66 -->        the same, and it exits with 66
    <!-- config -->         a configuration: `shipper check` finds nothing wrong with it
    <!-- shown: REASON -->  neither, and why

A json block must parse, line by line. Links to files of the repository must lead to one.

    check_docs.py BUILD-FOLDER      (the release build: its programs are on the PATH of what is run)
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKED = {"sh", "c", "cpp", "cmake", "yaml"}
MARKER = re.compile(r"<!-- (file|part|run|config|shown)(?:: (.+?))? -->")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|<img src=\"([^\"]+)\"")
RUN_S_MAX = 60


def pages():
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(text):
    """(line number, language, marker or None, text) of each fenced block."""
    lines, at = text.split("\n"), 0
    while at < len(lines):
        if lines[at].startswith("```"):
            end = lines.index("```", at + 1)
            marker = MARKER.fullmatch(lines[at - 1]) if at else None
            yield at + 1, lines[at][3:].strip(), marker, "\n".join(lines[at + 1:end]) + "\n"
            at = end
        at += 1


def same_as_file(path, body):
    return None if (ROOT / path).read_text() == body else f"is not what {path} holds"


def part_of_file(path, body):
    return None if ("\n" + body) in ("\n" + (ROOT / path).read_text()) else f"has lines that {path} has not"


def runs(folder, programs, expected, script):
    # pipefail and -u, so that no half of a recipe fails unseen.
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=RUN_S_MAX, env=os.environ | {"PATH": programs, "NO_COLOR": "1"})
    if done.returncode == expected:
        return None
    return f"exits with {done.returncode}, not {expected}:\n{done.stdout}{done.stderr}"


def is_config(folder, programs, body):
    (Path(folder) / "checked.yaml").write_text(body)
    return runs(folder, programs, 0, "shipper check -c checked.yaml")


def json_lines(body):
    for line in body.splitlines():
        try:
            json.loads(line)
        except ValueError as problem:
            return f"is not JSON: {problem}"
    return None


def problem_of(language, marker, body, folder, programs):
    if language == "json":
        return json_lines(body)
    if language not in CHECKED:
        return None
    if marker is None:
        return "has no comment above it that says how it is checked"
    how, what = marker.groups()
    if how == "file":
        return same_as_file(what, body)
    if how == "part":
        return part_of_file(what, body)
    if how == "run":
        return runs(folder, programs, int(what or 0), body)
    if how == "config":
        return is_config(folder, programs, body)
    return None if what else "says `shown` without a reason"


def dead_links(page, text):
    for match in LINK.finditer(text):
        target = match[1] or match[2]
        if "://" not in target and not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: leads to {target}, which is not there"


def check(page, programs):
    """The problems of one page, and how many blocks it has."""
    text = page.read_text()
    found = list(dead_links(page, text))
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for line, language, marker, body in blocks(text):
            count += 1
            problem = problem_of(language, marker, body, folder, programs)
            if problem:
                found.append(f"{page.relative_to(ROOT)}:{line}: this block {problem}")
    return found, count


def main():
    build = Path(sys.argv[1]).resolve()
    programs = f"{build}/examples:{build}/shipper:{os.environ['PATH']}"
    problems, total = [], 0
    for page in pages():
        found, count = check(page, programs)
        problems += found
        total += count
    print("\n".join(problems) or f"{total} blocks in {len(pages())} pages are what they say")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
