"""Attempts as the engine's commits leave them, for tests of workers; and what workers have reported."""

import uuid
from typing import Any

import orjson
from stepwell_activities.registry import Registry
from stepwell_activities.runtime import Runtime, new_runtime
from stepwell_schemas.settings import Settings
from stepwell_store.batches import START, Commit
from stepwell_store.protocol import Store

FAR_MS = 2**42


def new_token() -> str:
    """A fencing token."""
    return uuid.uuid4().hex


def payload(partition: int, token: str, activity: str, input: Any = None, **changes: Any) -> dict[str, Any]:
    """The payload of decision 0001."""
    return {
        "partition": partition,
        "instance": f"order-1~{partition}",
        "definition": "order",
        "version": "1.0.0",
        "device": None,
        "attempt": "0/Work/1/1",
        "token": token,
        "activity": activity,
        "queue": "default",
        "input": input,
        "idempotencyKey": f"key-{token}",
        "state": "Work",
        "number": 1,
        "timeoutMs": None,
        "heartbeatMs": None,
        "callbackToken": None,
        **changes,
    }


def offer(
    store: Store, activity: str, input: Any = None, *, partition: int = 0, count: int = 1, **changes: Any
) -> list[str]:
    """Commit attempts that wait for a worker; their tokens."""
    tokens = [new_token() for _ in range(count)]
    owner = store.acquire(partition, "test", 60_000)
    assert owner is not None
    attempts: dict[str, tuple[bytes, int] | None] = {
        token: (orjson.dumps(payload(partition, token, activity, input, **changes)), FAR_MS)
        for token in tokens
    }
    change = Commit(partition, owner.epoch, owner.revision, new_token(), 1, START, START, attempts=attempts)
    assert store.commit([change])[0].status == "committed"
    return tokens


def withdraw(store: Store, token: str, partition: int = 0) -> None:
    """The attempt is not wanted any more."""
    owner = store.acquire(partition, "test", 60_000)
    assert owner is not None
    change = Commit(
        partition, owner.epoch, owner.revision, new_token(), 1, START, START, attempts={token: None}
    )
    assert store.commit([change])[0].status == "committed"


def reported(store: Store, partition: int = 0) -> list[dict[str, Any]]:
    """The records in the inbox, in order."""
    entries = store.read(None, {partition: START}, 10_000, None).inboxes.get(partition, [])
    return [orjson.loads(entry.fields[b"r"]) for entry in entries]


def runtime_of(store: Store, *functions: Any, **settings: Any) -> Runtime:
    """A runtime of these activities on this store."""
    return new_runtime(Settings(namespace=store.namespace, **settings), store, Registry(functions))
