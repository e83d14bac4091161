"""Tells the engine how attempts ended. An answer is not given up because the store is away for a while."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from stepwell_store.errors import StoreUnavailable
from stepwell_store.protocol import Store

from stepwell_activities.attempt import Outcome, now_ms, record_json

log = logging.getLogger("stepwell.worker")

PATIENCE_SECONDS = 600.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
GRACE_MS = 60_000
"""How long the engine may take to apply a report before its attempt counts as lost."""

Answer = TypeVar("Answer")


def _rest(seconds: float) -> None:
    threading.Event().wait(seconds)


def report(store: Store, outcomes: Sequence[Outcome], worker: str) -> None:
    """Report outcomes, durable on return. Raises StoreUnavailable after ten minutes without the store."""
    reports = [
        (outcome.attempt.partition, outcome.attempt.token, record_json(outcome, worker))
        for outcome in outcomes
    ]
    if reports:
        patiently(lambda: store.report_many(reports, now_ms(), GRACE_MS), "report results")


def patiently(
    ask: Callable[[], Answer],
    what: str,
    *,
    pause: Callable[[float], object] = _rest,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Answer:
    """Call `ask` until the store is there, with growing pauses; the last StoreUnavailable goes through."""
    seconds, waited = FIRST_PAUSE_SECONDS, 0.0
    while True:
        try:
            return ask()
        except StoreUnavailable as error:
            if waited >= patience_seconds:
                raise
            log.warning("cannot %s, trying again in %.2g s: %s", what, seconds, error)
        pause(seconds)
        waited += seconds
        seconds = min(seconds * 2, LONGEST_PAUSE_SECONDS)
