"""
Two million records of the main thread, a handler at 5 kHz, and forked children, in one program: all there, once.

    python campaign_signals.py BUILD-FOLDER
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from e2e.test_life import signals  # noqa: E402 - the path comes first

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        told = signals(Path(sys.argv[1]), Path(folder) / "app.log", Path(folder) / "settled.json", 2_000_000, 20)
        print(f"{told['main']} records, {told['handler']} by the handler, 200 by 20 children: all there, once")
