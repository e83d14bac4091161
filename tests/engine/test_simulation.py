"""Thousands of seeded runs of the real engine with failing calls, lost, late and repeated replies, stalls, skewed
clocks, crashes, dead and slow workers, and records that make the engine itself fail."""

import pytest
from simulation import Simulation
from simulation_audit import Audit

SEEDS = range(3_000)
CHUNK = 100


@pytest.mark.parametrize("first", range(0, len(SEEDS), CHUNK))
def test_every_seed_ends_with_nothing_lost_twice_or_left_over(
    first: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", logger="stepwell.engine")
    for seed in SEEDS[first : first + CHUNK]:
        found = Audit(Simulation(seed).run()).findings()
        assert not found, f"repeat with: python bench/soak.py --only {seed}   {found[:3]}"


def test_one_seed_gives_the_same_run_twice() -> None:
    first, second = Simulation(5).run(), Simulation(5).run()
    assert first.pushed == second.pushed
    assert [line[:3] for line in Audit(first).lines] == [line[:3] for line in Audit(second).lines]
    assert first.random.random() == second.random.random()
