"""More seeds of the deterministic simulation than the tests run, for as long as one likes.

    python bench/soak.py [--minutes 10] [--seed 100000]     seeds from there on, until the time is over
    python bench/soak.py --only 4711                        one seed, with the engine's log: repeats a failure

Each seed is a whole run: two engines, three workers, the HTTP door and operators over a store that fails, loses, delays
and repeats, audited at every call and at the end. Exit code 1 when a seed has findings; each is one line to repeat.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from simulation import Simulation
from simulation_audit import Audit

MOST_FAILURES = 20
TOLD_EVERY_SECONDS = 30


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=100_000)
    parser.add_argument(
        "--only", type=int, default=None, help="run this seed alone, and show the engine's log"
    )
    options = parser.parse_args()
    logging.basicConfig(level="WARNING", format="%(message)s")
    if options.only is not None:
        return 1 if fails(options.only) else 0
    logging.getLogger("stepwell.engine").setLevel("CRITICAL")
    return soak(options.seed, options.minutes * 60)


def soak(first: int, seconds: float) -> int:
    """Seed after seed; how many failed, as an exit code."""
    began = told = time.monotonic()
    seed, failed = first, 0
    while time.monotonic() - began < seconds and failed < MOST_FAILURES:
        failed += fails(seed)
        seed += 1
        if time.monotonic() - told > TOLD_EVERY_SECONDS:
            told = time.monotonic()
            sys.stderr.write(f"{seed - first} seeds, {failed} failed\n")
    rate = (seed - first) / (time.monotonic() - began)
    print(f"{seed - first} seeds from {first}, {rate:.0f} /s, {failed} failed")
    return 1 if failed else 0


def fails(seed: int) -> bool:
    """Whether this seed has findings; they are printed with the line that repeats them."""
    try:
        found = Audit(Simulation(seed).run()).findings()
    except Exception as error:  # a run that breaks is a finding as well
        logging.getLogger("soak").exception("the run broke")
        found = [repr(error)]
    for finding in found[:5]:
        print(f"python bench/soak.py --only {seed}   # {finding}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
