"""Runs one attempt's body: input checked, context set, limits kept, output checked; every end is an Outcome."""

import asyncio
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from rq.timeouts import BaseTimeoutException
from stepwell_schemas.settings import Settings
from stepwell_store.protocol import Store

from stepwell_activities.attempt import Attempt, Outcome, now_ms
from stepwell_activities.context import ActivityContext, Signs, context_variable
from stepwell_activities.errors import (
    ActivityCancelled,
    ActivityTimedOut,
    Failure,
    bounded,
    failure_of,
)
from stepwell_activities.integrations import answer_json, body_input
from stepwell_activities.lease import Hold, LeaseKeeper
from stepwell_activities.registry import Activity, Registry
from stepwell_activities.time_limit import AlarmLimit, ThreadInterrupt

MAX_OUTPUT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A body that is ready to run."""

    attempt: Attempt
    activity: Activity
    arguments: dict[str, Any]
    context: ActivityContext
    hold: Hold
    started_ms: int


class Runner:
    """Runs attempts of the registry's activities. `keeper` holds their leases."""

    def __init__(self, registry: Registry, store: Store, settings: Settings, keeper: LeaseKeeper) -> None:
        self.registry = registry
        self._store = store
        self._settings = settings
        self._keeper = keeper
        self._loop: asyncio.AbstractEventLoop | None = None

    def prepare(self, hold: Hold) -> Call | Outcome:
        """The call of a held attempt; an Outcome where it cannot be called at all."""
        attempt, started_ms = hold.attempt, now_ms()
        activity = self.registry.get(attempt.activity)
        if activity is None:
            known = ", ".join(self.registry.names())
            cause = f"this worker has no activity '{attempt.activity}'; it has: {known}"
            return Outcome(attempt, started_ms, failure=Failure("ActivityNotFound", bounded(cause)))
        try:
            arguments = activity.signature.arguments(body_input(attempt.integration, attempt.input))
        except ValidationError as error:
            return Outcome(attempt, started_ms, failure=_invalid("InvalidInput", "input", attempt, error))
        except Exception as error:  # noqa: BLE001 - a validator of the user's own failed
            return Outcome(attempt, started_ms, failure=failure_of(error))
        context = self._context(attempt, hold.signs)
        if activity.signature.context is not None:
            arguments[activity.signature.context] = context
        return Call(attempt, activity, arguments, context, hold, started_ms)

    def run(self, hold: Hold) -> Outcome:
        """Run a held attempt in this thread; async bodies on a loop of this runner (one thread only)."""
        call = self.prepare(hold)
        if isinstance(call, Outcome):
            return call
        if call.activity.is_async:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            return self._loop.run_until_complete(self.run_async(call))
        return self.run_sync(call)

    def run_sync(self, call: Call) -> Outcome:
        """Run a sync body in this thread."""
        variable = context_variable()
        before = variable.set(call.context)
        try:
            with self._limit(call):
                value = call.activity.function(**call.arguments)
        except BaseException as problem:  # noqa: BLE001 - every end is an outcome; `interrupt` goes on later
            return _failed(call, problem)
        finally:
            variable.reset(before)
        return _completed(call, value)

    async def run_async(self, call: Call) -> Outcome:
        """Run an async body as a task of the running loop; it is cancelled when its answer is not wanted any more."""
        context_variable().set(call.context)
        loop = asyncio.get_running_loop()
        timeout_ms = call.attempt.timeout_ms
        body = asyncio.ensure_future(_contained(call))
        call.hold.cancelled = lambda why: _cancel(loop, body)
        limit = asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000)
        try:
            async with limit:
                value = await body
        except asyncio.CancelledError:
            why = call.hold.signs.why or "the activity was cancelled"
            return _failed(call, ActivityCancelled(why))
        except _BodyExit as exit:
            return _failed(call, exit.problem)
        except TimeoutError as error:
            if limit.expired():
                return _failed(call, ActivityTimedOut(_overrun(call.attempt)))
            return _failed(call, error)
        except BaseException as problem:  # noqa: BLE001 - as in run_sync
            return _failed(call, problem)
        return _completed(call, value)

    def close(self) -> None:
        """End the loop of async bodies."""
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._loop = None

    def _limit(self, call: Call) -> AbstractContextManager[object]:
        timeout_ms = call.attempt.timeout_ms
        if threading.current_thread() is threading.main_thread():
            return nullcontext() if timeout_ms is None else AlarmLimit(timeout_ms / 1000)
        if timeout_ms is None:
            return nullcontext()
        interrupt = ThreadInterrupt()
        self._keeper.limit(call.hold, timeout_ms / 1000, lambda: _throw_timeout(interrupt))
        return interrupt

    def _context(self, attempt: Attempt, signs: Signs) -> ActivityContext:
        return ActivityContext(
            activity=attempt.activity,
            idempotency_key=attempt.idempotency_key,
            attempt=attempt.number,
            instance=attempt.instance,
            definition=attempt.definition,
            version=attempt.version,
            device=attempt.device,
            state=attempt.state,
            callback_token=attempt.callback_token,
            store=self._store,
            settings=self._settings,
            _signs=signs,
            _wake=self._keeper.wake,
        )


