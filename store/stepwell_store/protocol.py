"""The contract between the engine, the doors and what keeps the data. Redis and memory implement it alike.

All of one device (its instances, accumulator, timers, waits) lives in one partition. One engine owns a partition
at a time, under an epoch; `commit` of an older epoch changes nothing. Everything else here may be called by anyone.
Bytes are JSON made by the caller; the store does not look inside them unless it says so. Times are epoch milliseconds.
Every write is safe to repeat when its reply was lost.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from stepwell_schemas.catalog import ActivityDescription, StoredDefinition

from stepwell_store.batches import Commit, CommitResult, Entry, Inbound, Loaded, Wanted
from stepwell_store.errors import StoreError

if TYPE_CHECKING:
    from stepwell_store.lane import Lane


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the owner of a partition starts from: its epoch, the commit counter, both committed positions."""

    partition: int
    epoch: int
    revision: int
    inbox: str
    door: str
    dispatched: str
    next_due_ms: int | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Rings for the timer in a slot of an instance, at the latest when that is due."""

    instance: str
    slot: str
    due_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on an attempt."""

    worker: str
    started_ms: int
    sign_ms: int
    """The activity's own last heartbeat (starts as started_ms)."""


@dataclass(frozen=True, slots=True)
class DueAttempt:
    """An attempt whose lease or dispatch deadline ran out. `claim` None: no worker has taken it yet."""

    token: str
    payload: bytes
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class RequestedStart:
    """A start: where its instance lives, what the request is compared by, the record for the inbox."""

    partition: int
    instance: str
    fingerprint: str
    record: bytes


@dataclass(frozen=True, slots=True)
class StartReceipt:
    """`created`: the record is in the inbox. `repeated`: it was there already. `conflict`: same id, other content."""

    status: Literal["created", "repeated", "conflict"]
    partition: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter. `id` is "<partition>-<ms>-<n>"; `body` JSON: reason, message, time_ms, event or raw, attempts."""

    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """What `doctor`, health and tests look at."""

    partition: int
    owner: str | None
    epoch: int
    revision: int
    inbox_length: int
    inbox_lag: int
    outbox_length: int
    timers: int
    attempts: int
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Filters of the instance list; None or empty takes all. Times are epoch milliseconds, both ends included."""

    statuses: Sequence[str] = ()
    definition: str | None = None
    device: str | None = None
    created_from_ms: int | None = None
    created_to_ms: int | None = None


PublishResult = Literal["created", "unchanged", "conflict"]


