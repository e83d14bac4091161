"""Kills processes of a running system by a seed, starts them again as a supervisor does, and times each recovery.

A recovery is timed from the kill. One that overlaps another kill or its absence is *disturbed*: it is shown, but the
promised times are those of a single failure. So that there are such, the killer lets some recoveries end first.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from end_to_end.chaos_activities import Bodies
from end_to_end.harness import System
from redis import Redis
from redis.exceptions import RedisError
from stepwell_store.errors import StoreError, StoreUnavailable
from stepwell_store.open import open_redis

POLL_SECONDS = 0.02
WATCH_SECONDS = 60.0
SETTLING_SECONDS = 3.0
"""A process that has been started again is of use after this long."""
WIRE_SECONDS = 0.3
"""What a worker had sent when it was killed has been read by the server after this long: it counts as reported."""
LET_RECOVER = 0.35
AWAY_SECONDS = {"engine": (1.0, 8.0), "worker": (0.2, 3.0), "api": (0.1, 1.0), "server": (0.1, 1.0)}
"""How long a process stays away: an engine often longer than the lease, so that the other one must take over."""
WEIGHTS = {"engine": 7, "worker": 6, "api": 3, "server": 4}


@dataclass(slots=True)
class Kill:
    """One kill and what it took to recover from it. Times are the machine's monotonic seconds."""

    target: str
    at_seconds: float
    back_seconds: float | None = None
    held: dict[str, str] = field(default_factory=dict)
    """What the killed one owned: partition -> owner, or idempotency key of an attempt in its hands -> token."""
    recovered: dict[str, float] = field(default_factory=dict)
    """The same -> seconds after the kill until another one had it, or had begun it again."""

    @property
    def is_over(self) -> bool:
        """Whether everything it held is in other hands, and it is back itself."""
        return self.back_seconds is not None and len(self.recovered) == len(self.held)

    def overlaps(self, other: "Kill") -> bool:
        """Whether the other one was away while this one's things had not recovered."""
        until = self.at_seconds + max(self.recovered.values(), default=0.0)
        other_until = (other.back_seconds or other.at_seconds + WATCH_SECONDS) + SETTLING_SECONDS
        return other is not self and other.at_seconds <= until and other_until >= self.at_seconds


