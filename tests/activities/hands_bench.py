"""A store, RQ's server, and workers with hands in this process."""

import threading
from collections.abc import Callable
from typing import Any

from activity_world import offer
from end_to_end.process import wait_until
from redis import Redis
from stepwell_activities.claiming import claiming_of
from stepwell_activities.decorator import activity
from stepwell_activities.hands import Hand, Hands, Shown
from stepwell_activities.registry import Registry
from stepwell_activities.runtime import Runtime, new_runtime
from stepwell_activities.watching import QueueWatcher
from stepwell_activities.worker import StepwellWorker, make_worker
from stepwell_engine.dispatch import Job, RqDispatcher
from stepwell_schemas.settings import Settings
from stepwell_store.redis_store import RedisStore


@activity("number")
def number(n: int) -> int:
    return n


class Bench:
    """A store, RQ's server, and workers that only have hands."""

    def __init__(self, store: RedisStore, connection: Redis, namespace: str) -> None:
        self.store, self.connection, self.namespace = store, connection, namespace
        self.queue = f"{namespace}-default"
        self.dispatcher = RqDispatcher(connection, namespace)
        self.runtimes: list[Runtime] = []

    def close(self) -> None:
        for runtime in self.runtimes:
            runtime.keeper.close()
            runtime.runner.close()
        self.connection.close()

    def runtime(self, *functions: Any) -> Runtime:
        settings = Settings(namespace=self.namespace, worker_lease_seconds=10)
        self.runtimes.append(new_runtime(settings, self.store, Registry(functions or (number,))))
        return self.runtimes[-1]

    def hands(self, name: str, *queues: str) -> Hands:
        """Of a worker that RQ knows to live."""
        worker = f"{self.namespace}-{name}"
        self.connection.hset(f"rq:worker:{worker}", "state", "idle")
        claiming = claiming_of(self.runtime())
        assert claiming is not None
        hands = Hands(self.connection, queues or [self.queue], worker, claiming)
        hands.recover()
        return hands

    def hand_out(self, *tokens: str, queue: str = "default") -> None:
        """As the engine does, on this server in the commit itself."""
        self.dispatcher.enqueue([Job(0, token, queue) for token in tokens])

    def queued(self, queue: str = "default") -> list[str]:
        found: Any = self.connection.lrange(f"rq:queue:{self.namespace}-{queue}", 0, -1)
        return [id.decode() for id in found]

    def in_hand(self, hands: Hands) -> list[str]:
        found: Any = self.connection.lrange(hands.key(self.queue), 0, -1)
        return [id.decode() for id in found]

    def laid_in(self, hands: Hands) -> tuple[str, Shown, Hand]:
        """A job that went into these hands: its token, and what the wait told."""
        [token] = offer(self.store, "number", {"n": 7})
        with QueueWatcher(self.connection, [self.queue], hands) as watcher:
            assert watcher.wait(0.001) is None
            self.hand_out(token)
            shown = watcher.wait(30)
        assert shown is not None
        assert shown.hand is not None
        return token, shown, shown.hand


def run_beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def worker_of(bench: Bench, *functions: Any, queues: tuple[str, ...] = ("default",)) -> StepwellWorker:
    return make_worker(bench.runtime(*functions), bench.connection, queues=queues)


def await_wait(bench: Bench, count: int = 1) -> None:
    """Until so many connections are blocked in the server."""
    wait_until(lambda: blocked(bench.connection) >= count, 30, f"{count} connections wait in the server")


def blocked(connection: Redis) -> int:
    """How many connections are blocked in the server."""
    clients: Any = connection.client_list()
    return sum("b" in client["flags"] for client in clients)
