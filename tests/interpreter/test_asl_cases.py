"""Recorded behaviour of Amazon States Language, when it is there: the score of each group against its floor."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from asl_cases import cases_folder, comparer, load_cases, run_case

Shares = tuple[float, ...]

FULL: Final[Shares] = (1.0, 1.0, 1.0, 1.0)
FLOORS: Final[Mapping[tuple[str, str], Shares]] = {
    ("execution", "activities"): (0.66, 0.66, 0.66, 0.33),
    ("execution", "express"): (0.0, 0.0, 0.0, 0.0),
    ("execution", "services"): (0.93, 0.96, 0.96, 0.96),
    ("test_state", "test_state"): (0.84, 0.84),
    ("api_error", "api_error"): (0.0, 0.0, 0.0),
}
"""The shares of cases that reach each level, by kind and group; a group that is not named reaches all."""

TOTALS: Final[Mapping[str, Shares]] = {
    "execution": (0.985, 0.985, 0.985, 0.98),
    "validation": (1.0, 1.0, 0.9),
    "variable_references": (1.0,),
}
"""The same for a kind as a whole, which holds for any set of cases."""


def test_recorded_behaviour_is_reproduced_at_least_as_far_as_the_floors_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = cases_folder()
    if folder is None:
        pytest.skip("there are no recorded cases here (STEPWELL_ASL_CASES names their folder)")
    judge = comparer(folder)
    rows = [(case, judge.compare(case, run_case(case))) for case in load_cases(folder)]
    with capsys.disabled():
        print()  # noqa: T201 - the scores are for people to see
        judge.print_tally(rows)
    tally = judge.tally(rows)
    assert _below({key: FLOORS.get(key, FULL) for key in tally}, tally) == []
    assert _below(TOTALS, _by_kind(tally)) == []


def _below(floors: Mapping[Any, Shares], tally: Mapping[Any, Mapping[Any, int]]) -> list[str]:
    """What lies below its floor, in words."""
    found = []
    for key, shares in floors.items():
        counts = tally.get(key, {})
        for level, share in enumerate(shares, 1):
            most = counts.get(f"m{level}", 0)
            if most and counts[level] < share * most:
                found.append(f"{key}: {counts[level]} of {most} at level {level}, the floor is {share:.0%}")
    return found


def _by_kind(tally: Mapping[tuple[str, str], Mapping[Any, int]]) -> dict[str, dict[Any, int]]:
    totals: dict[str, dict[Any, int]] = {}
    for (kind, _), counts in tally.items():
        total = totals.setdefault(kind, {})
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return totals
