"""One partition in memory, and the commit that changes it: the same steps in the same order as `commit.lua`."""

from dataclasses import dataclass, field

from stepwell_store.batches import START, Commit, CommitResult
from stepwell_store.memory_log import MemoryLog
from stepwell_store.protocol import Claim
from stepwell_store.retention import SEEN_BUCKETS, ledger_cutoff, seen_bucket


@dataclass(slots=True)
class MemoryClaim:
    """A claim and, once its result is in the inbox, the position of that."""

    worker: str
    started_ms: int
    sign_ms: int
    reported: str | None = None

    def public(self) -> Claim:
        """The claim as the protocol shows it."""
        return Claim(self.worker, self.started_ms, self.sign_ms)


@dataclass(slots=True)
class MemoryPartition:
    """All of a partition. Not thread-safe; the store holds the lock."""

    number: int
    epoch: int = 0
    revision: int = 0
    owner: str | None = None
    lease_until_ms: int = 0
    token: str = ""
    result: CommitResult | None = None
    inbox_position: str = START
    door_position: str = START
    dispatched: str = START
    newest_bucket: int = 0
    inbox: MemoryLog = field(default_factory=MemoryLog)
    outbox: MemoryLog = field(default_factory=MemoryLog)
    ledger: MemoryLog = field(default_factory=MemoryLog)
    dead: MemoryLog = field(default_factory=MemoryLog)
    reservations: dict[str, str] = field(default_factory=dict)
    instances: dict[str, bytes] = field(default_factory=dict)
    history: dict[str, list[bytes]] = field(default_factory=dict)
    index: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    devices: dict[str, bytes] = field(default_factory=dict)
    accumulated: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    available: dict[str, set[int]] = field(default_factory=dict)
    timers: dict[tuple[str, str], int] = field(default_factory=dict)
    attempts: dict[str, bytes] = field(default_factory=dict)
    deadlines: dict[str, int] = field(default_factory=dict)
    claims: dict[str, MemoryClaim] = field(default_factory=dict)
    seen: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def find_seen(self, key: bytes, now_ms: int) -> bytes | None:
        """The disposition of an event key in the kept buckets, the newest first."""
        newest = max(seen_bucket(now_ms), self.newest_bucket)
        for bucket in range(newest, newest - SEEN_BUCKETS, -1):
            value = self.seen.get(bucket, {}).get(key)
            if value is not None:
                return value
        return None

    def next_due_ms(self) -> int | None:
        """When the first timer is due."""
        return min(self.timers.values(), default=None)


def apply_commit(partition: MemoryPartition, commit: Commit, now_ms: int) -> CommitResult:
    """Apply the whole batch, or answer `stale`, or repeat the answer of a commit that is already applied."""
    if commit.token == partition.token and partition.result is not None:
        return partition.result
    if (commit.epoch, commit.revision) != (partition.epoch, partition.revision):
        return CommitResult("stale")
    if commit.unwritten is not None and not _has(partition, *commit.unwritten):
        return CommitResult("stale")
    _move_positions(partition, commit)
    _write_instances(partition, commit)
    _write_devices(partition, commit)
    _write_timers(partition, commit)
    _write_attempts(partition, commit)
    _write_seen(partition, commit)
    outbox = _write_logs(partition, commit, now_ms)
    partition.revision += 1
    partition.token = commit.token
    partition.result = CommitResult("committed", partition.next_due_ms(), outbox)
    return partition.result


def _has(partition: MemoryPartition, position: str, told: bytes) -> bool:
    entry = partition.inbox.get(position)
    return entry is not None and entry.fields.get(b"h") == told


def _move_positions(partition: MemoryPartition, commit: Commit) -> None:
    partition.inbox_position = commit.inbox
    partition.door_position = commit.door
    partition.inbox.trim_through(commit.inbox)
    if commit.dispatched is not None:
        partition.dispatched = commit.dispatched
        partition.outbox.trim_through(commit.dispatched)


def _write_instances(partition: MemoryPartition, commit: Commit) -> None:
    for instance, device in commit.removed.items():
        for mapping in (partition.instances, partition.history, partition.reservations):
            mapping.pop(instance, None)
        if device is not None:
            partition.runs.get(device, {}).pop(instance, None)
    partition.instances.update(commit.instances)
    for instance, entries in commit.history.items():
        partition.history.setdefault(instance, []).extend(entries)
    for instance, definition, old, new, created_ms in commit.index:
        if old is not None:
            partition.index.get((definition, old), {}).pop(instance, None)
        if new is not None:
            partition.index.setdefault((definition, new), {})[instance] = created_ms
    for device, instance, created_ms in commit.runs:
        partition.runs.setdefault(device, {})[instance] = created_ms


def _write_devices(partition: MemoryPartition, commit: Commit) -> None:
    for device, document in commit.devices.items():
        if document is None:
            for mapping in (partition.devices, partition.accumulated, partition.available):
                mapping.pop(device, None)
        else:
            partition.devices[device] = document
    for device, events in commit.accumulated.items():
        partition.accumulated.setdefault(device, []).extend(events)
    for device, first in commit.dropped.items():
        kept = [item for item in partition.accumulated.get(device, []) if item[0] >= first]
        partition.accumulated[device] = kept
        partition.available[device] = {n for n in partition.available.get(device, ()) if n >= first}
    for device, sequences in commit.available.items():
        partition.available.setdefault(device, set()).update(sequences)
    for device, sequences in commit.consumed.items():
        partition.available.get(device, set()).difference_update(sequences)


def _write_timers(partition: MemoryPartition, commit: Commit) -> None:
    for key, due_ms in commit.timers.items():
        if due_ms is None:
            partition.timers.pop(key, None)
        else:
            partition.timers[key] = due_ms


def _write_attempts(partition: MemoryPartition, commit: Commit) -> None:
    for token, attempt in commit.attempts.items():
        partition.claims.pop(token, None)
        if attempt is None:
            partition.attempts.pop(token, None)
            partition.deadlines.pop(token, None)
        else:
            partition.attempts[token], partition.deadlines[token] = attempt
    for token, deadline_ms in commit.deadlines.items():
        # A worker may have claimed it since the owner looked; its lease then decides.
        if token in partition.deadlines and token not in partition.claims:
            partition.deadlines[token] = max(deadline_ms, partition.deadlines[token])


def _write_seen(partition: MemoryPartition, commit: Commit) -> None:
    bucket = max(seen_bucket(commit.time_ms), partition.newest_bucket)
    if bucket > partition.newest_bucket:
        partition.newest_bucket = bucket
        oldest = bucket - SEEN_BUCKETS + 1
        partition.seen = {number: keys for number, keys in partition.seen.items() if number >= oldest}
    if commit.seen:
        partition.seen.setdefault(bucket, {}).update(commit.seen)


def _write_logs(partition: MemoryPartition, commit: Commit, now_ms: int) -> list[str]:
    for entry in commit.ledger:
        partition.ledger.append({b"e": entry}, now_ms)
    if commit.ledger:
        partition.ledger.trim_before(ledger_cutoff(commit.time_ms))
    outbox = [partition.outbox.append({b"c": command}, now_ms) for command in commit.outbox]
    for body in commit.dead:
        partition.dead.append({b"b": body}, now_ms)
    for instance in commit.unreserved:
        partition.reservations.pop(instance, None)
    for name, amount in commit.counters.items():
        partition.counters[name] = partition.counters.get(name, 0) + amount
    return outbox
