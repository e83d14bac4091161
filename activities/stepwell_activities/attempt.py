"""One attempt as a worker holds it, its outcome, and the inbox record that tells the engine."""

import time
from dataclasses import dataclass
from typing import Any

import orjson
from stepwell_schemas.json_writer import json_bytes

from stepwell_activities.errors import Failure


@dataclass(frozen=True, slots=True)
class Attempt:
    """The payload of a claimed attempt (decision 0001). `timeout_ms` None is no limit."""

    partition: int
    instance: str
    definition: str
    version: str
    device: str | None
    attempt: str
    token: str
    activity: str
    input: Any
    idempotency_key: str
    state: str
    number: int
    timeout_ms: int | None
    callback_token: str | None
    integration: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `output` (JSON) or `failure`. `interrupt` is what must go on after the report."""

    attempt: Attempt
    started_ms: int
    output: bytes = b"null"
    failure: Failure | None = None
    interrupt: BaseException | None = None


def parse_attempt(payload: bytes) -> Attempt:
    """The attempt of a claimed payload. Raises KeyError or ValueError where it is not one of ours."""
    wire = orjson.loads(payload)
    return Attempt(
        partition=wire["partition"],
        instance=wire["instance"],
        definition=wire["definition"],
        version=wire["version"],
        device=wire["device"],
        attempt=wire["attempt"],
        token=wire["token"],
        activity=wire["activity"],
        input=wire["input"],
        idempotency_key=wire["idempotencyKey"],
        state=wire["state"],
        number=wire["number"],
        timeout_ms=wire["timeoutMs"],
        callback_token=wire["callbackToken"],
        integration=wire.get("integration"),
    )


def record_json(outcome: Outcome, worker: str) -> bytes:
    """The inbox entry `deliver` with the ActivityCompleted or ActivityFailed record."""
    attempt, failure = outcome.attempt, outcome.failure
    record: dict[str, Any] = {
        "kind": "ActivityCompleted" if failure is None else "ActivityFailed",
        "time_ms": 0,
        "attempt": attempt.attempt,
        "token": attempt.token,
        "started_ms": outcome.started_ms,
        "worker": worker,
    }
    if failure is None:
        record["output"] = orjson.Fragment(outcome.output)
    else:
        record["error"] = failure.error
        record["cause"] = failure.cause
        record["retryable"] = failure.retryable
    return json_bytes({"op": "deliver", "instance": attempt.instance, "record": record})


def now_ms() -> int:
    """The clock of claims and leases: epoch milliseconds."""
    return time.time_ns() // 1_000_000
