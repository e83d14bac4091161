"""What runs bodies one by one, and what it does when one of them takes its time."""

import logging
import threading

import pytest
from activities.hands_bench import Bench
from activity_world import reported
from redis.exceptions import ConnectionError as Disconnected
from stepwell_activities.claiming import hold_in_hand
from stepwell_activities.decorator import activity
from stepwell_activities.serial import SerialBench
from stepwell_store.errors import StoreUnavailable


@pytest.mark.parametrize(
    ("error", "level", "has_traceback"),
    [
        (StoreUnavailable("gone"), logging.WARNING, False),
        (Disconnected("gone"), logging.WARNING, False),
        (LookupError("gone"), logging.ERROR, True),
    ],
)
def test_what_cannot_be_looked_after_behind_a_slow_body_is_told_and_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture, error: Exception, level: int, has_traceback: bool
) -> None:
    is_let_go = threading.Event()
    tries: list[int] = []

    @activity("number")
    def slow(n: int) -> bool:
        return is_let_go.wait(30)

    def let_go() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error
        is_let_go.set()

    _, shown, hand = bench.laid_in(bench.hands("one"))
    runtime = bench.runtime(slow)
    serial = SerialBench(runtime, 1, lambda jobs: None, lambda: None, let_go)
    serial.begin([hold_in_hand(runtime, shown, hand)])
    serial.close()
    assert [entry["record"]["output"] for entry in reported(bench.store)] == [True]
    [told] = [record for record in caplog.records if "slow body" in record.message]
    assert (told.levelno, told.exc_info is not None) == (level, has_traceback)
