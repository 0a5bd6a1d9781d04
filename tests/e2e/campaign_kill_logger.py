#!/usr/bin/env python3
"""
Kills programs that log at 1,000 random moments: at full speed, in bursts, in rotations, two on one file, with rings of
64 KiB and 1 MiB, for each LOG_OVERFLOW; and recoverers as well. Every call that had returned must be in the log, once.

    LIBLOG_BUILD=build/release python3 tests/e2e/campaign_kill_logger.py [--kills 1000] [--seed N]

The same as the test of the suite, only longer: about a quarter of an hour. The seed is told, for who wants it again.
"""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.logger_kills import OVERFLOWS, LoggerCampaign  # noqa: E402 - the path comes first

REPOSITORY = Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--overflow", nargs="+", default=OVERFLOWS)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    build = Path(os.environ.get("LIBLOG_BUILD", REPOSITORY / "build" / "release")).resolve()
    with tempfile.TemporaryDirectory(prefix="kill-logger-") as folder:
        campaign = LoggerCampaign(build, folder, arguments.seed, arguments.overflow)
        told = 0
        while sum(campaign.kills.values()) < arguments.kills:
            campaign.round()
            if sum(campaign.kills.values()) >= told + 100:
                told = sum(campaign.kills.values())
                print(f"{told} kills, {campaign.records} records", flush=True)
        print(campaign)


if __name__ == "__main__":
    main()
