#!/usr/bin/env python3
"""count_tests.py FILE: how many tests of a JUnit XML file passed, and how many did not. One that was skipped or disabled
did not: it proves nothing. A file that is missing or broken has none of either."""

import sys
import xml.etree.ElementTree as xml


def passed(case):
    return case.get("status", "run") in ("run", "passed") and not any(
        child.tag in ("failure", "error", "skipped") for child in case)


try:
    cases = list(xml.parse(sys.argv[1]).iter("testcase"))
except (OSError, xml.ParseError):
    cases = []
good = sum(map(passed, cases))
print(good, len(cases) - good)