class Store(Protocol):
    """See the module's header for the rules that all of these keep."""

    namespace: str
    partitions: int

    # -- doors ---------------------------------------------------------------------------------------------

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        """Append CloudEvents to the door; durable on return. The positions, in order."""
        ...

    def door_length(self) -> int:
        """Entries in the door that are not yet trimmed, for back-pressure."""
        ...

    def misfits(self) -> Iterator[tuple[str, str]]:
        """(key, what is wrong) of every key of ours that is not of the type we write, or was set aside for that."""
        ...

    def memory_used(self) -> float:
        """How much of the memory it may take the store has taken, 0 to 1; 0 where that is not limited."""
        ...

    def append_records(self, partition: int, records: Sequence[bytes]) -> list[str]:
        """Append records to a partition's inbox; durable on return."""
        ...

    def append_each(self, records: Sequence[tuple[int, bytes]]) -> Sequence[str | StoreError]:
        """Append records to inboxes (partition, record) in one trip, those of a partition all or none and in order.

        The positions; an error that the records of a partition alone have met is the answer to each of them.
        """
        ...

    def request_starts(self, starts: Sequence[RequestedStart]) -> Sequence[StartReceipt | StoreError]:
        """Reserve each instance's id and append its start record, as one act for each, in one trip.

        An error that a start alone has met is its answer; raised is what leaves all of them open.
        """
        ...

    def locate_all(self, instances: Sequence[str]) -> Sequence[int | StoreError | None]:
        """The partitions of instances whose ids callers chose; None for one that was never reserved."""
        ...

    def place_all(self, wanted: Sequence[tuple[str, int]]) -> Sequence[int | StoreError]:
        """Record where chosen ids (instance, partition) live; the first call wins and its partition is returned."""
        ...

    # -- catalogue -----------------------------------------------------------------------------------------

    def publish_definition(self, definition: StoredDefinition) -> PublishResult:
        """Add a version and move the alias `latest` to it. Same version and hash: unchanged; other hash: conflict."""
        ...

    def catalog_revision(self) -> int:
        """Grows with every published definition or set of activities."""
        ...

    def definitions(self) -> dict[str, str]:
        """Definition id -> its latest version."""
        ...

    def versions(self, definition: str) -> list[StoredDefinition]:
        """All versions, oldest first; empty where the id is unknown."""
        ...

    def publish_activities(self, activities: Sequence[ActivityDescription]) -> None:
        """Add or replace descriptions by name."""
        ...

    def activities(self) -> dict[str, ActivityDescription]:
        """All published activities by name."""
        ...

    # -- ownership -----------------------------------------------------------------------------------------

    def acquire(self, partition: int, owner: str, lease_ms: int) -> Ownership | None:
        """Take a free partition (or one of our own) with a new epoch; None while another's lease lasts."""
        ...

    def renew(self, owner: str, partitions: Sequence[int], lease_ms: int) -> list[int]:
        """Extend our leases; those that are still ours."""
        ...

    def release(self, owner: str, partition: int) -> None:
        """Give a partition up at once."""
        ...

    def heartbeat_engine(self, owner: str, ttl_ms: int) -> list[str]:
        """Say that this engine lives; all engines that do."""
        ...

    # -- the owner's loop ----------------------------------------------------------------------------------

    def lane(self) -> "Lane":
        """A line of its own for one engine's reads, loads and commits."""
        ...

    def read(self, door: str | None, inboxes: Mapping[int, str], count: int, block_ms: int | None) -> Inbound:
        """Entries after the given positions, at most `count` per log; waits up to `block_ms` for the first."""
        ...

    def load(self, wanted: Sequence[Wanted], now_ms: int) -> list[Loaded]:
        """What each partition needs, in one round trip."""
        ...

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        """Apply each batch whole, in one round trip; the answers in order."""
        ...

    def due_timers(self, partition: int, now_ms: int, limit: int) -> list[Alarm]:
        """The alarms that ring by now, the earliest first; they stay until a commit clears or moves them."""
        ...

    def claims(self, partition: int, tokens: Sequence[str]) -> dict[str, Claim]:
        """Who works on these attempts."""
        ...

    def due_attempts(self, partition: int, now_ms: int, limit: int) -> list[DueAttempt]:
        """Attempts whose lease or dispatch deadline ran out; they stay until a commit moves or forgets them."""
        ...

    def outbox(self, partition: int, after: str, count: int) -> list[Entry]:
        """Commands that may not have reached their queue yet (field b"c")."""
        ...

    def trim_door(self, before: str) -> None:
        """Drop door entries before this position (all partitions have committed past it)."""
        ...

    def door_positions(self) -> dict[int, str]:
        """The committed door position of each partition."""
        ...

    # -- workers -------------------------------------------------------------------------------------------

    def claim(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int) -> bytes | None:
        """Take an attempt: its payload, or None when it is no longer wanted or another worker's lease holds it."""
        ...

    def extend(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int, sign: bool) -> bool:
        """Extend the lease, with `sign` also the activity's heartbeat. False: cancelled or taken over."""
        ...

    def report(self, partition: int, token: str, record: bytes, now_ms: int, grace_ms: int) -> str:
        """Append the attempt's result to the inbox and put its lease off by `grace_ms`. The position."""
        ...

    def claim_many(
        self, attempts: Sequence[tuple[int, str]], worker: str, now_ms: int, lease_ms: int
    ) -> list[bytes | None]:
        """`claim` for several (partition, token) in one round trip; the answers in order."""
        ...

    def unclaim(self, attempts: Sequence[tuple[int, str]], worker: str, now_ms: int, grace_ms: int) -> None:
        """Give claimed attempts back that were not begun: as if never claimed, dispatch deadline `grace_ms` away."""
        ...

    def report_many(self, reports: Sequence[tuple[int, str, bytes]], now_ms: int, grace_ms: int) -> list[str]:
        """`report` for several (partition, token, record) in one round trip; durable on return."""
        ...

    # -- reading -------------------------------------------------------------------------------------------

    def instance(self, partition: int, instance: str) -> bytes | None:
        """The stored instance."""
        ...

    def read_instances(self, wanted: Sequence[tuple[int, str]]) -> Sequence[bytes | StoreError | None]:
        """Stored instances (partition, id), or the error that reading this one has met."""
        ...

    def read_reservations(self, wanted: Sequence[tuple[int, str]]) -> Sequence[str | StoreError | None]:
        """Fingerprints of requested starts (partition, id), also before the engine has seen them."""
        ...

    def history(self, partition: int, instance: str, start: int, count: int) -> list[bytes]:
        """Entries `start` (from 0) and up to `count` more."""
        ...

    def instances(
        self, filter: InstanceFilter, definitions: Sequence[str], limit: int, cursor: str | None
    ) -> tuple[list[bytes], str | None]:
        """Newest first. The cursor of the next page, None at the end. Raises ValueError for a cursor not ours."""
        ...

    def device(self, partition: int, device: str) -> bytes | None:
        """The device's record."""
        ...

    def device_ids(self, partition: int, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        """Known devices, in no order."""
        ...

    def device_events(self, partition: int, device: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Accumulated events with a sequence greater than `after`, oldest first."""
        ...

    def seen(self, key: bytes, now_ms: int) -> list[tuple[int, bytes]]:
        """(partition, disposition) for an event key, searched in every partition."""
        ...

    def ledger(self, partition: int, after: str, count: int) -> list[Entry]:
        """Ledger entries (field b"e": JSON) in order."""
        ...

    def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        """Newest first."""
        ...

    def dead_letter(self, id: str) -> DeadLetter | None:
        """One dead letter."""
        ...

    def remove_dead_letter(self, id: str) -> bool:
        """After a replay or a discard; False where it was not there."""
        ...

    def partition_info(self, partition: int) -> PartitionInfo:
        """Figures of one partition."""
        ...

    def timers(self, partition: int, instance: str) -> list[Alarm]:
        """All alarms of an instance (for `doctor`; scans)."""
        ...

    def attempts(self, partition: int) -> dict[str, bytes]:
        """All pending attempts by token (for `doctor`)."""
        ...

    def listen(self, channel: str, deliver: Callable[[bytes], None]) -> AbstractContextManager[None]:
        """Call `deliver` (from another thread) with every message of a reply channel while the context is open."""
        ...

    def add_sources(self, sources: Sequence[str]) -> None:
        """Remember event sources seen (at most 1,000 are kept), so that an event can be looked up by its id alone."""
        ...

    def sources(self) -> list[str]:
        """The remembered sources."""
        ...

    def ping(self) -> None:
        """Raises StoreUnavailable when the store cannot be reached or refuses writes."""
        ...

    def scan(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """Every instance of a partition as (id, JSON), for `doctor`."""
        ...

    def close(self) -> None:
        """Free the connections."""
        ...
