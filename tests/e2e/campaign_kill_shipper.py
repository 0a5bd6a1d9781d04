#!/usr/bin/env python3
"""
Kills shipper at 1,000 random moments while its log grows and rotates, and compares the statistics with the truth.

    LIBLOG_BUILD=build/release python3 tests/e2e/campaign_kill_shipper.py [--kills 1000] [--seed 1]

The same as the test of the suite, only longer: about a quarter of an hour.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.kills import Campaign  # noqa: E402 - the path comes first
from support.shipper import Shipper  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    build = Path(os.environ.get("LIBLOG_BUILD", REPOSITORY / "build" / "release")).resolve()
    with tempfile.TemporaryDirectory(prefix="kill-shipper-") as folder:
        campaign = Campaign(Shipper(build / "shipper" / "shipper", Path(folder) / "state"), Path(folder), arguments.seed)
        number = 0
        while campaign.report.kills < arguments.kills:
            campaign.round(number)
            number += 1
            if number % 100 == 0:
                print(f"{number} rounds, {campaign.report.kills} kills", flush=True)
        print(campaign.finish())


if __name__ == "__main__":
    main()
