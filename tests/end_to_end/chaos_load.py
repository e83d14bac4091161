"""The load of the chaos run: what each device sends, in which order, and what must come of it.

A sender repeats a batch until it is acknowledged and only then sends the next one, as a device with an outbox does;
so what was acknowledged is a number per device, and the order of its events is known.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
from redis import Redis
from redis.exceptions import RedisError
from stepwell_store.open import open_redis

BOOK_EVERY = 20
"""One event in so many leads to an activity."""

WORKFLOW = """
id: chaos
version: 1.0.0
events:
  Begin: {}
  Tick: {type: object, required: [n, kind]}
start: {on: [Begin], input: {}, afterCompletion: ignore}
configuration:
  timeout: P2D
  taskTimeout: PT120S
  retry: {maxAttempts: 20, initialInterval: PT0.1S, backoffCoefficient: 1.5, maxInterval: PT1S}
  accumulator: {maxEvents: 1000000, maxBytes: 1000000000}
startAt: Ready
states:
  Ready: {type: pass, set: {$.state.digest: "", $.state.count: 0, $.state.sum: 0}, next: Listen}
  Listen: {type: wait, event: Tick, timeout: P1D, timeoutNext: Late, resultPath: $.state.last, next: Note}
  Note:
    type: pass
    set:
      $.state.digest: {$hash: [{$format: ["{}:{}", $.state.digest, $.state.last.data.n]}, md5]}
      $.state.count: {$add: [$.state.count, 1]}
    next: Kind
  Kind:
    type: choice
    choices:
      - {variable: $.state.last.data.kind, equals: book, next: Book}
      - {variable: $.state.last.data.kind, equals: finish, next: Done}
    default: Listen
  Book:
    {type: task, activity: chaos.book, input: {amount: $.state.last.data.n}, resultPath: $.state.booked, next: Sum}
  Sum: {type: pass, set: {$.state.sum: {$add: [$.state.sum, $.state.booked]}}, next: Listen}
  Done: {type: succeed, output: {count: $.state.count, digest: $.state.digest, sum: $.state.sum}}
  Late: {type: fail, error: Late, cause: no event came}
"""


@dataclass(slots=True)
class Device:
    """One device's side. Event 0 begins, the last one finishes; `acknowledged` events are durable at the door."""

    name: str
    acknowledged: int = 0
    finished: bool = False

    def batch(self, count: int, finish: bool) -> list[bytes]:
        """The next events, not counted yet; with `finish` the last of them ends the instance."""
        first = self.acknowledged
        last = first + count - 1
        return [
            self._event(n, "finish" if finish and n == last else kind_of(n)) for n in range(first, last + 1)
        ]

    def _event(self, n: int, kind: str) -> bytes:
        type = "Tick" if n else "Begin"
        return (
            f'{{"specversion":"1.0","id":"{self.name}-{n}","source":"/chaos","type":"{type}",'
            f'"subject":"{self.name}","data":{{"n":{n},"kind":"{kind}","padding":"{"x" * 100}"}}}}'
        ).encode()

    def expected(self) -> dict[str, object]:
        """The output of its instance."""
        digest = ""
        for n in range(1, self.acknowledged):
            digest = hashlib.md5(f"{digest}:{n}".encode(), usedforsecurity=False).hexdigest()
        return {"count": self.acknowledged - 1, "digest": digest, "sum": sum(self.booked())}

    def booked(self) -> range:
        """The numbers that lead to an activity; the event that finishes never does."""
        return range(BOOK_EVERY, self.acknowledged - 1, BOOK_EVERY)


def kind_of(n: int) -> str:
    """What an event of this number is for."""
    return "book" if n and n % BOOK_EVERY == 0 else "tick"


class StreamDoor:
    """XADD to the stream without any of our code, as any language would.

    A batch is one transaction: of a plain pipeline, a server that is full just then may refuse the first and take the
    rest, and what is sent again would come behind it.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self._redis: Redis = open_redis(url)
        self._stream = f"{namespace}:events"

    def push(self, events: Sequence[bytes]) -> bool:
        """Whether all are durable; False leaves it open."""
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                for event in events:
                    pipe.xadd(self._stream, {"event": event})
                pipe.execute()
        except RedisError:
            return False
        return True

    def close(self) -> None:
        self._redis.close()


class HttpDoor:
    """Batches as NDJSON."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=20)
        self.refused = 0
        """Answers that told the sender to come again."""

    def push(self, events: Sequence[bytes]) -> bool:
        """Whether all are durable; False leaves it open."""
        headers = {"content-type": "application/x-ndjson"}
        try:
            response = self._http.post("/events", content=b"\n".join(events), headers=headers)
        except httpx.TransportError:
            return False
        if response.status_code in (429, 503):
            self.refused += 1
            return False
        assert response.status_code == 202, response.text
        return True

    def close(self) -> None:
        self._http.close()


@dataclass(slots=True)
class Sender:
    """Sends for its devices through one door, at a rate, until it is told to stop; then it finishes every device."""

    door: StreamDoor | HttpDoor
    devices: list[Device]
    rate: Callable[[], float]
    """Events a second that this sender may send now."""
    seed: int
    per_device: int = 5
    devices_at_once: int = 20
    resent: int = field(default=0, init=False)
    """Events of batches that were sent again: each may show as a duplicate."""
    stalled_seconds: float = field(default=0.0, init=False)
    """The longest time that a batch had to wait."""
    error: BaseException | None = field(default=None, init=False)

    def run(self, stop: threading.Event, abandon: threading.Event) -> None:
        """The body of its thread."""
        try:
            self._send_all(stop, abandon)
        except BaseException as error:  # noqa: BLE001 - shown by the run, which waits for this thread
            self.error = error
        finally:
            self.door.close()

    def _send_all(self, stop: threading.Event, abandon: threading.Event) -> None:
        chance = random.Random(self.seed)
        due = time.monotonic()
        while not stop.is_set():
            chosen = chance.sample(self.devices, min(self.devices_at_once, len(self.devices)))
            sent = self._send(chosen, self.per_device, False, abandon)
            due = max(due, time.monotonic() - 1) + sent / self.rate()
            stop.wait(max(0.0, due - time.monotonic()))
        for start in range(0, len(self.devices), self.devices_at_once):
            self._send(self.devices[start : start + self.devices_at_once], 2, True, abandon)

    def _send(self, devices: list[Device], count: int, finish: bool, abandon: threading.Event) -> int:
        """One batch, again and again until it is acknowledged."""
        events = [event for device in devices for event in device.batch(count, finish)]
        began = time.monotonic()
        while not self.door.push(events):
            self.resent += len(events)
            if abandon.wait(0.05):
                raise TimeoutError("the run was abandoned while a batch was not acknowledged")
        self.stalled_seconds = max(self.stalled_seconds, time.monotonic() - began)
        for device in devices:
            device.acknowledged += count
            device.finished = finish
        return len(events)
