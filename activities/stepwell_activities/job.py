"""The only job body of RQ: `run_attempt(namespace, partition, token)`. Works on any RQ worker with JSON jobs.

No claim, no body: a token that is not wanted any more is left alone. RQ's own result means nothing; the report does.
"""

import logging

from stepwell_activities.attempt import Outcome, now_ms, parse_attempt
from stepwell_activities.context import Signs
from stepwell_activities.reporting import patiently, report
from stepwell_activities.runtime import Runtime, process_runtime

log = logging.getLogger("stepwell.worker")

JOB_FUNCTION = "stepwell_activities.job.run_attempt"


def run_attempt(namespace: str, partition: int, token: str) -> None:
    """Claim an attempt, run its activity, report how it ended. Raises StoreUnavailable after ten minutes."""
    perform(process_runtime(namespace), partition, token)


def perform(runtime: Runtime, partition: int, token: str) -> Outcome | None:
    """`run_attempt` on a given runtime. The outcome; None where the attempt was not wanted."""
    lease_ms = int(runtime.settings.worker_lease_seconds * 1000)
    payload = patiently(
        lambda: runtime.store.claim(partition, token, runtime.worker, now_ms(), lease_ms), "claim an attempt"
    )
    if payload is None:
        log.info("attempt %s is not wanted any more", token)
        return None
    hold = runtime.keeper.hold(parse_attempt(payload), Signs())
    try:
        outcome = runtime.runner.run(hold)
        report(runtime.store, [outcome], runtime.worker)
    finally:
        runtime.keeper.drop(token)
    if outcome.failure is not None:
        log.info("%s failed: %s", hold.attempt.attempt, outcome.failure.error)
    if isinstance(outcome.interrupt, KeyboardInterrupt):
        raise outcome.interrupt
    return outcome
