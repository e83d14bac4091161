"""Durations that are written down, held against each other: limits that never count, waits that are too long."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from stepwell_schemas.durations import duration_ms
from stepwell_schemas.states import MapState, ParallelState, RetryPolicy, State, TaskState, WaitState
from stepwell_schemas.words import is_template

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import Machine

_DEFAULT_TIMEOUT_MS: Final = 300_000
_MOST_TRIES: Final = 1_000
_LONGEST_PAUSE_MS: Final = 366 * 86_400_000


def check_timing(machine: Machine, facts: Facts, sink: Sink) -> None:
    """Tell of durations that cannot mean what they say."""
    whole = milliseconds(facts.definition.configuration.timeout)
    for name in machine.order:
        state = machine.states[name]
        place = machine.place(name)
        for key, value in _durations(state):
            length = milliseconds(value)
            where = pointer_to(place, *key)
            if length == 0 and key[-1] in ("timeout", "heartbeat"):
                sink.add("timeout-zero", where, f"the {key[-1]} of `{name}` passes at once")
            elif length is not None and whole is not None and length >= whole and key != ("heartbeat",):
                message = f"the {key[-1]} of `{name}` is as long as configuration.timeout or longer, so it never counts"
                sink.add("timeout-beyond-instance", where, message)
        if isinstance(state, TaskState):
            _check_heartbeat(name, state, place, facts, sink)
        policies = getattr(state, "retry", None) or ()
        _check_pauses(policies, pointer_to(place, "retry"), whole, sink)


def check_configuration(facts: Facts, sink: Sink) -> None:
    """The same for the durations of the configuration."""
    configuration = facts.definition.configuration
    whole = milliseconds(configuration.timeout)
    task = milliseconds(configuration.task_timeout)
    for key, length in (("timeout", whole), ("taskTimeout", task)):
        if length == 0:
            where = pointer_to("", "configuration", key)
            sink.add("timeout-zero", where, f"configuration.{key} passes at once")
    if whole and task is not None and task >= whole:
        message = "taskTimeout is as long as configuration.timeout or longer, so it never counts"
        sink.add("timeout-beyond-instance", "/configuration/taskTimeout", message)
    _check_pauses(configuration.retry, "/configuration/retry", whole, sink)


def milliseconds(value: Any) -> int | None:
    """A duration that is written down; None for one that only a run knows."""
    return None if value is None or is_template(value) else duration_ms(value)


def _durations(state: State) -> Iterator[tuple[tuple[str, ...], Any]]:
    match state:
        case TaskState():
            yield ("timeout",), state.timeout
            yield ("heartbeat",), state.heartbeat
            if state.compensate_with is not None:
                yield ("compensateWith", "timeout"), state.compensate_with.timeout
        case WaitState():
            yield ("duration",), state.duration
            yield ("timeout",), state.timeout
            if state.absence is not None:
                yield ("absence", "for"), state.absence.for_
        case ParallelState() | MapState():
            yield ("timeout",), state.timeout
        case _:
            return


def _check_heartbeat(name: str, state: TaskState, place: str, facts: Facts, sink: Sink) -> None:
    described = None if state.activity is None else facts.activities.get(state.activity)
    published = (
        (None, None) if described is None else (described.timeout_seconds, described.heartbeat_seconds)
    )
    heartbeat = milliseconds(published[1] if state.heartbeat is None else state.heartbeat)
    timeout = milliseconds(published[0] if state.timeout is None else state.timeout)
    if state.timeout is None and timeout is None:
        timeout = milliseconds(facts.definition.configuration.task_timeout)
        timeout = _DEFAULT_TIMEOUT_MS if timeout is None else timeout
    if is_template(state.timeout) or heartbeat is None or timeout is None or heartbeat < timeout:
        return
    if state.heartbeat is not None or state.timeout is not None:
        where = pointer_to(place, "heartbeat" if state.heartbeat is not None else "timeout")
        message = f"`{name}` times out before its heartbeat of {heartbeat / 1000:g} s could be missed"
        sink.add("heartbeat-beyond-timeout", where, message)


def _check_pauses(policies: Sequence[RetryPolicy], pointer: str, whole: int | None, sink: Sink) -> None:
    if whole is None:
        return
    for index, policy in enumerate(policies):
        total = _pauses_ms(policy, whole)
        if total is not None and total >= whole:
            message = "the pauses between its tries are longer than configuration.timeout all told"
            sink.add("retry-beyond-instance", pointer_to(pointer, index), message)


def _pauses_ms(policy: RetryPolicy, enough: int) -> int | None:
    pause = milliseconds(policy.initial_interval)
    longest = milliseconds(policy.max_interval)
    if pause is None or (policy.max_interval is not None and longest is None):
        return None
    longest = _LONGEST_PAUSE_MS if longest is None else longest
    total, current = 0.0, float(pause)
    for _ in range(min(policy.max_attempts, _MOST_TRIES)):
        total += min(current, longest)
        if total >= enough:
            break
        current = min(current * policy.backoff_coefficient, float(longest))
    return int(total)
