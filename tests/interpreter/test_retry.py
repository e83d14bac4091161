"""Retry arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreter.json_values import property_test
from stepwell_interpreter.retry import LONGEST_MS, Jitter, delay_ms


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 2_000), (2, 4_000), (3, 8_000), (4, 16_000), (5, 30_000), (6, 30_000)]
)
def test_delays_grow_up_to_the_maximum(attempt: int, expected: int) -> None:
    assert delay_ms(2_000, 2.0, attempt, 30_000, "none", "seed") == expected


def test_without_a_maximum_a_year_is_the_limit() -> None:
    assert delay_ms(1_000, 10, 40, None, "none", "") == LONGEST_MS


@pytest.mark.parametrize("attempt", [2_000, 10**9])
def test_a_huge_attempt_does_not_overflow(attempt: int) -> None:
    assert delay_ms(1, 2.0, attempt, 60_000, "none", "") == 60_000


def test_a_coefficient_of_one_keeps_the_interval() -> None:
    assert delay_ms(1_500, 1.0, 10**6, None, "none", "") == 1_500


def test_no_interval_is_no_delay_whatever_the_coefficient() -> None:
    assert delay_ms(0, 1e300, 10**6, None, "none", "") == 0


def test_attempt_zero_counts_as_the_first() -> None:
    assert delay_ms(1_000, 2.0, 0, None, "none", "") == 1_000


@property_test
@given(st.text(max_size=8), st.integers(1, 200))
def test_jitter_stays_within_its_bounds(seed: str, attempt: int) -> None:
    delay = delay_ms(1_000, 2.0, attempt, 30_000, "none", seed)
    assert 0 <= delay_ms(1_000, 2.0, attempt, 30_000, "full", seed) <= delay
    assert delay // 2 <= delay_ms(1_000, 2.0, attempt, 30_000, "equal", seed) <= delay


@pytest.mark.parametrize("jitter", ["full", "equal"])
def test_jitter_is_the_same_for_the_same_seed_and_spread_over_seeds(jitter: Jitter) -> None:
    drawn = [delay_ms(10_000, 2.0, 3, None, jitter, f"seed-{number}") for number in range(50)]
    assert drawn == [delay_ms(10_000, 2.0, 3, None, jitter, f"seed-{number}") for number in range(50)]
    assert len(set(drawn)) > 40
