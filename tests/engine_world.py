"""A whole engine in memory: real loop, real interpreter, memory store; time is moved by hand, workers are played."""

import itertools
from collections.abc import Sequence
from typing import Any

import orjson
from stepwell_engine.catalog import publish
from stepwell_engine.dispatch import Job
from stepwell_engine.intake import USUAL_PACE, Pace
from stepwell_engine.loop import Engine
from stepwell_schemas import instance as instances
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.instance import Instance
from stepwell_store.memory_store import MemoryStore
from stepwell_store.partition import partition_of

T0 = 1_800_000_000_000
LISTENER = """
id: listener
version: 1.0.0
events: {Begin: {}, Tick: {}}
start: {on: [Begin], input: {}}
startAt: Listen
states:
  Listen: {type: wait, event: Tick, timeout: P30D, timeoutNext: Done, resultPath: null, next: Listen}
  Done: {type: succeed}
"""
"""Begins once per device and takes every tick."""


class PlayedWorkers:
    """A dispatcher that keeps the jobs for the test to play."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.lost: set[str] = set()

    def enqueue(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.jobs.setdefault(job.token, job)
            self.lost.discard(job.token)

    def queued(self, jobs: Sequence[Job]) -> set[str]:
        return {job.token for job in jobs if job.token in self.jobs and job.token not in self.lost}


class World:
    """One store, one engine (more by `another_engine`), and short words for what happens to them."""

    def __init__(self, partitions: int = 2) -> None:
        self.now_ms = T0
        self.store = MemoryStore("test", partitions, clock=lambda: self.now_ms)
        self.workers = PlayedWorkers()
        self.engine = self.another_engine("one")
        self._ids = itertools.count(1)

    def another_engine(self, owner: str, pace: Pace = USUAL_PACE) -> Engine:
        return Engine(self.store, self.workers, owner, now_ms=lambda: self.now_ms, pace=pace)

    def activities(self, *names: str, **details: Any) -> None:
        self.store.publish_activities([ActivityDescription(name=name, **details) for name in names])

    def deploy(self, source: str) -> None:
        outcome = publish(self.store, source, now_ms=self.now_ms)
        assert outcome.result == "created", [problem.message for problem in outcome.problems]

    def push(self, device: str | None, type: str, data: Any = None, **attributes: Any) -> str:
        event = {
            "specversion": "1.0",
            "id": f"e{next(self._ids)}",
            "source": "/test",
            "type": type,
            "data": data,
        }
        if device is not None:
            event["subject"] = device
        event |= attributes
        self.store.append_events([orjson.dumps(event)])
        return str(event["id"])

    def request(self, partition: int, **operation: Any) -> None:
        self.store.append_records(partition, [orjson.dumps(operation)])

    def run(self, engine: Engine | None = None) -> int:
        """Rounds until nothing more happens; how many records were applied."""
        total = 0
        while applied := (engine or self.engine).step(block_ms=0):
            total += applied
        return total

    def advance(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1_000)

    def work(self, fail: dict[str, tuple[str, bool]] | None = None, output: Any = None) -> list[str]:
        """Play every job there is; the names of the activities that ran, in order."""
        done: list[str] = []
        for token, job in list(self.workers.jobs.items()):
            del self.workers.jobs[token]
            raw = self.store.claim(job.partition, token, "worker", self.now_ms, 10_000)
            if raw is None:
                continue
            payload = orjson.loads(raw)
            done.append(payload["activity"])
            self.report(job.partition, payload, (fail or {}).get(payload["activity"]), output)
        return done

    def report(
        self,
        partition: int,
        payload: dict[str, Any],
        failure: tuple[str, bool] | None = None,
        output: Any = None,
    ) -> None:
        """A worker's answer to one attempt."""
        record: dict[str, Any] = {
            "time_ms": 0,
            "attempt": payload["attempt"],
            "token": payload["token"],
            "started_ms": self.now_ms,
            "worker": "worker",
        }
        if failure is None:
            record |= {"kind": "ActivityCompleted", "output": output}
        else:
            record |= {
                "kind": "ActivityFailed",
                "error": failure[0],
                "cause": "told to",
                "retryable": failure[1],
            }
        operation = {"op": "deliver", "instance": payload["instance"], "record": record}
        self.store.report(partition, payload["token"], orjson.dumps(operation), self.now_ms, 60_000)

    def settle(self, fail: dict[str, tuple[str, bool]] | None = None) -> list[str]:
        """Engine and workers in turns until both have nothing left; activities in the order they ran."""
        done: list[str] = []
        while self.run() or self.workers.jobs:
            done += self.work(fail)
        return done

    def partition(self, device: str) -> int:
        return partition_of(device, self.store.partitions)

    def instances(self) -> list[Instance]:
        found = [
            instances.from_wire(orjson.loads(raw))
            for number in range(self.store.partitions)
            for _, raw in self.store.scan(number)
        ]
        return sorted(found, key=lambda instance: (instance.created_ms, instance.id))

    def only(self) -> Instance:
        (instance,) = self.instances()
        return instance

    def disposition(self, event_id: str) -> str:
        return str(self.dispositions(event_id)[-1][2])

    def dispositions(self, event_id: str) -> list[list[Any]]:
        return [entry for entry in self.ledger() if entry[0] == event_id]

    def ledger(self) -> list[list[Any]]:
        return [
            line
            for number in range(self.store.partitions)
            for entry in self.store.ledger(number, "0-0", 1_000_000)
            for line in orjson.loads(entry.fields[b"e"])
        ]

    def dead(self) -> list[dict[str, Any]]:
        letters, _ = self.store.dead_letters(1_000, None)
        return [orjson.loads(letter.body) for letter in letters]

    def history(self, instance: Instance) -> list[dict[str, Any]]:
        partition = int(instance.id.rpartition("~")[2]) if "~" in instance.id else self.partition(instance.id)
        return [orjson.loads(raw) for raw in self.store.history(partition, instance.id, 0, 1_000_000)]
