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
from simulation_transit import Crashed, Faulty, FaultyStore, Transit
from simulation_workflows import ACTIVITIES, WORKFLOWS
from stepwell_engine.catalog import check
from stepwell_engine.dispatch import Job
from stepwell_engine.intake import USUAL_PACE, Pace
from stepwell_engine.loop import Engine
from stepwell_interpreter.program import Program
from stepwell_schemas.catalog import StoredDefinition
from stepwell_store.errors import StoreUnavailable
from stepwell_store.memory_store import MemoryStore
from stepwell_store.partition import partition_of

PARTITIONS = 3
LEASE_MS = 5_000
DEVICES = ("d0", "d1", "d2", "d3")
TYPES = ("Seen", "Seen", "Go", "Go", "Ping", "Ping", "Ping", "Unheard")


class Queue:
    """RQ as the engine sees it: a job that is there already is left alone."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def enqueue(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.jobs.setdefault(job.token, job)

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        return {job.token for job in jobs if job.token in self.jobs}


class Simulation:
    """One run. What was pushed and asked for is kept beside the store, for the audit to count independently."""

    def __init__(self, seed: int, rounds: int = 90) -> None:
        self.random = random.Random(seed)
        self.rounds = rounds
        self.now_ms = T0
        self.store = MemoryStore("sim", PARTITIONS, clock=lambda: self.now_ms)
        for stored in definitions():
            self.store.publish_definition(stored)
        self.queue = Queue()
        self.pushed: list[dict[str, Any]] = []
        """Every event in the order of the door, repeats included."""
        self.asked: list[str] = []
        self.answered: list[tuple[int, str, bytes]] = []
        """Answers that workers gave, to be given again."""
        self.late: list[tuple[int, str, bytes]] = []
        """Answers of workers that were slow, to be given when nobody waits for them any more."""
        self.transit = Transit()
        self.faults = 0.0
        self._programs: dict[tuple[str, str], Program] = {}
        self._owners = 0
        self._stalled = False
        self._stepping: Engine | None = None
        self.engines = [self._engine(), self._engine()]

    def run(self) -> "Simulation":
        self.faults = self.random.choice((0.0, 0.01, 0.04, 0.1))
        actions: list[Callable[[], None]] = [
            *[self._step] * 8, *[self._push] * 5, *[self._work] * 4,
            *[self._answer_late] * 2,
            self._repeat, self._crash, self._arrive_late, self._wait, self._lose_job, self._ask, self._operate,
        ]  # fmt: skip
        for _ in range(self.rounds):
            self.random.choice(actions)()
        self.faults = 0.0
        self._settle()
        return self

    # -- engines -------------------------------------------------------------------------------------------

    def _engine(self) -> Engine:
        self._owners += 1
        skew = self.random.randint(-150, 150)
        most = self.random.choice((2, 5, 500))
        engine = Engine(
            FaultyStore(self.store, self._fault, self.transit),
            Faulty(self.queue, self._fault),
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
            return self.random.choice(("before", "after", "crash"))
        return ""

    def _stall(self) -> None:
        """In the midst of one engine's call its lease runs out, and the other takes over."""
        self._stalled = True
        self.now_ms += LEASE_MS + 1_000
        others = [engine for engine in self.engines if engine is not self._stepping]
        for _ in range(self.random.randint(1, 4)):
            self._step_one(self.random.choice(others))
        self._stalled = False

    def _step(self) -> None:
        self._stepping = self.random.choice(self.engines)
        self._step_one(self._stepping)

    def _step_one(self, engine: Engine) -> int:
        try:
            return engine.step(block_ms=0)
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
        for _ in range(self.random.randint(1, 4)):
            event = {
                "specversion": "1.0",
                "id": f"e{len(self.pushed)}",
                "source": "/sim",
                "type": self.random.choice(TYPES),
                "subject": self.random.choice(DEVICES),
                "data": {"n": self.random.randint(1, 2)},
            }
            self._append(event)
            if self.random.random() < 0.1:
                self._append(event)
        self.now_ms += self.random.randint(0, 30)

    def _repeat(self) -> None:
        if self.pushed:
            self._append(self.random.choice(self.pushed))

    def _append(self, event: dict[str, Any]) -> None:
        self.pushed.append(event)
        self.store.append_events([orjson.dumps(event)])

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
            self.store.request_start(partition, id, "same", orjson.dumps(operation))

    def _operate(self) -> None:
        """Cancel a running instance, send it an event of its own, or clear its device."""
        partition = self.random.randrange(PARTITIONS)
        found = [id for id, _ in self.store.scan(partition)]
        if not found:
            return
        id = self.random.choice(found)
        what = self.random.choice(("cancel", "raise", "clear"))
        operation: dict[str, Any]
        record: dict[str, Any]
        if what == "clear":
            device = self.random.choice(DEVICES)
            operation = {"op": "clear", "device": device, "upTo": self.random.randint(1, 9)}
            partition = partition_of(device, PARTITIONS)
        elif what == "cancel":
            record = {"kind": "CancelRequested", "time_ms": 0, "compensate": self.random.random() < 0.5}
            operation = {"op": "deliver", "instance": id, "record": record}
        else:
            event: dict[str, Any] = {
                "id": f"raised-{self.now_ms}",
                "source": "/api",
                "type": "Go",
                "device": None,
                "time": None,
            }
            event |= {"data": {"n": 1}, "received": self.now_ms}
            record = {"kind": "EventOffered", "time_ms": 0, "event": event, "raised": True}
            operation = {"op": "deliver", "instance": id, "record": record}
        self.store.append_records(partition, [orjson.dumps(operation)])

    # -- workers -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        if not self.queue.jobs:
            return
        job = self.queue.jobs.pop(self.random.choice(list(self.queue.jobs)))
        worker = f"worker-{self.random.randrange(4)}"
        raw = self.store.claim(job.partition, job.token, worker, self.now_ms, 3_000)
        if raw is None:
            return
        answer = (job.partition, job.token, self._outcome(orjson.loads(raw), worker))
        fate = (
            self.random.choice(("answers", "answers", "answers", "twice", "late", "dies"))
            if self.faults
            else ""
        )
        if fate == "late":
            self.late.append(answer)
        elif fate != "dies":
            self.answered.append(answer)
            self._report(answer)
        if fate == "twice":
            self._report(answer)

    def _outcome(self, payload: dict[str, Any], worker: str) -> bytes:
        record = {
            "kind": "ActivityCompleted", "time_ms": 0, "attempt": payload["attempt"], "token": payload["token"],
            "started_ms": self.now_ms, "worker": worker,
        }  # fmt: skip
        chance = self.random.random()
        if chance < 0.2:
            record |= {"kind": "ActivityFailed", "error": "Broken", "cause": "", "retryable": chance < 0.15}
        else:
            record["output"] = {"did": payload["activity"]}
        return orjson.dumps({"op": "deliver", "instance": payload["instance"], "record": record})

    def _report(self, answer: tuple[int, str, bytes]) -> None:
        partition, token, operation = answer
        self.store.report(partition, token, operation, self.now_ms, 3_000)

    def _answer_late(self) -> None:
        if self.late and self.random.random() < 0.7:
            self._report(self.late.pop())
        elif self.answered:
            self._report(self.random.choice(self.answered))

    def _lose_job(self) -> None:
        if self.queue.jobs:
            del self.queue.jobs[self.random.choice(list(self.queue.jobs))]

    # -- the end -------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No more faults: engines and workers until nothing moves, over enough time for what was lost."""
        for engine in self.engines:
            engine._intake._pace = USUAL_PACE
        for pause_ms in (6_000, 1_100, 16_000, 1_100, 4_000, 1_100, 1_100):
            self.now_ms += pause_ms
            quiet = 0
            # A round that reads only events of the other engine's partitions applies nothing, and is not the last.
            while quiet < 3:
                quiet += 1
                if sum(self._step_one(engine) for engine in self.engines) or self.queue.jobs:
                    quiet = 0
                while self.queue.jobs:
                    self._work()


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
