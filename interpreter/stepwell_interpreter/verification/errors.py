"""Lists of `retry` and `catch`: names that are none, rules that never have their turn, tries that never come."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from stepwell_schemas.states import (
    ChoiceState,
    PassState,
    RoutedState,
    State,
    TaskState,
    WaitState,
)

from stepwell_interpreter.failures import (
    ALL,
    BRANCH_FAILED,
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    HEARTBEAT_TIMEOUT,
    INTRINSIC_FAILURE,
    ITEM_READER_FAILED,
    MACHINE_ERRORS,
    NO_CHOICE_MATCHED,
    PARAMETER_PATH_FAILURE,
    RESULT_PATH_MATCH_FAILURE,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
    did_you_mean,
    pointer_to,
)
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import Machine

_NEVER_TRIED_AGAIN: Final = frozenset(
    {PARAMETER_PATH_FAILURE, RESULT_PATH_MATCH_FAILURE, INTRINSIC_FAILURE, NO_CHOICE_MATCHED}
)
_OF_BRANCHES: Final = frozenset({BRANCH_FAILED, ITEM_READER_FAILED, EXCEED_TOLERATED_FAILURE_THRESHOLD})


def check_errors(machine: Machine, facts: Facts, sink: Sink) -> None:
    """Tell what is wrong with the catches and retries of every state that is reached."""
    for name in machine.order:
        state = machine.states[name]
        place = machine.place(name)
        if isinstance(state, RoutedState):
            _check_rules(state.catch, pointer_to(place, "catch"), "catch", state, facts, sink)
        policies = getattr(state, "retry", None)
        if policies:
            where = pointer_to(place, "retry")
            _check_rules(policies, where, "retry", state, facts, sink)
            _check_tried(state, policies, where, sink)


def check_default_retries(facts: Facts, sink: Sink) -> None:
    """The same for the configuration's policies."""
    policies = facts.definition.configuration.retry
    _check_rules(policies, "/configuration/retry", "retry", None, facts, sink)


def _check_rules(
    rules: Sequence[Any], pointer: str, kind: str, state: State | None, facts: Facts, sink: Sink
) -> None:
    before: set[str] = set()
    for index, rule in enumerate(rules):
        place = pointer_to(pointer, index)
        names = list(dict.fromkeys(rule.errors))
        for position, name in enumerate(names):
            where = pointer_to(place, "errors", position)
            _check_name(name, where, kind, state, facts, sink)
        if before and all(_taken(name, before) for name in names):
            shown = ", ".join(f"`{name}`" for name in names[:4])
            sink.add(f"{kind}-shadowed", place, f"a rule before takes {shown} already")
        before |= set(names)


def _check_name(name: str, pointer: str, kind: str, state: State | None, facts: Facts, sink: Sink) -> None:
    if name == RUNTIME:
        sink.add("never-caught", pointer, f"`{RUNTIME}` ends an instance whatever it catches or tries again")
    elif name.startswith("States.") and name not in MACHINE_ERRORS and name != ALL:
        message = f"there is no error `{name}`. {did_you_mean(name, [*MACHINE_ERRORS, ALL])}"
        sink.add("unknown-error-name", pointer, message)
    elif state is not None and name in _impossible(state, facts):
        message = f"a {state.type} like this one never fails with `{name}`"
        sink.add("error-cannot-occur", pointer, message)


def _check_tried(state: State, policies: Sequence[Any], pointer: str, sink: Sink) -> None:
    """Of a task only the attempt is tried again, never an expression that failed."""
    if not isinstance(state, TaskState) or state.activity is None:
        return
    for index, policy in enumerate(policies):
        if policy.max_attempts and all(name in _NEVER_TRIED_AGAIN for name in policy.errors):
            message = f"{', '.join(policy.errors)} is an error of the definition and is never tried again"
            sink.add("retry-never", pointer_to(pointer, index), message)


def _taken(name: str, before: set[str]) -> bool:
    return name in before or ALL in before or (TASK_FAILED in before and name not in (ALL, TIMEOUT))


def _impossible(state: State, facts: Facts) -> frozenset[str]:
    """Errors of the machine that a state cannot meet; branches and children bring those of all states."""
    return frozenset(_impossible_names(state, facts))


def _impossible_names(state: State, facts: Facts) -> Iterator[str]:
    match state:
        case TaskState(activity=str()):
            yield from _OF_BRANCHES | {NO_CHOICE_MATCHED}
            described = facts.activities.get(state.activity or "")
            beats = state.heartbeat is not None or (
                described is not None and described.heartbeat_seconds is not None
            )
            if not beats:
                yield HEARTBEAT_TIMEOUT
        case WaitState():
            yield from _OF_BRANCHES | {NO_CHOICE_MATCHED, HEARTBEAT_TIMEOUT}
            if state.timeout is None or state.timeout_next is not None:
                yield TIMEOUT
        case ChoiceState():
            yield from _OF_BRANCHES | {HEARTBEAT_TIMEOUT, TIMEOUT}
            if state.default is not None:
                yield NO_CHOICE_MATCHED
        case PassState():
            yield from _OF_BRANCHES | {HEARTBEAT_TIMEOUT, TIMEOUT, NO_CHOICE_MATCHED}
        case _:
            return
