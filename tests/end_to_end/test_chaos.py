"""Everything is killed at random under load: nothing is lost, nothing counts twice. Short; bench/chaos.py is long."""

import os

import pytest
from end_to_end.chaos import Plan, run

SEED = int(os.environ.get("STEPWELL_CHAOS_SEED", "7"))


@pytest.mark.timeout(120)
def test_kills_at_random_lose_nothing_and_double_nothing() -> None:
    report = run(Plan(seconds=15, seed=SEED, devices=60, rate=400, pause_seconds=(0.5, 3.0)))
    assert report.faults == [], "\n".join(report.lines())
    assert sum(report.kills.values()) >= 3
    assert report.audit.events == report.acknowledged > 1_000
