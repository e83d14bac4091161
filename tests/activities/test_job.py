"""One attempt from claim to report, on the memory store."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from activity_world import offer, reported, runtime_of, withdraw
from stepwell_activities.context import ActivityContext, current_context
from stepwell_activities.decorator import activity
from stepwell_activities.errors import ActivityCancelled, NonRetryable
from stepwell_activities.job import perform
from stepwell_activities.reporting import patiently
from stepwell_schemas.records import ActivityCompleted, ActivityFailed, from_wire
from stepwell_store.errors import StoreUnavailable
from stepwell_store.memory_store import MemoryStore

Run = Callable[..., dict[str, Any]]
SHORT_LEASE = 0.06


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("test", 4)


@pytest.fixture
def run(store: MemoryStore) -> Iterator[Run]:
    """Run one attempt of a function to its report."""
    opened = []

    def run(function: Any, input: Any = None, *, lease: float = 10, **changes: Any) -> dict[str, Any]:
        runtime = runtime_of(store, function, worker_lease_seconds=lease)
        opened.append(runtime)
        [token] = offer(store, "work", input, **changes)
        perform(runtime, 0, token)
        record: dict[str, Any] = reported(store)[-1]["record"]
        assert record["token"] == token
        return record

    yield run
    for runtime in opened:
        runtime.close()


def test_a_completed_attempt_is_delivered_to_its_instance(store: MemoryStore) -> None:
    @activity("work")
    def work(name: str) -> dict[str, str]:
        return {"hello": name}

    runtime = runtime_of(store, work)
    [token] = offer(store, "work", {"name": "Ada"})
    perform(runtime, 0, token)
    [entry] = reported(store)
    assert (entry["op"], entry["instance"]) == ("deliver", "order-1~0")
    record = from_wire(entry["record"])
    assert isinstance(record, ActivityCompleted)
    assert (record.output, record.attempt, record.time_ms) == ({"hello": "Ada"}, "0/Work/1/1", 0)
    assert record.worker == runtime.worker
    runtime.close()


def test_a_token_that_is_not_wanted_runs_no_body(store: MemoryStore) -> None:
    ran = []

    @activity("work")
    def work() -> None:
        ran.append(1)

    runtime = runtime_of(store, work)
    [token] = offer(store, "work")
    withdraw(store, token)
    assert perform(runtime, 0, token) is None
    assert perform(runtime, 0, "unknown") is None
    assert (ran, reported(store)) == ([], [])
    runtime.close()


def test_an_attempt_is_not_run_twice_at_once(store: MemoryStore) -> None:
    @activity("work")
    def work(context: ActivityContext) -> str:
        return "again" if perform(second, 0, token) is not None else "once"

    first, second = runtime_of(store, work), runtime_of(store, work)
    [token] = offer(store, "work")
    perform(first, 0, token)
    assert [entry["record"]["output"] for entry in reported(store)] == ["once"]
    first.close()
    second.close()


def test_bad_input_is_a_failure_with_its_pointer_that_is_not_retried(run: Run) -> None:
    @activity("work")
    def work(items: list[int], note: str = "") -> None: ...

    record = run(work, {"items": [1, "two"], "nota": "x"})
    assert record["error"] == "InvalidInput"
    assert "/items/1:" in record["cause"]
    assert "/nota:" in record["cause"]
    assert record["retryable"] is False


def test_an_unknown_activity_says_what_there_is(run: Run) -> None:
    @activity("other")
    def other() -> None: ...

    record = run(other)
    assert record["error"] == "ActivityNotFound"
    assert "other" in record["cause"]


def test_what_a_body_raises_is_its_failure(run: Run) -> None:
    @activity("work")
    def work() -> None:
        raise NonRetryable("CardRefused", "limit reached")

    failed = from_wire(run(work))
    assert isinstance(failed, ActivityFailed)
    assert (failed.error, failed.cause, failed.retryable) == ("CardRefused", "limit reached", False)


def test_sys_exit_is_a_failure_and_no_success(run: Run) -> None:
    @activity("work")
    def work() -> None:
        raise SystemExit(0)

    @activity("work")
    async def work_async() -> None:
        raise SystemExit(0)

    assert run(work)["error"] == "SystemExit"
    assert run(work_async)["error"] == "SystemExit"


def test_a_keyboard_interrupt_is_reported_and_goes_on(store: MemoryStore, run: Run) -> None:
    @activity("work")
    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(work)
    assert reported(store)[-1]["record"]["error"] == "KeyboardInterrupt"


def test_an_output_of_more_than_a_mebibyte_is_a_failure_that_says_so(run: Run) -> None:
    @activity("work")
    def work() -> str:
        return "x" * (1024 * 1024)

    record = run(work)
    assert record["error"] == "States.DataLimitExceeded"
    assert "1048576 are allowed" in record["cause"]


@pytest.mark.parametrize("value", [{"f": print}, float("nan")])
def test_an_output_that_is_not_json_is_a_failure(run: Run, value: Any) -> None:
    @activity("work")
    def work():  # type: ignore[no-untyped-def]
        return value

    assert run(work)["error"] == "InvalidOutput"


def test_async_bodies_run(run: Run) -> None:
    @activity("work")
    async def work(context: ActivityContext) -> str:
        await asyncio.sleep(0)
        assert current_context() is context
        return context.state

    assert run(work)["output"] == "Work"


def test_the_context_tells_what_the_attempt_is(run: Run) -> None:
    @activity("work")
    def work() -> list[Any]:
        context = current_context()
        return [context.idempotency_key, context.attempt, context.device, context.callback_token]

    output = run(work, number=3, device="lamp", idempotencyKey="k", callbackToken="c")["output"]
    assert output == ["k", 3, "lamp", "c"]


def test_there_is_no_context_outside_of_a_body() -> None:
    with pytest.raises(LookupError, match="no current activity"):
        current_context()


def test_a_sync_body_that_overruns_is_broken_off_even_in_a_blocking_call(run: Run) -> None:
    @activity("work")
    def work() -> None:
        threading.Event().wait(30)

    began = time.monotonic()
    record = run(work, timeoutMs=50)
    assert record["error"] == "States.Timeout"
    assert "0.05 seconds" in record["cause"]
    assert time.monotonic() - began < 10


def test_a_body_cannot_swallow_its_timeout_with_except_exception(run: Run) -> None:
    @activity("work")
    def work() -> str:
        try:
            threading.Event().wait(30)
        except Exception:  # noqa: BLE001 - what is tested
            return "swallowed"
        return "done"

    assert run(work, timeoutMs=50)["error"] == "States.Timeout"


def test_an_async_body_that_overruns_is_cancelled(run: Run) -> None:
    @activity("work")
    async def work() -> None:
        await asyncio.Event().wait()

    assert run(work, timeoutMs=50)["error"] == "States.Timeout"


def test_a_timeout_error_of_the_bodys_own_is_its_own(run: Run) -> None:
    @activity("work")
    async def work() -> None:
        raise TimeoutError("the database")

    assert run(work, timeoutMs=60_000)["error"] == "TimeoutError"


def test_a_body_in_a_thread_that_overruns_is_broken_off(store: MemoryStore) -> None:
    @activity("work")
    def work() -> None:
        while True:
            threading.Event().wait(0.001)

    runtime = runtime_of(store, work)
    [token] = offer(store, "work", timeoutMs=50)
    thread = threading.Thread(target=perform, args=(runtime, 0, token))
    thread.start()
    thread.join(20)
    assert reported(store)[-1]["record"]["error"] == "States.Timeout"
    runtime.close()


def test_the_lease_of_a_long_body_is_extended(store: MemoryStore, run: Run) -> None:
    extended = threading.Event()
    extend = store.extend

    def counted(partition: int, token: str, worker: str, now_ms: int, lease_ms: int, sign: bool) -> bool:
        extended.set()
        return extend(partition, token, worker, now_ms, lease_ms, sign)

    store.extend = counted  # type: ignore[method-assign]

    @activity("work")
    def work() -> bool:
        return extended.wait(20)

    assert run(work, lease=SHORT_LEASE)["output"] is True


def test_a_heartbeat_reaches_the_store_as_a_sign(store: MemoryStore, run: Run) -> None:
    signed = threading.Event()
    extend = store.extend

    def watched(partition: int, token: str, worker: str, now_ms: int, lease_ms: int, sign: bool) -> bool:
        if sign:
            signed.set()
        return extend(partition, token, worker, now_ms, lease_ms, sign)

    store.extend = watched  # type: ignore[method-assign]

    @activity("work")
    def work(context: ActivityContext) -> bool:
        context.heartbeat({"step": 1})
        return signed.wait(20)

    assert run(work)["output"] is True


def test_a_body_learns_that_its_attempt_was_withdrawn(store: MemoryStore, run: Run) -> None:
    @activity("work")
    def work(context: ActivityContext) -> None:
        withdraw(store, context.idempotency_key.removeprefix("key-"))
        for _ in range(2_000):
            context.heartbeat()
            threading.Event().wait(0.01)

    assert run(work, lease=SHORT_LEASE)["error"] == "Cancelled"


def test_an_async_body_is_cancelled_when_its_attempt_was_withdrawn(store: MemoryStore, run: Run) -> None:
    @activity("work")
    async def work(context: ActivityContext) -> None:
        withdraw(store, context.idempotency_key.removeprefix("key-"))
        await asyncio.Event().wait()

    assert run(work, lease=SHORT_LEASE)["error"] == "Cancelled"


def test_raise_if_cancelled_says_why(run: Run) -> None:
    @activity("work")
    def work(context: ActivityContext) -> str:
        context.raise_if_cancelled()
        context._signs.cancel("not wanted")
        with pytest.raises(ActivityCancelled, match="not wanted"):
            context.raise_if_cancelled()
        return "told" if context.cancelled else "not told"

    assert run(work)["output"] == "told"


def test_a_report_outlasts_an_outage() -> None:
    pauses: list[float] = []
    answers = iter([StoreUnavailable("away"), StoreUnavailable("away"), StoreUnavailable("away"), "there"])

    def ask() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask, "report", pause=pauses.append) == "there"
    assert pauses == [0.05, 0.1, 0.2]


def test_a_report_is_given_up_after_minutes() -> None:
    pauses: list[float] = []

    def ask() -> None:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        patiently(ask, "report", pause=pauses.append)
    assert sum(pauses) > 600
    assert max(pauses) == 5