class _BodyExit(Exception):
    """SystemExit or KeyboardInterrupt of an async body, which would otherwise tear its event loop down."""

    def __init__(self, problem: BaseException) -> None:
        super().__init__(str(problem))
        self.problem = problem


async def _contained(call: Call) -> Any:
    try:
        return await call.activity.function(**call.arguments)
    except (SystemExit, KeyboardInterrupt) as problem:
        raise _BodyExit(problem) from problem


def _completed(call: Call, value: Any) -> Outcome:
    try:
        output = answer_json(call.attempt.integration, call.activity.signature.output_json(value))
    except ValidationError as error:
        failure = _invalid("InvalidOutput", "result", call.attempt, error)
        return Outcome(call.attempt, call.started_ms, failure=failure)
    except Exception as error:  # noqa: BLE001 - a serializer of the user's own may raise anything
        cause = f"the result of '{call.activity.name}' is not JSON: {error}"
        failure = Failure("InvalidOutput", bounded(cause), retryable=False)
        return Outcome(call.attempt, call.started_ms, failure=failure)
    if len(output) > MAX_OUTPUT_BYTES:
        cause = (
            f"the result of '{call.activity.name}' has {len(output)} bytes of JSON, {MAX_OUTPUT_BYTES} are allowed; "
            "keep it elsewhere and return where it is"
        )
        failure = Failure("States.DataLimitExceeded", cause, retryable=False)
        return Outcome(call.attempt, call.started_ms, failure=failure)
    return Outcome(call.attempt, call.started_ms, output=output)


def _failed(call: Call, problem: BaseException) -> Outcome:
    if isinstance(problem, BaseTimeoutException | ActivityTimedOut):
        # Thrown as a bare class into a thread, or RQ's own alarm: say which limit it was.
        problem = ActivityTimedOut(_overrun(call.attempt))
    ends_worker = isinstance(problem, KeyboardInterrupt | SystemExit | GeneratorExit)
    return Outcome(
        call.attempt,
        call.started_ms,
        failure=failure_of(problem),
        interrupt=problem if ends_worker else None,
    )


def _invalid(error: str, what: str, attempt: Attempt, problem: ValidationError) -> Failure:
    """Every mistake with its JSON pointer."""
    lines = [
        f"/{'/'.join(str(part) for part in item['loc'])}: {item['msg']}"
        for item in problem.errors(include_url=False, include_input=False, include_context=False)
    ]
    cause = f"{what} of '{attempt.activity}' does not fit: " + "; ".join(lines)
    return Failure(error, bounded(cause), retryable=False)


def _overrun(attempt: Attempt) -> str:
    if attempt.timeout_ms is None:
        return f"'{attempt.activity}' took longer than its job may"
    return f"'{attempt.activity}' took longer than {attempt.timeout_ms / 1000:g} seconds"


def _throw_timeout(interrupt: ThreadInterrupt) -> None:
    interrupt.throw(ActivityTimedOut)


def _cancel(loop: asyncio.AbstractEventLoop, body: "asyncio.Future[Any]") -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(body.cancel)
