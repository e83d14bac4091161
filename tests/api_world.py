"""The API over the memory store, called without a network, with the real engine in a thread where a test wants one."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
from engine_world import PlayedWorkers
from stepwell_api.app import create_app
from stepwell_engine.catalog import publish
from stepwell_engine.loop import Engine
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.settings import Settings
from stepwell_store.memory_store import MemoryStore
from stepwell_store.protocol import Store

WAITING = """
id: waiting
version: 1.0.0
input: {type: object, properties: {orderId: {type: string}}}
events:
  Paid: {type: object, required: [amount]}
  Seen: {}
start: {on: [Seen], input: {}}
configuration: {timeout: P1D}
startAt: Wait
states:
  Wait: {type: wait, event: Paid, timeout: PT1H, timeoutNext: Done, resultPath: $.state.paid, next: Done}
  Done: {type: succeed}
"""

CALLING = """
id: calling
version: 1.0.0
configuration: {timeout: P1D}
startAt: Ask
states:
  Ask:
    {type: task, activity: ask, callback: true, timeout: PT1H, retry: {maxAttempts: 0},
     resultPath: $.state.answer, next: Done}
  Done: {type: succeed, output: $.state.answer}
"""


class Api:
    """A client of one application. Every answer that is an error is checked to be a problem document."""

    def __init__(self, store: Store, settings: Settings, reply_timeout_seconds: float) -> None:
        self.store = store
        self.workers = PlayedWorkers()
        self.app = create_app(settings, store, reply_timeout_seconds=reply_timeout_seconds)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("127.0.0.1", 50_000))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")
        self._lifespan = self.app.router.lifespan_context(self.app)
        self._wait(self._lifespan.__aenter__())

    def close(self) -> None:
        self._wait(self._client.aclose())
        self._wait(self._lifespan.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = self._wait(self._client.request(method, path, **options))
        if answer.status_code >= 400 and path != "/health/ready":
            check_problem(answer)
        return answer

    def together(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """Several requests at once; the answers in order."""

        async def gather() -> list[httpx.Response]:
            calls = [self._client.request(method, path, **options) for method, path, options in requests]
            return list(await asyncio.gather(*calls))

        answers: list[httpx.Response] = self._wait(gather())
        return answers

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["content"] = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.request("POST", path, **options)

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


def check_problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of an error answer; fails where it is none."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    return problem


def settings(**changes: Any) -> Settings:
    """Settings without the environment's influence on what matters here."""
    return Settings(**{"api_keys": {}, "rate_limit_per_second": 0, **changes})


@contextmanager
def api(store: Store | None = None, *, reply_timeout_seconds: float = 0.02, **changes: Any) -> Iterator[Api]:
    """An API for the length of a test. Without an engine, requests that want its answer get 202 soon."""
    client = Api(store or MemoryStore("test", 4), settings(**changes), reply_timeout_seconds)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def engine(client: Api) -> Iterator[None]:
    """A running engine over the client's store."""
    stop = threading.Event()
    loop = Engine(client.store, client.workers, "engine")
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while not stop.is_set():
                loop.step(block_ms=5)
        except BaseException as error:  # noqa: BLE001 - told to the test that ends the engine
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failures == []


@contextmanager
def world(store: Store | None = None, **changes: Any) -> Iterator[Api]:
    """An API with an engine, the definitions above and the activity `ask`."""
    with api(store, reply_timeout_seconds=20, **changes) as client:
        client.store.publish_activities([ActivityDescription(name="ask")])
        for source in (WAITING, CALLING):
            outcome = publish(client.store, source, now_ms=0)
            assert outcome.result == "created", [str(problem) for problem in outcome.problems]
        with engine(client):
            yield client


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` gives as soon as it gives something; fails after some seconds."""
    pause = threading.Event()
    for _ in range(1_000):
        found = look()
        if found:
            return found
        pause.wait(0.01)
    raise AssertionError("it did not come about")


def cloud_event(id: str = "1", **changes: Any) -> dict[str, Any]:
    """A good event with some attributes changed; None takes one out."""
    event = {
        "specversion": "1.0",
        "id": id,
        "source": "/test",
        "type": "Seen",
        "subject": "sensor-7",
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}


def at_door(store: Store) -> list[dict[str, Any]]:
    """The events that were taken."""
    return [orjson.loads(entry.fields[b"event"]) for entry in store.read("0-0", {}, 100_000, None).door]
