"""A deterministic simulation: two real engines on a memory store that fails, stalls and loses replies, by one seed.

Workers, doors and operators are played; time is the simulation's. `Simulation(seed).run()` ends quiet and without
faults; `audit` (simulation_audit) then says everything that is wrong with what is left.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import orjson
from engine_world import T0
from simulation_oracle import ObservedStore
from simulation_sickness import Sickness
from simulation_transit import Crashed, Faulty, FaultyStore, Transit
from simulation_workers import Queue, Worker
from simulation_workflows import ACTIVITIES, WORKFLOWS
from stepwell_engine.catalog import check
from stepwell_engine.intake import USUAL_PACE, Pace
from stepwell_engine.loop import Engine
from stepwell_ingress.door import Door
from stepwell_ingress.errors import DoorBusy
from stepwell_interpreter.program import Program
from stepwell_schemas.catalog import StoredDefinition
from stepwell_store.errors import StoreUnavailable
from stepwell_store.memory_store import MemoryStore
from stepwell_store.partition import partition_of
from stepwell_store.protocol import RequestedStart, StartReceipt

PARTITIONS = 3
LEASE_MS = 5_000
DOOR_LIMIT = 200
DEVICES = ("d0", "d1", "d2", "d3")
TYPES = ("Seen", "Seen", "Go", "Go", "Ping", "Ping", "Ping", "Unheard")


def _round(engine: Engine) -> int:
    return engine.step(block_ms=0)


class Simulation:
    """One run. What was pushed and asked for is kept beside the store, for the audit to count independently."""

    def __init__(self, seed: int, rounds: int = 90) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.rounds = rounds
        self.now_ms = T0
        self.store = ObservedStore("sim", PARTITIONS, clock=lambda: self.now_ms)
        self.store.observe()
        for stored in definitions():
            self.store.publish_definition(stored)
        self.queue = Queue(self.store)
        self.asked: list[str] = []
        self.raised: set[str] = set()
        """Ids of events raised for one instance, some of them more than once."""
        self.transit = Transit()
        self.faults = 0.0
        self.largest_skew_ms = self.random.choice((150, 150, 150, 2_500))
        self.sickness = Sickness(seed, self.random.choice((0, 0, 0, 40)))
        self.was_sick = bool(self.sickness.one_in)
        self.clients = FaultyStore(self.store, self._fault_outside, self.transit)
        """The store as workers, the HTTP door and operators reach it."""
        self.door = Door(self.clients, DOOR_LIMIT, lambda: self.now_ms / 1_000)
        self._unsent: list[bytes] = []
        """What the HTTP door's client has not been told to be durable; it sends it again."""
        self._events = 0
        self.workers = [self._worker(f"worker-{number}") for number in range(3)]
        self._programs: dict[tuple[str, str], Program] = {}
        self._owners = 0
        self._stalled = False
        self._stepping: Engine | None = None
        self.engines = [self._engine(), self._engine()]

    @property
    def pushed(self) -> list[dict[str, Any]]:
        """Every event in the order of the door, repeats included."""
        return [orjson.loads(raw) for raw in self.store.pushed]

    def run(self) -> "Simulation":
        """The whole of it; `simulation_audit` looks at what is left."""
        with self.sickness.spread():
            return self._run()

    def _run(self) -> "Simulation":
        self.faults = self.random.choice((0.0, 0.01, 0.04, 0.1))
        actions: list[Callable[[], None]] = [
            *[self._step] * 8, *[self._push] * 3, *[self._post] * 2, *[self._work] * 7,
            *[self._arrive_late] * 2,
            self._repeat, self._crash, self._wait, self._lose_job, self._ask, self._operate,
        ]  # fmt: skip
        for _ in range(self.rounds):
            self.random.choice(actions)()
        self.faults = 0.0
        self._settle()
        return self

    # -- engines -------------------------------------------------------------------------------------------

    def _engine(self) -> Engine:
        self._owners += 1
        skew = self._skew()
        most = self.random.choice((2, 5, 500))
        engine = Engine(
            FaultyStore(self.store, self._fault, self.transit),
            Faulty(self.queue, self._fault, self.transit),
            f"engine-{self._owners}",
            lease_ms=LEASE_MS,
            now_ms=lambda: self.now_ms + skew,
            entropy=self.random.randbytes,
            pace=Pace(fewest=min(2, most), most=most, ahead_from=self.random.choice((1, 3, 500))),
            cache_bytes=self.random.choice((0, 20_000, 10_000_000)),
        )
        engine.catalog._programs = self._programs  # versions never change; compiling them anew proves nothing
        return engine

    def _fault(self, name: str) -> str:
        if not self.faults:
            return ""
        if name in ("read", "load", "commit") and not self._stalled and self.random.random() < self.faults:
            self._stall()
        if self.random.random() < self.faults:
            return self.random.choice(("before", "after", "late", "crash"))
        return ""

    def _fault_outside(self, name: str) -> str:
        if self.random.random() < self.faults:
            return self.random.choice(("before", "after", "late"))
        return ""

    def _skew(self) -> int:
        return self.random.randint(-self.largest_skew_ms, self.largest_skew_ms)

    def _stall(self) -> None:
        """In the midst of one engine's call its lease runs out, and the other takes over."""
        self._stalled = True
        self.now_ms += LEASE_MS + 1_000
        others = [engine for engine in self.engines if engine is not self._stepping]
        if self.random.random() < 0.3:  # and is slow itself from there on
            self._step_one(self.random.choice(others), lambda engine: engine._keep_leases(self.now_ms))
        else:
            for _ in range(self.random.randint(1, 4)):
                self._step_one(self.random.choice(others))
        self._stalled = False

    def _step(self) -> None:
        self._stepping = self.random.choice(self.engines)
        self._step_one(self._stepping)

    def _step_one(self, engine: Engine, act: Callable[[Engine], int | None] = _round) -> int:
        try:
            return act(engine) or 0
        except StoreUnavailable:
            return 0
        except Crashed:
            self.engines = [self._engine() if one is engine else one for one in self.engines]
            return 0

    def _arrive_late(self) -> None:
        """What a dead or cut-off engine had sent reaches the store after all, or never does."""
        self.transit.arrive(self.random.randint(0, 3))

    def _crash(self) -> None:
        number = self.random.randrange(2)
        self.engines[number]._lane.close()
        self.engines[number] = self._engine()

    def _wait(self) -> None:
        self.now_ms += self.random.choice((10, 400, 1_100, 6_000, 25_000))

    # -- doors ---------------------------------------------------------------------------------------------

    def _push(self) -> None:
        """XADD, from anywhere."""
        for _ in range(self.random.randint(1, 4)):
            event = self._event()
            self.store.append_events([event])
            if self.random.random() < 0.1:
                self.store.append_events([event])
        self.now_ms += self.random.randint(0, 30)

    def _post(self) -> None:
        """A batch through the HTTP door, again until it is answered."""
        if not self._unsent:
            self._unsent = [self._event() for _ in range(self.random.randint(1, 4))]
        try:
            self.door.append(self._unsent)
        except (StoreUnavailable, DoorBusy):
            return
        self._unsent = []

    def _repeat(self) -> None:
        if self.store.pushed:
            self.store.append_events([self.random.choice(self.store.pushed)])

    def _event(self) -> bytes:
        self._events += 1
        event = {
            "specversion": "1.0",
            "id": f"e{self._events}",
            "source": "/sim",
            "type": self.random.choice(TYPES),
            "subject": self.random.choice(DEVICES),
            "data": {"n": self.random.randint(1, 2)},
        }
        return orjson.dumps(event)

    def _ask(self) -> None:
        """A start by request, sent twice as after a lost answer."""
        id = f"asked-{len(self.asked)}"
        self.asked.append(id)
        operation: dict[str, Any] = {
            "op": "start",
            "instance": id,
            "definition": "family",
            "version": None,
            "input": {},
        }
        partition = partition_of(id, PARTITIONS)
        for _ in range(self.random.randint(1, 2)):
            [receipt] = self.store.request_starts(
                [RequestedStart(partition, id, "same", orjson.dumps(operation))]
            )
            assert isinstance(receipt, StartReceipt)

    def _operate(self) -> None:
        """Cancel an instance, send it an event of its own, release it, or clear its device."""
        partition = self.random.randrange(PARTITIONS)
        found = [id for id, _ in self.store.scan(partition)]
        if not found:
            return
        id = self.random.choice(found)
        what = self.random.choice(("cancel", "raise", "raise", "clear", "release"))
        operation: dict[str, Any]
        record: dict[str, Any]
        if what == "clear":
            device = self.random.choice(DEVICES)
            operation = {"op": "clear", "device": device, "upTo": self.random.randint(1, 9)}
            partition = partition_of(device, PARTITIONS)
        elif what == "release":
            discards = self.random.random() < 0.3
            operation = {"op": "release", "instance": id, "actor": "ops", "discardHeld": discards}
        elif what == "cancel":
            record = {"kind": "CancelRequested", "time_ms": 0, "compensate": self.random.random() < 0.5}
            operation = {"op": "deliver", "instance": id, "record": record}
        else:
            event: dict[str, Any] = {
                "id": f"raised-{len(self.raised)}",
                "source": f"stepwell:instance/{id}",
                "type": "Go",
                "device": None,
                "time": None,
            }
            event |= {"data": {"n": 1}, "received": self.now_ms}
            record = {"kind": "EventOffered", "time_ms": 0, "event": event, "raised": True}
            operation = {"op": "deliver", "instance": id, "record": record, "once": True}
            self.raised.add(event["id"])
        for _ in range(self.random.randint(1, 2)):  # twice, as after a lost answer
            self.store.append_records(partition, [orjson.dumps(operation)])

    # -- workers -------------------------------------------------------------------------------------------

    def _worker(self, name: str) -> Worker:
        skew = self._skew()
        return Worker(name, self.clients, self.queue, self.random, lambda: self.now_ms + skew)

    def _work(self) -> None:
        self.random.choice(self.workers).step(bool(self.faults))

    def _lose_job(self) -> None:
        if self.queue.jobs:
            del self.queue.jobs[self.random.choice(list(self.queue.jobs))]

    # -- the end -------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No more faults: engines and workers until nothing moves, over enough time for what was lost."""
        for engine in self.engines:
            engine._intake._pace = USUAL_PACE
        while self._unsent:
            self._post()
        while self.transit.lanes:
            self.transit.arrive(self.random.randint(0, 3))
        self._quieten((6_000, 1_100))
        self.sickness.mend()
        for number in range(PARTITIONS if self.was_sick else 0):
            for id, raw in list(self.store.scan(number)):
                if b'"quarantined"' in raw:
                    self.store.append_records(number, [orjson.dumps({"op": "release", "instance": id})])
        self._quieten((16_000, 1_100, 4_000, 1_100, 1_100))

    def _quieten(self, pauses_ms: Sequence[int]) -> None:
        for pause_ms in pauses_ms:
            self.now_ms += pause_ms
            quiet = 0
            # A round that reads only events of the other engine's partitions applies nothing, and is not the last.
            while quiet < 3:
                quiet += 1
                if sum(self._step_one(engine) for engine in self.engines) or self.queue.jobs:
                    quiet = 0
                for worker in self.workers:
                    while self.queue.jobs or worker.bodies:
                        worker.take()
                        worker.finish()


@cache
def definitions() -> tuple[StoredDefinition, ...]:
    """The workflows, checked once for all runs."""
    store = MemoryStore("check", 1)
    store.publish_activities(ACTIVITIES)
    found: list[StoredDefinition] = []
    for source in WORKFLOWS:
        stored, problems = check(store, source)
        assert stored is not None, [problem.message for problem in problems]
        store.publish_definition(stored)
        found.append(stored)
    return tuple(found)
