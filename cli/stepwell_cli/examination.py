"""The invariant as an examination of the store: what has not ended is owed something that really exists.

Every running instance must own a wait, a timer, an attempt, a child or a callback, and each of these must be there:
the wait's device must lead to the instance, the timer be armed, the attempt be pending, the child be alive.
The store may be at work meanwhile: a finding counts only when the instance has not moved since it was read.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from stepwell_interpreter.status import obligations
from stepwell_schemas import instance as instances
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_store.errors import CorruptValue
from stepwell_store.protocol import PartitionInfo, Store

Severity = Literal["error", "warning"]

EVER_MS = 2**53
ALL = 2**31 - 1
LATE_TIMER_MS = 60_000
LONG_INBOX = 10_000
READINGS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not in order. An error breaks a promise; a warning waits for an operator."""

    severity: Severity
    kind: str
    message: str
    partition: int | None = None
    instance: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "message": self.message,
            "partition": self.partition,
            "instance": self.instance,
        }


@dataclass(slots=True)
class Examination:
    """All that was found, and the figures of the store."""

    findings: list[Finding] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    partitions: list[PartitionInfo] = field(default_factory=list)
    dead_letters: int = 0

    @property
    def healthy(self) -> bool:
        """Whether no promise is broken."""
        return all(finding.severity != "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Held:
    """What a partition holds: armed timers by (instance, timer) with their due time, pending attempts."""

    timers: dict[tuple[str, str], int]
    attempts: dict[str, bytes]


def examine(store: Store, now_ms: int) -> Iterator[Examination]:
    """Examine partition by partition; the same growing result after each, so that a caller can show progress."""
    result = Examination()
    for partition in range(store.partitions):
        info = store.partition_info(partition)
        result.partitions.append(info)
        result.findings += _of_partition(info)
        _examine_instances(store, partition, result, now_ms)
        yield result
    result.findings += _of_engines(result.partitions)
    result.dead_letters = _count_dead_letters(store)
    if result.dead_letters:
        letters = f"{result.dead_letters} dead letters wait for an operator: `stepwell dead-letters list`"
        result.findings.append(Finding("warning", "deadLetters", letters))
    yield result


def _of_partition(info: PartitionInfo) -> Iterator[Finding]:
    for log, length in (("inbox", info.inbox_lag), ("outbox", info.outbox_length)):
        if length > LONG_INBOX:
            message = f"{length} entries of its {log} have not been worked off"
            yield Finding("warning", "lag", message, info.partition)


def _of_engines(partitions: list[PartitionInfo]) -> Iterator[Finding]:
    free = [info.partition for info in partitions if info.owner is None]
    if len(free) == len(partitions):
        yield Finding("error", "noEngine", "no engine is alive; start one with `stepwell engine`")
    else:
        for partition in free:
            yield Finding("error", "noOwner", "no engine owns this partition", partition)


def _examine_instances(store: Store, partition: int, result: Examination, now_ms: int) -> None:
    held = _held(store, partition)
    known: set[str] = set()
    stored = store.scan(partition)
    while True:
        try:
            id, raw = next(stored)
        except StopIteration:
            break
        except CorruptValue as corrupt:
            result.findings.append(Finding("error", "corrupt", str(corrupt), partition))
            break
        known.add(id)
        instance = _read(raw)
        if isinstance(instance, str):
            result.findings.append(Finding("error", "corrupt", instance, partition, id))
            continue
        result.statuses[instance.status] += 1
        if instance.status not in TERMINAL:
            result.findings += _of_instance(store, partition, instance, held, now_ms)
    result.findings += _orphans(store, partition, held, known)


def _held(store: Store, partition: int) -> Held:
    timers = store.due_timers(partition, EVER_MS, ALL)
    armed = {(timer.instance, timer.timer): timer.due_ms for timer in timers}
    return Held(armed, store.attempts(partition))


def _read(raw: bytes) -> Instance | str:
    """The instance, or what is wrong with the stored value."""
    try:
        return instances.from_wire(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        return f"its stored value is not JSON: {error}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"its stored value is not an instance: {type(error).__name__}: {error}"


def _of_instance(store: Store, partition: int, instance: Instance, held: Held, now_ms: int) -> list[Finding]:
    """The findings about one instance, read again until it stood still while it was examined."""
    for _ in range(READINGS):
        findings = list(_faults(store, partition, instance, held, now_ms))
        if not findings:
            return []
        raw = store.instance(partition, instance.id)
        again = _read(raw) if raw is not None else None
        if not isinstance(again, Instance) or again.status in TERMINAL:
            return []  # ended or was removed meanwhile
        if again.revision == instance.revision and held.timers is not None:
            fresh = Held(
                {(t.instance, t.timer): t.due_ms for t in store.timers(partition, instance.id)},
                store.attempts(partition),
            )
            if fresh.timers.keys() <= held.timers.keys() and fresh.attempts.keys() <= held.attempts.keys():
                return findings
            held = fresh
        instance = again
    return []  # it moves, so it is alive
