"""What `@activity` accepts, and that it leaves the function alone."""

from datetime import timedelta
from typing import Any

import pytest
from stepwell_activities.decorator import activity, options_of


def test_a_bare_decorator_leaves_the_function_as_it_is() -> None:
    def ship(order: str) -> str:
        return order.upper()

    assert activity(ship) is ship
    assert ship("a") == "A"
    assert options_of(ship) is not None


def test_limits_are_seconds_timedeltas_or_iso_durations() -> None:
    @activity("x", timeout="PT5M", heartbeat=timedelta(seconds=10))
    def work() -> None: ...

    options = options_of(work)
    assert options is not None
    assert (options.timeout_seconds, options.heartbeat_seconds) == (300, 10)


@pytest.mark.parametrize("limit", ["5 minutes", -1, 0, "P1Y"])
def test_a_limit_that_is_no_duration_is_refused_with_its_name(limit: Any) -> None:
    with pytest.raises(ValueError, match="@activity timeout"):
        activity("x", timeout=limit)


def test_only_functions_can_be_marked() -> None:
    with pytest.raises(TypeError, match="marks functions"):
        activity(dict)
    assert options_of("not a function") is None
