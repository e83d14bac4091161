"""What must hold after every simulation, counted from the store and the pushes alone; each finding is one line.

Nothing here asks the engine. `decide` is used only to fold the histories again.
"""

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
from simulation import PARTITIONS, Simulation
from stepwell_cli.examination import examine
from stepwell_engine import device as devices
from stepwell_interpreter.decide import decide, describe, obligations, timer_in, timer_slot
from stepwell_schemas import instance as instances
from stepwell_schemas import records
from stepwell_schemas.instance import TERMINAL, Instance, new_instance
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    EventOffered,
    InstanceStarted,
    TimerFired,
)
from stepwell_store.partition import partition_of

LAST = frozenset({"started", "consumed", "ignored", "rejected", "deadLettered"})
_EVENT = {"sequence": 0}
"""Of a dead letter that holds an event itself."""

LATER = frozenset({"consumed", "expired", "cleared"})


class Audit:
    """Everything that is wrong after a run."""

    def __init__(self, run: Simulation) -> None:
        self.run = run
        self.found: list[str] = []
        self.instances: dict[str, tuple[int, Instance]] = {}
        self.takes: Counter[tuple[str, str]] = Counter()
        """(event, instance) as the histories have it."""
        self.lines = [
            line
            for number in range(PARTITIONS)
            for entry in run.store.ledger(number, "0-0", 1_000_000)
            for line in orjson.loads(entry.fields[b"e"])
        ]
        for number in range(PARTITIONS):
            for id, raw in run.store.scan(number):
                self.instances[id] = (number, instances.from_wire(orjson.loads(raw)))

    def findings(self) -> list[str]:
        for number, instance in self.instances.values():
            self._history(number, instance)
            self._standing(number, instance)
        self._dispositions()
        self._accumulators()
        self._takers()
        self._leftovers()
        self._counters()
        self._starts()
        self._doctor()
        return [*self.run.store.findings, *self.found]

    def _expect(self, holds: bool, finding: str) -> None:
        if not holds:
            self.found.append(finding)

    # -- instances -----------------------------------------------------------------------------------------

    def _history(self, number: int, stored: Instance) -> None:
        """A fold of `decide` over the records gives the stored state; the entries are chained by their hashes."""
        program = self.run._programs[(stored.definition, stored.version)]
        folded = new_instance(
            id=stored.id, definition=stored.definition, version=stored.version, program=program.hash,
            device=stored.device, parent=stored.parent,
        )  # fmt: skip
        previous, answered = "", Counter[str]()
        for raw in self.run.store.history(number, stored.id, 0, 1_000_000):
            entry = orjson.loads(raw)
            record = records.from_wire(entry["record"])
            self._expect(entry["prev"] == previous, f"{stored.id}: the chain breaks at {entry['n']}")
            previous = hashlib.blake2b(raw, digest_size=16).hexdigest()
            wanted = [frame.work.get("token") for frame in folded.frames.values()]
            decision = decide(program, folded, record)
            folded = decision.instance
            self._expect(folded.revision == entry["n"], f"{stored.id}: entry {entry['n']} is out of order")
            if isinstance(record, ActivityCompleted | ActivityFailed) and decision.answer == "accepted":
                answered[record.attempt] += 1
                self._expect(record.token in wanted, f"{stored.id}: took a result with a token out of date")
            if isinstance(record, TimerFired):
                self._expect(
                    record.due_ms <= record.time_ms, f"{stored.id}: {record.timer} fired before its time"
                )
            if isinstance(record, EventOffered) and decision.answer == "consumed":
                self.takes[record.event.id, stored.id] += 1
            if isinstance(record, InstanceStarted) and record.event is not None:
                self.takes[record.event.id, stored.id] += 1
        self._expect(previous == stored.history_hash, f"{stored.id}: the last hash is not the stored one")
        if self.run.was_sick:  # a quarantine is told by no entry of the history
            folded = replace(folded, updated_ms=stored.updated_ms)
        same = instances.to_wire(replace(folded, history_hash=previous)) == instances.to_wire(stored)
        self._expect(same, f"{stored.id}: the history does not replay to the stored state")
        for attempt, count in answered.items():
            self._expect(count == 1, f"{stored.id}: attempt {attempt} was answered {count} times")

    def _standing(self, number: int, instance: Instance) -> None:
        """A running instance owns what carries it on, and all of that is really there."""
        if instance.status in TERMINAL:
            return
        self._expect(instance.status == "running", f"{instance.id} is {instance.status}: {instance.cause}")
        owned = obligations(instance)
        self._expect(bool(owned), f"{instance.id} waits for nothing")
        timers = {timer.slot: timer.due_ms for timer in self.run.store.timers(number, instance.id)}
        attempts = self.run.store.attempts(number)
        for duty in owned:
            kind, name = duty["kind"], duty["name"]
            child = self.instances.get(name)
            there = {
                "timer": kind == "timer" and self._is_armed(timers, instance, name),
                "attempt": name in attempts,
                "child": child is not None and child[1].status not in TERMINAL,
            }.get(kind, True)
            self._expect(there, f"{instance.id} relies on {kind} {name}, which is not there")

    @staticmethod
    def _is_armed(armed: dict[str, int], instance: Instance, name: str) -> bool:
        """Whether the alarm of a timer rings, and not too late."""
        slot = timer_slot(name)
        timer = timer_in(instance, slot)
        return timer is not None and slot in armed and armed[slot] <= timer[1]

    def _starts(self) -> None:
        for id in self.run.asked:
            self._expect(id in self.instances, f"{id} was asked for and never started")

    # -- events --------------------------------------------------------------------------------------------

    def _dispositions(self) -> None:
        """Every distinct event ends once, by a legal chain; every repeat of it is one duplicate."""
        chains: dict[str, list[str]] = defaultdict(list)
        for line in self.lines:
            chains[line[0]].append(line[2])
        pushes = Counter(event["id"] for event in self.run.pushed)
        for id in self.run.raised & chains.keys():
            ends = [kind for kind in chains.pop(id) if kind != "duplicate"]
            held = self.run.was_sick and ends == ["buffered", "consumed"]
            self._expect(len(ends) == 1 or held, f"{id}: {ends}")
        self._expect(set(chains) == set(pushes), f"no disposition: {sorted(set(pushes) - set(chains))}")
        for id, chain in chains.items():
            repeats = chain.count("duplicate")
            self._expect(repeats == pushes[id] - 1, f"{id}: {pushes[id]} pushes, but {chain}")
            rest = [kind for kind in chain if kind != "duplicate"]
            once = len(rest) == 1 and rest[0] in LAST | {"buffered"}
            later = len(rest) == 2 and rest[0] == "buffered" and rest[1] in LATER
            if self.run.was_sick:  # taken by others, and after the release by whoever was quarantined
                later = rest[0] in LAST | {"buffered"} and LATER | {"deadLettered"} >= set(rest[1:])
            self._expect(once or later, f"{id}: {chain}")

    def _accumulators(self) -> None:
        """The order of the door is the order of the device; the figures are those of what is there."""
        placed: dict[str, dict[int, str]] = defaultdict(dict)
        for line in self.lines:
            if line[5] is not None:
                placed[line[4]].setdefault(line[5], line[0])
        order: dict[str, int] = {}
        for place, event in enumerate(self.run.pushed):
            order.setdefault(event["id"], place)
        for device, events in placed.items():
            numbers = sorted(events)
            places = [order[events[n]] for n in numbers]
            self._expect(numbers == list(range(1, len(numbers) + 1)), f"{device}: sequences {numbers}")
            self._expect(all(a < b for a, b in pairwise(places)), f"{device}: not in the order of the door")
            self._expect(len(set(events.values())) == len(events), f"{device}: an event was added twice")
            self._figures(device, events)

    def _figures(self, device: str, placed: dict[int, str]) -> None:
        number = partition_of(device, PARTITIONS)
        record = devices.decode(device, self.run.store.device(number, device) or b"{}")
        stored = self.run.store.device_events(number, device, 0, 1_000_000)
        self._expect([n for n, _ in stored] == list(range(record.first, record.next)), f"{device}: a gap")
        self._expect(record.next == len(placed) + 1, f"{device}: {record.next} after {len(placed)} events")
        self._expect(record.bytes == sum(len(raw) for _, raw in stored), f"{device}: bytes do not add up")
        ids = [orjson.loads(raw)["id"] for _, raw in stored]
        self._expect(
            ids == [placed[n] for n, _ in stored], f"{device}: holds other events than the ledger says"
        )
        last = {line[0]: line[2] for line in self.lines if line[2] != "duplicate"}
        open_events = {
            n: orjson.loads(raw) for n, raw in stored if last[orjson.loads(raw)["id"]] == "buffered"
        }
        kept = Counter(event["type"] for event in open_events.values())
        self._expect(record.kept == dict(kept), f"{device}: keeps {record.kept}, the ledger says {kept}")
        available = self.run.store._parts[number].available.get(device, set())
        self._expect(
            available == set(open_events), f"{device}: {available} available, {set(open_events)} expected"
        )
        running = {
            id
            for id, (_, one) in self.instances.items()
            if one.device == device and one.status not in TERMINAL
        }
        self._expect(set(record.running) == running, f"{device}: runs {record.running}, really {running}")

    def _takers(self) -> None:
        """The ledger and the histories agree who took which event, and nobody took one twice."""
        told: Counter[tuple[str, str]] = Counter(
            (line[0], id) for line in self.lines if line[2] in ("started", "consumed") for id in line[7]
        )
        begun = Counter({pair: n for pair, n in (told - self.takes).items() if self._has_begun(pair[1])})
        self._expect(
            not begun and told >= self.takes, f"takers differ: {begun} told, {self.takes - told} done"
        )
        twice = [pair for pair, count in self.takes.items() if count > 1]
        self._expect(not twice, f"taken twice: {twice}")

    def _has_begun(self, id: str) -> bool:
        """Whether it was not cancelled in the quarantine that its very start brought it into."""
        return not self.run.was_sick or self.instances[id][1].input is not None

    # -- what is left --------------------------------------------------------------------------------------

    def _leftovers(self) -> None:
        for number in range(PARTITIONS):
            part = self.run.store._parts[number]
            tokens: set[str] = set()
            timers: dict[tuple[str, str], int] = {}
            for id, (place, instance) in self.instances.items():
                if place == number and instance.status not in TERMINAL:
                    standing = describe(instance)
                    tokens |= {pending["token"] for pending in standing["pendingActivities"]}
                    timers |= {
                        (id, timer_slot(timer["timer"])): timer["dueMs"] for timer in standing["timers"]
                    }
            self._expect(set(part.attempts) == tokens, f"attempts of {number}: {set(part.attempts) ^ tokens}")
            self._expect(
                set(part.deadlines) == tokens, f"deadlines of {number}: {set(part.deadlines) ^ tokens}"
            )
            self._expect(set(part.claims) <= tokens, f"claims of {number}: {set(part.claims) - tokens}")
            self._expect(
                part.timers.keys() == timers.keys(),
                f"timers of {number}: {part.timers.keys() ^ timers.keys()}",
            )
            late = [key for key, due_ms in timers.items() if part.timers.get(key, due_ms) > due_ms]
            self._expect(not late, f"alarms of {number} that ring too late: {late}")
            self._expect(len(part.outbox) == 0, f"the outbox of {number} holds {len(part.outbox)}")
            self._expect(len(part.inbox) == 0, f"the inbox of {number} holds {len(part.inbox)}")
            indexed = {(id, key[1]) for key, ids in part.index.items() for id in ids}
            real = {(id, one.status) for id, (place, one) in self.instances.items() if place == number}
            self._expect(indexed == real, f"the index of {number} differs by {indexed ^ real}")
        self._expect(self.run.store.door_length() <= 1, "the door was not trimmed")

    def _counters(self) -> None:
        counted: Counter[str] = Counter()
        for number in range(PARTITIONS):
            counted.update(self.run.store.partition_info(number).counters)
        told: Counter[Any] = Counter(line[2] for line in self.lines)
        self._expect(counted == told, f"counters {dict(counted)}, ledger {dict(told)}")
        letters, _ = self.run.store.dead_letters(1_000_000, None)
        dead: list[dict[str, Any]] = [orjson.loads(letter.body) for letter in letters]
        broken = [letter for letter in dead if letter["reason"] in ("engineError", "malformedRecord")]
        self._expect(not broken, f"the engine failed: {broken[:1]}")
        of_events = [letter for letter in dead if letter.get("record", _EVENT).get("sequence") is not None]
        self._expect(
            len(of_events) <= told["deadLettered"]
            and (self.run.was_sick or len(dead) == told["deadLettered"]),
            f"{len(dead)} dead letters, {told['deadLettered']} told",
        )

    def _doctor(self) -> None:
        """The operator's own examination finds nothing either."""
        *_, last = examine(self.run.store, self.run.now_ms)
        wrong = [finding.message for finding in last.findings if finding.severity == "error"]
        self._expect(not wrong, f"doctor: {wrong[:2]}")