class Killer:
    """Kills at random intervals until told to stop."""

    def __init__(self, system: System, seed: int, pause_seconds: tuple[float, float]) -> None:
        self._system = system
        self._chance = random.Random(seed)
        self._pause_seconds = pause_seconds
        self._threads: list[threading.Thread] = []
        self._bodies_file = Path(system.environment["CHAOS_BODIES"])
        self.kills: list[Kill] = []
        self.error: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """The body of its thread. Ends with everything started again."""
        try:
            while not stop.wait(self._chance.uniform(*self._pause_seconds)):
                kill = self._kill_one()
                if kill is not None and self._chance.random() < LET_RECOVER:
                    self._wait_until_over(kill, stop)
        except BaseException as error:  # noqa: BLE001 - shown by the run, which waits for this thread
            self.error = error
        for thread in self._threads:
            thread.join()

    def undisturbed(self, role: str) -> list[float]:
        """Recovery times of a role's kills that stood alone."""
        alone = [kill for kill in self.kills if not any(kill.overlaps(other) for other in self.kills)]
        return sorted(t for kill in alone if role_of(kill.target) == role for t in kill.recovered.values())

    def recoveries(self, role: str) -> list[float]:
        """Recovery times of all of a role's kills."""
        return sorted(
            t for kill in self.kills if role_of(kill.target) == role for t in kill.recovered.values()
        )

    def unrecovered(self) -> list[str]:
        """What was not seen in other hands again."""
        return [
            f"{kill.target}: {name}"
            for kill in self.kills
            for name in kill.held.keys() - kill.recovered.keys()
        ]

    def _kill_one(self) -> Kill | None:
        living = [name for name, process in self._system.processes.items() if process.alive]
        if self._system.server.pid is not None:
            living.append("server")
        if not living:
            return None
        target = self._chance.choices(living, [WEIGHTS[role_of(name)] for name in living])[0]
        away_seconds = self._chance.uniform(*AWAY_SECONDS[role_of(target)])
        pid = 0 if target == "server" else self._system.processes[target].pid
        kill = Kill(target, time.monotonic())
        self._system.kill(target)
        self.kills.append(kill)
        match role_of(target):
            case "engine":
                kill.held = self._partitions_of(pid)
                self._begin(lambda: self._watch(kill, self._see_partitions))
            case "worker":
                threading.Event().wait(WIRE_SECONDS)
                kill.held = self._attempts_of(pid)
                bodies = Bodies(self._bodies_file)
                seen = len(bodies.look())
                self._begin(lambda: self._watch(kill, lambda kill: self._see_bodies(kill, bodies, seen)))
        self._begin(lambda: self._restart(kill, away_seconds))
        return kill

    def _begin(self, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=[body], daemon=True)
        thread.start()
        self._threads.append(thread)

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - shown by the run
            self.error = error

    def _restart(self, kill: Kill, away_seconds: float) -> None:
        threading.Event().wait(away_seconds)
        try:
            self._system.restart(kill.target)
        except StoreUnavailable:
            # Killed once more while it was starting: the restart of that kill brings it back.
            later = self.kills[self.kills.index(kill) + 1 :]
            if not any(other.target == kill.target for other in later):
                raise
        kill.back_seconds = time.monotonic()

    def _wait_until_over(self, kill: Kill, stop: threading.Event) -> None:
        until = time.monotonic() + WATCH_SECONDS / 2
        while not kill.is_over and time.monotonic() < until and not stop.is_set():
            stop.wait(POLL_SECONDS)
        stop.wait(SETTLING_SECONDS)

    # -- what a victim held, and how it comes back ---------------------------------------------------------

    def _partitions_of(self, pid: int) -> dict[str, str]:
        return {str(n): owner for n, owner in self._owners().items() if owner and f"-{pid}-" in owner}

    def _owners(self) -> dict[int, str | None]:
        store = self._system.store
        try:
            return {number: store.partition_info(number).owner for number in range(store.partitions)}
        except StoreError:
            return {}  # the server is away; what is not seen is looked for again, or was never known

    def _attempts_of(self, pid: int) -> dict[str, str]:
        """Claimed by the process and not reported: idempotency key -> token."""
        store, held = self._system.store, dict[str, str]()
        redis: Redis = open_redis(self._system.server.url)
        try:
            for number in range(store.partitions):
                payloads = store.attempts(number)
                claims: dict[bytes, bytes] = redis.hgetall(f"{{{store.namespace}:{number}}}:claims")  # type: ignore[assignment]  # sync client
                for token, claim in claims.items():
                    _, _, reported, worker = claim.decode().split(" ", 3)
                    if reported == "-" and f"-{pid}-" in worker and token.decode() in payloads:
                        held[orjson.loads(payloads[token.decode()])["idempotencyKey"]] = token.decode()
        except (StoreError, RedisError):
            return {}
        finally:
            redis.close()
        return held

    def _watch(self, kill: Kill, look: Callable[[Kill], None]) -> None:
        until = kill.at_seconds + WATCH_SECONDS
        while len(kill.recovered) < len(kill.held) and time.monotonic() < until:
            look(kill)
            threading.Event().wait(POLL_SECONDS)

    def _see_partitions(self, kill: Kill) -> None:
        for number, owner in self._owners().items():
            if owner is not None and owner != kill.held.get(str(number), owner):
                kill.recovered.setdefault(str(number), time.monotonic() - kill.at_seconds)

    def _see_bodies(self, kill: Kill, bodies: Bodies, seen: int) -> None:
        for body in bodies.look()[seen:]:
            if body.at_seconds > kill.at_seconds and body.key in kill.held:
                kill.recovered.setdefault(body.key, body.at_seconds - kill.at_seconds)


def role_of(name: str) -> str:
    """`engine` of `engine-0`."""
    return name.partition("-")[0]
