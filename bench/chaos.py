"""Kills everything at random under load, then counts whether a promise was broken.

    python bench/chaos.py [--minutes 10] [--seed 1] [--devices 400] [--rate 0]

Two engines, two workers, the API and the embedded server are killed with SIGKILL at random moments of the seed while
events come in through the stream and over HTTP at half of the rate that is measured first (or at `--rate`). Exit code
1 when a fault was found. The same run, short, is a test: tests/end_to_end/test_chaos.py.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from end_to_end.chaos import Plan, run


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--devices", type=int, default=400)
    parser.add_argument("--rate", type=float, default=0.0, help="events per second; 0: half of the peak")
    options = parser.parse_args()
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f} s  {text}\n")

    plan = Plan(options.minutes * 60, options.seed, options.devices, options.rate or None, say=say)
    report = run(plan)
    print("\n".join(report.lines()))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
