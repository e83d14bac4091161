"""The invariant as an examination of the store: what has not ended is owed something that really exists.

Every running instance must own a wait, a timer, an attempt, a child or a callback, and each of these must be there:
the wait's device must lead to the instance, the timer be armed, the attempt be pending, the child be alive.
The store may be at work meanwhile: a finding counts only when the instance has not moved since it was read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from stepwell_interpreter.flow import INSTANCE_TIMER
from stepwell_interpreter.status import obligations, timer_in, timer_slot
from stepwell_schemas import instance as instances
from stepwell_schemas.instance import TERMINAL, Instance
from stepwell_store.errors import CorruptValue
from stepwell_store.protocol import Alarm, PartitionInfo, Store

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
    """What a partition holds: armed timers (instance -> slot -> due time), pending attempts by token."""

    timers: dict[str, dict[str, int]]
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
    result.findings += [Finding("error", "corrupt", f"{key} {what}") for key, what in store.misfits()]
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
    return Held(_by_instance(store.due_timers(partition, EVER_MS, ALL)), store.attempts(partition))


def _by_instance(timers: Iterable[Alarm]) -> dict[str, dict[str, int]]:
    armed: dict[str, dict[str, int]] = {}
    for timer in timers:
        armed.setdefault(timer.instance, {})[timer.slot] = timer.due_ms
    return armed


def _read(raw: bytes) -> Instance | str:
    """The instance, or what is wrong with the stored value."""
    try:
        return instances.from_wire(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        return f"its stored value is not JSON: {error}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"its stored value is not an instance: {type(error).__name__}: {error}"


def _of_instance(store: Store, partition: int, instance: Instance, held: Held, now_ms: int) -> list[Finding]:
    """The findings about one instance that hold while it stands still."""
    findings = list(_faults(store, partition, instance, held, now_ms))
    for _ in range(READINGS):
        if not findings:
            return []
        before = _reread(store, partition, instance.id)
        if before is None:
            return []
        timers = _by_instance(store.timers(partition, instance.id))
        fresh = Held(timers, store.attempts(partition))
        findings = list(_faults(store, partition, before, fresh, now_ms))
        after = _reread(store, partition, instance.id)
        if after is not None and after.revision == before.revision:
            return findings
    return []  # it moves, so it is alive


def _reread(store: Store, partition: int, id: str) -> Instance | None:
    """The instance as it is now, None when it has ended or gone."""
    raw = store.instance(partition, id)
    found = _read(raw) if raw is not None else None
    return found if isinstance(found, Instance) and found.status not in TERMINAL else None


def _faults(store: Store, partition: int, instance: Instance, held: Held, now_ms: int) -> Iterator[Finding]:
    def finding(kind: str, message: str) -> Finding:
        return Finding("error", kind, message, partition, instance.id)

    if instance.status == "quarantined":
        why = instance.cause or instance.error or "no reason was kept"
        yield finding("quarantined", f"quarantined: {why}; `stepwell release` lets it go on")
        return
    owed = obligations(instance)
    if not owed:
        states = ", ".join(frame.state for frame in instance.frames.values()) or "no state"
        yield finding("hung", f"it runs but owns no wait, timer, job or child (in {states})")
    if instance.deadline_ms is not None:
        owed.append({"kind": "timer", "state": "(the whole)", "name": INSTANCE_TIMER})
    for entry in owed:
        fault = _fault_of(store, partition, instance, held, entry["kind"], entry["name"])
        if fault is not None:
            yield finding("broken", f"state {entry['state']}: {fault}")
    late = [due for due in held.timers.get(instance.id, {}).values() if due < now_ms - LATE_TIMER_MS]
    if late:
        yield finding("lateTimer", f"a timer is {(now_ms - min(late)) // 1000} s late")


def _fault_of(
    store: Store, partition: int, instance: Instance, held: Held, kind: str, name: Any
) -> str | None:
    """What is wrong with one thing the instance relies on; None when it is there."""
    if not isinstance(name, str):
        return f"the name of its {kind} is {name!r}, which is no text"
    match kind:
        case "timer":
            slot = timer_slot(name)
            timer, armed = timer_in(instance, slot), held.timers.get(instance.id, {}).get(slot)
            if armed is None or timer is None:
                return f"its timer {name} is not armed"
            return (
                None if armed <= timer[1] else f"its timer {name} will be {(armed - timer[1]) // 1000} s late"
            )
        case "attempt":
            return None if name in held.attempts else f"its attempt {name} is not pending"
        case "child":
            there = store.instance(partition, name) is not None
            return None if there else f"its child {name} does not exist"
        case "wait":
            return _fault_of_wait(store, partition, instance, name)
        case _:
            return None  # a callback is owed by the outside world


def _fault_of_wait(store: Store, partition: int, instance: Instance, event_type: str) -> str | None:
    """Events of a device reach the instances that its record names."""
    if instance.device is None:
        return None
    raw = store.device(partition, instance.device)
    if raw is None:
        return f"its device {instance.device} has no record, so {event_type} cannot reach it"
    try:
        running = orjson.loads(raw).get("running", {})
    except (orjson.JSONDecodeError, AttributeError) as error:
        return f"the record of its device {instance.device} is corrupt: {error}"
    if instance.id in running:
        return None
    return f"its device {instance.device} does not lead to it, so {event_type} cannot reach it"


def _orphans(store: Store, partition: int, held: Held, known: set[str]) -> Iterator[Finding]:
    """Timers and attempts of instances that do not exist."""
    owners = held.timers.keys() | {_instance_of(payload) for payload in held.attempts.values()}
    for id in sorted(owner for owner in owners - known if owner):
        if store.instance(partition, id) is None:
            yield Finding(
                "error", "orphan", "timers or attempts of an instance that does not exist", partition, id
            )


def _instance_of(payload: bytes) -> str:
    try:
        return str(orjson.loads(payload)["instance"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _count_dead_letters(store: Store) -> int:
    count, cursor = 0, None
    while True:
        letters, cursor = store.dead_letters(500, cursor)
        count += len(letters)
        if cursor is None:
            return count
