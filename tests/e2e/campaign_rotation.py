#!/usr/bin/env python3
"""
1,000 rotations in every style while a program writes and shipper follows and is killed 200 times; then the statistics
must equal the truth, and every record must have been forwarded.

    LIBLOG_BUILD=build/release python3 tests/e2e/campaign_rotation.py [--rotations 1000] [--kills 200] [--seed 1]

The same as the test of the suite, only longer: some minutes.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.rotations import Campaign  # noqa: E402 - the path comes first
from support.shipper import Shipper  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


def tell(report):
    if report.rotations % 100 == 0:
        print(f"{report.rotations} rotations, {report.kills} kills", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rotations", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    build = Path(os.environ.get("LIBLOG_BUILD", REPOSITORY / "build" / "release")).resolve()
    with tempfile.TemporaryDirectory(prefix="rotation-") as folder:
        campaign = Campaign(Shipper(build / "shipper" / "shipper", Path(folder) / "state"), folder, arguments.seed)
        print(campaign.run(arguments.rotations, arguments.kills, tell))


if __name__ == "__main__":
    main()
