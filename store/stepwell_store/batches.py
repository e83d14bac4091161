"""What the owner of a partition exchanges with the store for a batch: what it reads, what it commits.

What every batch makes is written out: a generated `__init__` is interpreted Python even in the compiled build
(docs/decisions/0011). A None where a list or a mapping belongs makes an empty one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

START = "0-0"
"""The position before the first entry of a log."""


@dataclass(slots=True, init=False)
class Entry:
    """One entry of a log: `id` is its position ("<ms>-<n>", ordered), `fields` as written."""

    id: str
    fields: dict[bytes, bytes]

    def __init__(self, id: str, fields: dict[bytes, bytes]) -> None:
        self.id = id
        self.fields = fields


@dataclass(slots=True, init=False)
class Inbound:
    """New entries: of the door, and of each partition's inbox; and the catalogue's revision read after them."""

    door: list[Entry]
    inboxes: dict[int, list[Entry]]
    catalog_revision: int

    def __init__(
        self,
        door: list[Entry],
        inboxes: dict[int, list[Entry]],
        catalog_revision: int,
    ) -> None:
        self.door = door
        self.inboxes = inboxes
        self.catalog_revision = catalog_revision


@dataclass(slots=True, init=False)
class Wanted:
    """What the owner needs of its partition before it can decide a batch."""

    partition: int
    instances: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    """With each come the instances it runs: the store reads the keys of `running` in a device's record. With each that
    has `dropped` events come its oldest."""
    behind: dict[str, int] = field(default_factory=dict)
    """Devices whose accumulated events behind a sequence are wanted, `AHEAD` of each at most."""
    available: list[str] = field(default_factory=list)
    """Devices whose unconsumed events are wanted too: {sequence: event JSON} in order."""
    seen: list[bytes] = field(default_factory=list)
    """Event keys to look up in the current and the kept dedupe buckets."""

    def __init__(
        self,
        partition: int,
        instances: list[str] | None = None,
        devices: list[str] | None = None,
        behind: dict[str, int] | None = None,
        available: list[str] | None = None,
        seen: list[bytes] | None = None,
    ) -> None:
        self.partition = partition
        self.instances = [] if instances is None else instances
        self.devices = [] if devices is None else devices
        self.behind = {} if behind is None else behind
        self.available = [] if available is None else available
        self.seen = [] if seen is None else seen


OLDEST = 4
"""Accumulated events that come with a device: an event drops one, or some that have grown too old."""

AHEAD = 16
"""Accumulated events of a device that are read ahead, before events drop them."""


@dataclass(slots=True, init=False)
class Loaded:
    """The answer to `Wanted`; what is not there is not in the mappings."""

    instances: dict[str, bytes] = field(default_factory=dict)
    devices: dict[str, bytes] = field(default_factory=dict)
    available: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    oldest: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    """Accumulated events (sequence, JSON): the first `OLDEST` of a wanted device that has dropped some, those `behind`
    of another. Left out where they cannot be read, or where there is much of them."""
    seen: dict[bytes, bytes] = field(default_factory=dict)

    def __init__(
        self,
        instances: dict[str, bytes] | None = None,
        devices: dict[str, bytes] | None = None,
        available: dict[str, list[tuple[int, bytes]]] | None = None,
        oldest: dict[str, list[tuple[int, bytes]]] | None = None,
        seen: dict[bytes, bytes] | None = None,
    ) -> None:
        self.instances = {} if instances is None else instances
        self.devices = {} if devices is None else devices
        self.available = {} if available is None else available
        self.oldest = {} if oldest is None else oldest
        self.seen = {} if seen is None else seen


@dataclass(frozen=True, slots=True)
class Handing:
    """How a commit's jobs reach a queue on the same server, in the same act: a script that is run right behind it. It
    also forgets the jobs whose results the commit applies.

    KEYS[1] is the partition's meta hash, ARGV[1] the commit's token, then `arguments`. The script must do nothing
    and answer -1 where the hash's field `token` is another: then the commit was not applied.
    """

    script: str
    arguments: Sequence[bytes | str | int]


@dataclass(slots=True, init=False)
class Commit:
    """One batch of a partition: applied whole or not at all, if `epoch` and `revision` are still right.

    `token` is unique per commit: a repeat after a lost reply is recognised by it. Applied in field order.
    """

    partition: int
    epoch: int
    revision: int
    token: str
    time_ms: int
    inbox: str
    door: str
    dispatched: str | None = None
    """Outbox entries up to here have reached their queue; they are trimmed."""
    removed: dict[str, str | None] = field(default_factory=dict)
    """Instances that go, with all that is theirs, and the device of each."""
    instances: dict[str, bytes] = field(default_factory=dict)
    history: dict[str, list[bytes]] = field(default_factory=dict)
    index: list[tuple[str, str, str | None, str | None, int]] = field(default_factory=list)
    """(instance, definition, old status or None, new status or None, created_ms): moves in the search index."""
    runs: list[tuple[str, str, int]] = field(default_factory=list)
    """(device, instance, created_ms) of instances that have ended; one that runs stands in its device's record."""
    devices: dict[str, bytes | None] = field(default_factory=dict)
    accumulated: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    """Appended to the device's accumulator: (sequence, event JSON). Sequences grow by one, without gaps."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Device -> first sequence that stays; older events leave the accumulator (and are no longer available)."""
    available: dict[str, list[int]] = field(default_factory=dict)
    """Device -> sequences that stay available to later waits (after `accumulated`)."""
    consumed: dict[str, list[int]] = field(default_factory=dict)
    """Device -> sequences no longer available."""
    timers: dict[tuple[str, str], int | None] = field(default_factory=dict)
    """(instance, slot) -> due time; None clears."""
    attempts: dict[str, tuple[bytes, int] | None] = field(default_factory=dict)
    """token -> (payload, dispatch deadline); None forgets the attempt, its claim and its lease."""
    deadlines: dict[str, int] = field(default_factory=dict)
    """token -> later deadline, for attempts still queued."""
    seen: dict[bytes, bytes] = field(default_factory=dict)
    """Event key -> disposition JSON, in the bucket of `time_ms`."""
    ledger: list[bytes] = field(default_factory=list)
    outbox: list[bytes] = field(default_factory=list)
    dead: list[bytes] = field(default_factory=list)
    unreserved: list[str] = field(default_factory=list)
    """Instance ids whose requested start was refused: the reservation is dropped."""
    counters: dict[str, int] = field(default_factory=dict)
    replies: list[tuple[str, bytes]] = field(default_factory=list)
    """(channel, message): published after the rest; nothing depends on their arrival."""
    handing: Handing | None = None
    """Handing out of `outbox`; a store that cannot run it leaves it to the engine."""
    unwritten: tuple[str, bytes] | None = None
    """Position and field `h` of the inbox entry of this batch that was told and not written (docs/decisions/0015).
    Where the store does not have that entry there, the commit is stale."""

    def __init__(
        self,
        partition: int,
        epoch: int,
        revision: int,
        token: str,
        time_ms: int,
        inbox: str,
        door: str,
        dispatched: str | None = None,
        removed: dict[str, str | None] | None = None,
        instances: dict[str, bytes] | None = None,
        history: dict[str, list[bytes]] | None = None,
        index: list[tuple[str, str, str | None, str | None, int]] | None = None,
        runs: list[tuple[str, str, int]] | None = None,
        devices: dict[str, bytes | None] | None = None,
        accumulated: dict[str, list[tuple[int, bytes]]] | None = None,
        dropped: dict[str, int] | None = None,
        available: dict[str, list[int]] | None = None,
        consumed: dict[str, list[int]] | None = None,
        timers: dict[tuple[str, str], int | None] | None = None,
        attempts: dict[str, tuple[bytes, int] | None] | None = None,
        deadlines: dict[str, int] | None = None,
        seen: dict[bytes, bytes] | None = None,
        ledger: list[bytes] | None = None,
        outbox: list[bytes] | None = None,
        dead: list[bytes] | None = None,
        unreserved: list[str] | None = None,
        counters: dict[str, int] | None = None,
        replies: list[tuple[str, bytes]] | None = None,
        handing: Handing | None = None,
        unwritten: tuple[str, bytes] | None = None,
    ) -> None:
        self.partition, self.epoch, self.revision = partition, epoch, revision
        self.token = token
        self.time_ms = time_ms
        self.inbox, self.door, self.dispatched = inbox, door, dispatched
        self.removed = {} if removed is None else removed
        self.instances = {} if instances is None else instances
        self.history = {} if history is None else history
        self.index = [] if index is None else index
        self.runs = [] if runs is None else runs
        self.devices = {} if devices is None else devices
        self.accumulated = {} if accumulated is None else accumulated
        self.dropped = {} if dropped is None else dropped
        self.available = {} if available is None else available
        self.consumed = {} if consumed is None else consumed
        self.timers = {} if timers is None else timers
        self.attempts = {} if attempts is None else attempts
        self.deadlines = {} if deadlines is None else deadlines
        self.seen = {} if seen is None else seen
        self.ledger = [] if ledger is None else ledger
        self.outbox = [] if outbox is None else outbox
        self.dead = [] if dead is None else dead
        self.unreserved = [] if unreserved is None else unreserved
        self.counters = {} if counters is None else counters
        self.replies = [] if replies is None else replies
        self.handing = handing
        self.unwritten = unwritten


@dataclass(slots=True, init=False)
class CommitResult:
    """`stale`: another owner has the partition (or the revision moved): nothing was written, give it up."""

    status: Literal["committed", "stale"]
    next_due_ms: int | None = None
    outbox: list[str] = field(default_factory=list)
    is_handed: bool = False
    """Whether the commit's `handing` has been run."""
    set_aside: list[str] = field(default_factory=list)
    """Names of keys of instances or devices that were of another type: they are under `corrupt:<name>` now."""

    def __init__(
        self,
        status: Literal["committed", "stale"],
        next_due_ms: int | None = None,
        outbox: list[str] | None = None,
        is_handed: bool = False,
        set_aside: list[str] | None = None,
    ) -> None:
        self.status = status
        self.next_due_ms = next_due_ms
        self.outbox = [] if outbox is None else outbox
        self.is_handed = is_handed
        self.set_aside = [] if set_aside is None else set_aside
