"""From jobs taken off a queue to held attempts: only our own job body is let through, and only what is still wanted."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell_store.keys import Keys

from stepwell_activities.attempt import now_ms, parse_attempt
from stepwell_activities.context import Signs
from stepwell_activities.hands import Hand, Shown
from stepwell_activities.job import JOB_FUNCTION
from stepwell_activities.lease import Hold
from stepwell_activities.reporting import patiently
from stepwell_activities.runtime import Runtime
from stepwell_activities.taking import NOT_WANTED, Claiming, TakenJob


@dataclass(frozen=True, slots=True)
class Held:
    """A claimed attempt with the job it came by."""

    job: TakenJob
    hold: Hold
    hand: Hand | None = None
    """Where the job is in our hands and its attempt not claimed yet."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of the jobs of one turn. `refused` come with the reason."""

    held: list[Held]
    unwanted: list[TakenJob]
    refused: list[tuple[TakenJob, str]]


def claim_jobs(runtime: Runtime, jobs: Sequence[TakenJob]) -> Claimed:
    """The attempts of jobs; those that were not claimed as they were taken are claimed here, in one round trip.

    Raises StoreUnavailable after ten minutes without the store.
    """
    claimed = Claimed([], [], [])
    calls: list[tuple[TakenJob, int, str]] = []
    for job in jobs:
        try:
            partition, token = read_call(job.data, runtime.settings.namespace, runtime.store.partitions)
        except ValueError as error:
            claimed.refused.append((job, str(error)))
        else:
            calls.append((job, partition, token))
    wanted = [(partition, token) for job, partition, token in calls if not job.claim]
    found = iter(_claim(runtime, wanted) if wanted else ())
    for job, _, _ in calls:
        payload = next(found) if not job.claim else None if job.claim == NOT_WANTED else job.claim
        if payload is None:
            claimed.unwanted.append(job)
        else:
            claimed.held.append(Held(job, runtime.keeper.hold(parse_attempt(payload), Signs())))
    return claimed


def hold_in_hand(runtime: Runtime, shown: Shown, hand: Hand) -> Held:
    """A job in hand, held before it is claimed. What it would call is not looked at: its id is an attempt of ours."""
    hold = runtime.keeper.hold(parse_attempt(shown.payload), Signs(), hand.claim)
    return Held(TakenJob(shown.queue, shown.id, b""), hold, hand)


def claiming_of(runtime: Runtime) -> Claiming | None:
    """How a worker of this runtime claims as it takes; None where RQ's Redis is not the store's."""
    settings = runtime.settings
    if settings.queue_url is not None:
        return None
    keys = Keys(settings.namespace, runtime.store.partitions)
    return Claiming(runtime.worker, int(settings.worker_lease_seconds * 1000), keys.prefixes)


def _claim(runtime: Runtime, wanted: Sequence[tuple[int, str]]) -> list[bytes | None]:
    lease_ms = int(runtime.settings.worker_lease_seconds * 1000)
    return patiently(
        lambda: runtime.store.claim_many(wanted, runtime.worker, now_ms(), lease_ms), "claim attempts"
    )


def read_call(data: bytes, namespace: str, partitions: int) -> tuple[int, str]:
    """Partition and token of a job of ours. Raises ValueError for anything else; nothing is imported."""
    try:
        try:
            raw = zlib.decompress(data)
        except zlib.error:
            raw = data  # as the engine writes it; RQ reads either
        call = json.loads(raw)
    except ValueError as error:
        raise ValueError(f"the job is not JSON (enqueue with RQ's JSONSerializer): {error}") from error
    match call:
        case [function, None, list(arguments), dict(keywords)] if not keywords:
            pass
        case _:
            raise ValueError("the job is not a plain call [function, null, [arguments], {}]")
    if function != JOB_FUNCTION:
        raise ValueError(f"this worker runs {JOB_FUNCTION} only, not {function!r}")
    match arguments:
        case [str(theirs), int(partition), str(token)] if theirs == namespace and 0 <= partition < partitions:
            return partition, token
    raise ValueError(f"the job's arguments {arguments!r} are not ['{namespace}', partition, token]")
