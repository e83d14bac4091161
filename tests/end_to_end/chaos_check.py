"""The independent checker of the chaos run. It reads only: what was acknowledged, then what the store holds.

Per device: every acknowledged event accumulated once and in order, taken once and in order, its disposition in the
ledger once, the result right; every history replays to the stored state under an unbroken hash chain.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

import orjson
from end_to_end.chaos_load import Device, kind_of
from stepwell_engine.catalog import compile_stored
from stepwell_interpreter.decide import decide
from stepwell_interpreter.program import Program
from stepwell_schemas import instance as instances
from stepwell_schemas import records
from stepwell_schemas.instance import Instance, new_instance
from stepwell_schemas.records import EventOffered, InstanceStarted
from stepwell_schemas.settings import Settings
from stepwell_store.open import open_store
from stepwell_store.partition import partition_of
from stepwell_store.protocol import Store

PAGE = 1_000
LAST = frozenset({"started", "consumed"})


@dataclass(slots=True)
class Audit:
    """What was counted over all devices; `faults` is empty when every promise was kept."""

    events: int = 0
    lost: int = 0
    twice: int = 0
    duplicates: int = 0
    """Repeats that the engine recognised."""
    replayed: int = 0
    """History entries that were decided again."""
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Audit") -> None:
        """Count another part in."""
        self.events += other.events
        self.lost += other.lost
        self.twice += other.twice
        self.duplicates += other.duplicates
        self.replayed += other.replayed
        self.faults += other.faults


def check(settings: Settings, devices: Sequence[Device], processes: int = 2) -> Audit:
    """Check all devices, partition by partition."""
    by_partition: dict[int, list[Device]] = defaultdict(list)
    for device in devices:
        by_partition[partition_of(device.name, settings.partitions)].append(device)
    total = Audit()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = pool.map(partial(check_partition, settings), by_partition.keys(), by_partition.values())
        for part in parts:
            total.add(part)
    return total


def check_partition(settings: Settings, number: int, devices: Sequence[Device]) -> Audit:
    """Check the devices of one partition."""
    store = open_store(settings)
    try:
        return _Checker(store, number).check(devices)
    finally:
        store.close()


class _Checker:
    def __init__(self, store: Store, number: int) -> None:
        self._store = store
        self._number = number
        self._programs: dict[tuple[str, str], Program] = {}
        self._audit = Audit()

    def check(self, devices: Sequence[Device]) -> Audit:
        stored: dict[str, list[Instance]] = defaultdict(list)
        for _, raw in self._store.scan(self._number):
            instance = instances.from_wire(orjson.loads(raw))
            stored[instance.device or ""].append(instance)
        ledger = self._ledger()
        for device in devices:
            self._device(device, stored[device.name], ledger)
        return self._audit

    def _fault(self, holds: bool, fault: str) -> None:
        if not holds:
            self._audit.faults.append(fault)

    def _ledger(self) -> dict[str, Counter[str]]:
        """Event id -> how often each disposition."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        after = "0-0"
        while entries := self._store.ledger(self._number, after, PAGE):
            for entry in entries:
                for line in orjson.loads(entry.fields[b"e"]):
                    found[line[0]][line[2]] += 1
            after = entries[-1].id
        return found

    def _device(self, device: Device, stored: list[Instance], ledger: dict[str, Counter[str]]) -> None:
        expected = [f"{device.name}-{n}" for n in range(device.acknowledged)]
        self._audit.events += len(expected)
        self._fault(len(stored) == 1, f"{device.name} has {len(stored)} instances")
        self._accumulated(device.name, expected)
        for id in expected:
            self._disposition(id, ledger.get(id, Counter()))
        taken: list[str] = []
        for instance in stored:
            taken += self._replay(instance)
            if instance.status != "succeeded" or instance.output != device.expected():
                result = instance.output
                self._fault(False, f"{instance.id} {instance.status}: {result}, not {device.expected()}")
        self._count(device.name, "applied", expected, taken)

    def _accumulated(self, device: str, expected: list[str]) -> None:
        kept: list[tuple[int, bytes]] = []
        while page := self._store.device_events(self._number, device, kept[-1][0] if kept else 0, PAGE):
            kept += page
        numbers = [n for n, _ in kept]
        self._fault(numbers == list(range(1, len(kept) + 1)), f"{device}: its sequence has gaps")
        self._count(device, "accumulated", expected, [orjson.loads(raw)["id"] for _, raw in kept])

    def _count(self, device: str, how: str, expected: list[str], found: list[str]) -> None:
        if expected == found:
            return
        counts = Counter(found)
        lost = sum(id not in counts for id in expected)
        twice = sum(count - 1 for count in counts.values())
        self._audit.lost += lost
        self._audit.twice += twice
        order = "" if lost or twice else ", but in another order"
        self._fault(False, f"{device}: of {len(expected)} events {lost} not {how}, {twice} twice{order}")

    def _disposition(self, id: str, kinds: Counter[str]) -> None:
        self._audit.duplicates += kinds["duplicate"]
        ended = sum(kinds[kind] for kind in LAST)
        others = {kind: count for kind, count in kinds.items() if kind not in LAST and kind != "duplicate"}
        self._fault(
            ended == 1 and others in ({}, {"buffered": 1}), f"{id}: its dispositions are {dict(kinds)}"
        )

    def _replay(self, stored: Instance) -> list[str]:
        """Fold `decide` over the history; the ids of the events that the instance took, in order."""
        program = self._program(stored.definition, stored.version)
        folded = new_instance(
            id=stored.id, definition=stored.definition, version=stored.version, program=program.hash,
            device=stored.device, parent=stored.parent,
        )  # fmt: skip
        previous, taken, answered = "", list[str](), Counter[str]()
        for raw in self._history(stored.id):
            entry = orjson.loads(raw)
            self._fault(entry["prev"] == previous, f"{stored.id}: the chain breaks at {entry['n']}")
            previous = hashlib.blake2b(raw, digest_size=16).hexdigest()
            record = records.from_wire(entry["record"])
            decision = decide(program, folded, record)
            folded = decision.instance
            self._fault(folded.revision == entry["n"], f"{stored.id}: entry {entry['n']} is out of order")
            self._audit.replayed += 1
            if isinstance(record, EventOffered | InstanceStarted) and record.event is not None:
                taken.append(record.event.id)
            answered.update(step["state"] for step in entry["trace"] if step["type"] == "TaskSucceeded")
        self._fault(previous == stored.history_hash, f"{stored.id}: the last hash is not the stored one")
        same = instances.to_wire(replace(folded, history_hash=previous)) == instances.to_wire(stored)
        self._fault(same, f"{stored.id}: its history does not replay to the stored state")
        books = sum(kind_of(int(id.rpartition("-")[2])) == "book" for id in taken[:-1])
        self._fault(
            answered["Book"] == books,
            f"{stored.id}: {answered['Book']} results of activities were applied, not {books}",
        )
        return taken

    def _history(self, instance: str) -> Iterable[bytes]:
        start = 0
        while page := self._store.history(self._number, instance, start, PAGE):
            yield from page
            start += len(page)

    def _program(self, definition: str, version: str) -> Program:
        key = (definition, version)
        if key not in self._programs:
            stored = next(one for one in self._store.versions(definition) if one.version == version)
            self._programs[key] = compile_stored(stored)
        return self._programs[key]
