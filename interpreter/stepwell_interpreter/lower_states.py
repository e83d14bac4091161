"""Lowering of each type of state to its step."""

from collections.abc import Callable, Sequence
from typing import Any

from stepwell_schemas.states import (
    ChoiceState,
    CompensationState,
    EventWait,
    FailState,
    MapState,
    ParallelState,
    PassState,
    ResultState,
    RoutedState,
    State,
    StepState,
    SucceedState,
    TaskState,
    UndoCall,
    WaitState,
)

from stepwell_interpreter.failures import TASK_FAILED, pointer_to
from stepwell_interpreter.findings import Findings
from stepwell_interpreter.lower_calls import Calls
from stepwell_interpreter.program import (
    Call,
    CatchRule,
    ChoiceRule,
    ChoiceStep,
    CompensationStep,
    FailStep,
    GivenUndo,
    MapLimits,
    MapStep,
    ParallelStep,
    PassStep,
    Step,
    SucceedStep,
    TaskStep,
    WaitEvent,
    WaitForm,
    WaitStep,
)

MAX_CONCURRENCY = 40
"""How many iterations of a map run at a time where it does not say so; ten times that is the most it can ask for."""

Common = dict[str, Any]


def lower_state(name: str, state: State, pointer: str, names: Sequence[str], calls: Calls) -> Step:
    """The step of a state; `names` are the states it may lead to."""
    common = {"name": name, **_common(state, pointer, names, calls.findings)}
    return _KINDS[type(state)](state, pointer, names, calls, common)


def _common(state: State, pointer: str, names: Sequence[str], findings: Findings) -> Common:
    common: Common = {}
    if isinstance(state, RoutedState):
        if state.on_error is not None:
            findings.known(state.on_error, names, pointer_to(pointer, "onError"))
        common["on_error"] = state.on_error
        common["catch"] = _catches(state, pointer, names, findings)
    if isinstance(state, StepState):
        common["next"] = state.next
        if state.next is not None:
            findings.known(state.next, names, pointer_to(pointer, "next"))
        elif not state.end and not _led_on_otherwise(state):
            message = "the state has neither `next` nor `end: true`"
            findings.add("no-next", pointer, message, "Say which state follows, or end: true.")
    if isinstance(state, ResultState):
        given = "result_selector" in state.model_fields_set
        common["selector"] = findings.optional(
            given, state.result_selector, pointer_to(pointer, "resultSelector")
        )
        common["target"] = findings.target(state.result_path, pointer_to(pointer, "resultPath"))
    return common


def _catches(
    state: RoutedState, pointer: str, names: Sequence[str], findings: Findings
) -> tuple[CatchRule, ...]:
    rules = []
    for index, catcher in enumerate(state.catch):
        place = pointer_to(pointer, "catch", index)
        findings.known(catcher.next, names, pointer_to(place, "next"))
        target = findings.target(catcher.result_path, pointer_to(place, "resultPath"))
        rules.append(CatchRule(tuple(catcher.errors), catcher.next, target))
    return tuple(rules)


def _led_on_otherwise(state: StepState) -> bool:
    """A wait whose every alternative leads somewhere needs no `next`."""
    if not isinstance(state, WaitState) or state.any_of is None:
        return False
    return all(alternative.next is not None for alternative in state.any_of.values())


def _task(state: TaskState, pointer: str, names: Sequence[str], calls: Calls, common: Common) -> TaskStep:
    given = "input" in state.model_fields_set
    input = calls.findings.optional(given, state.input, pointer_to(pointer, "input"))
    call = None
    if state.activity is not None:
        call = calls.call(
            state.activity,
            pointer,
            input=input,
            queue=state.queue,
            timeout=state.timeout,
            heartbeat=state.heartbeat,
            retry=state.retry,
        )
        value, place = (state.input, pointer_to(pointer, "input")) if given else ({}, pointer)
        calls.check_input(state.activity, value, place)
    undo = None
    if state.compensate_with is not None:
        undo = _undo(state.compensate_with, pointer_to(pointer, "compensateWith"), calls)
    return TaskStep(
        **common,
        retry=calls.child_retries(state.retry, pointer) if call is None else call.retry,
        call=call,
        workflow=state.workflow,
        input=input,
        own_timeout=calls.findings.duration(state.timeout, pointer_to(pointer, "timeout")),
        priority=state.priority,
        callback=state.callback,
        undo=undo,
    )


def _undo(undo: UndoCall, pointer: str, calls: Calls) -> Call:
    place = pointer_to(pointer, "input")
    input = None
    if "input" in undo.model_fields_set:
        input = calls.findings.template(undo.input, place)
        calls.check_input(undo.activity, undo.input, place)
    return calls.call(undo.activity, pointer, input=input, queue=undo.queue, timeout=undo.timeout)


def _wait(state: WaitState, pointer: str, names: Sequence[str], calls: Calls, common: Common) -> WaitStep:
    findings = calls.findings
    if state.timeout_next is not None:
        findings.known(state.timeout_next, names, pointer_to(pointer, "timeoutNext"))
    form, events = _wait_events(state, pointer, names, findings)
    silence = None
    if state.absence is not None:
        silence = findings.duration(state.absence.for_, pointer_to(pointer, "absence", "for"))
    return WaitStep(
        **common,
        form=form,
        duration=findings.duration(state.duration, pointer_to(pointer, "duration")),
        until=findings.timestamp(state.timestamp, pointer_to(pointer, "timestamp")),
        events=events,
        silence=silence,
        timeout=findings.duration(state.timeout, pointer_to(pointer, "timeout")),
        timeout_next=state.timeout_next,
        # An absence looks at what comes from now on: an older event must stay for the wait that wants it.
        from_now=state.from_ == "now" or form == "absence",
    )


def _wait_events(
    state: WaitState, pointer: str, names: Sequence[str], findings: Findings
) -> tuple[WaitForm, tuple[WaitEvent, ...]]:
    if state.any_of is not None:
        events = []
        for name, alternative in state.any_of.items():
            place = pointer_to(pointer, "anyOf", name)
            if alternative.next is not None:
                findings.known(alternative.next, names, pointer_to(place, "next"))
            events.append(_wait_event(alternative, place, findings, name, alternative.next))
        return "anyOf", tuple(events)
    if state.all_of is not None:
        pairs = state.all_of.items()
        wanted = [
            _wait_event(each, pointer_to(pointer, "allOf", name), findings, name) for name, each in pairs
        ]
        return "allOf", tuple(wanted)
    if state.absence is not None:
        absence = state.absence
        place = pointer_to(pointer, "absence")
        model = EventWait(event=absence.event, match=absence.match, where=absence.where)
        return "absence", (_wait_event(model, place, findings),)
    if state.event is not None:
        model = EventWait(event=state.event, match=state.match, where=state.where, count=state.count)
        return "event", (_wait_event(model, pointer, findings),)
    return "time", ()


def _wait_event(
    wanted: EventWait, pointer: str, findings: Findings, name: str | None = None, next: str | None = None
) -> WaitEvent:
    return WaitEvent(
        type=wanted.event,
        match=findings.match(wanted.match, pointer_to(pointer, "match")),
        where=None
        if wanted.where is None
        else findings.condition(wanted.where, pointer_to(pointer, "where")),
        count=wanted.count,
        name=name,
        next=next,
    )


def _choice(
    state: ChoiceState, pointer: str, names: Sequence[str], calls: Calls, common: Common
) -> ChoiceStep:
    findings = calls.findings
    rules = []
    for index, rule in enumerate(state.choices):
        place = pointer_to(pointer, "choices", index)
        findings.known(rule.next, names, pointer_to(place, "next"))
        rules.append(ChoiceRule(findings.condition(rule, place), rule.next))
    if state.default is not None:
        findings.known(state.default, names, pointer_to(pointer, "default"))
    return ChoiceStep(**common, next=state.default, rules=tuple(rules))


def _parallel(
    state: ParallelState, pointer: str, names: Sequence[str], calls: Calls, common: Common
) -> ParallelStep:
    findings = calls.findings
    quorum = 0 if isinstance(state.failure, str) else state.failure.quorum
    if quorum > len(state.branches):
        message = f"a quorum of {quorum} cannot be reached by {len(state.branches)} branches"
        findings.add("quorum-too-large", pointer_to(pointer, "failure", "quorum"), message)
    return ParallelStep(
        **common,
        retry=calls.rules(state.retry or (), pointer_to(pointer, "retry")),
        branches=tuple((name, pointer_to(pointer, "branches", name)) for name in state.branches),
        policy=state.failure if isinstance(state.failure, str) else "quorum",
        quorum=quorum,
        timeout=findings.duration(state.timeout, pointer_to(pointer, "timeout")),
    )


def _map(state: MapState, pointer: str, names: Sequence[str], calls: Calls, common: Common) -> MapStep:
    findings = calls.findings
    limits = MapLimits(
        concurrency=min(state.max_concurrency or MAX_CONCURRENCY, 10 * MAX_CONCURRENCY),
        tolerate_count=None if state.tolerate is None else state.tolerate.count,
        tolerate_percent=None if state.tolerate is None else state.tolerate.percent,
    )
    return MapStep(
        **common,
        retry=calls.rules(state.retry or (), pointer_to(pointer, "retry")),
        machine=pointer,
        items=findings.template(state.items, pointer_to(pointer, "items")),
        limits=lambda scope: limits,
        batch_size=state.batch_size,
        timeout=findings.duration(state.timeout, pointer_to(pointer, "timeout")),
    )


def _compensation(
    state: CompensationState, pointer: str, names: Sequence[str], calls: Calls, common: Common
) -> CompensationStep:
    steps = None
    if not isinstance(state.steps, str):
        steps = tuple(
            _given_undo(step, pointer_to(pointer, "steps", index), calls)
            for index, step in enumerate(state.steps)
        )
    retry = state.retry
    return CompensationStep(
        **common,
        steps=steps,
        branch_only=state.scope == "branch",
        continue_on_error=state.continue_on_error,
        own_retry=None if retry is None else calls.rules(retry, pointer_to(pointer, "retry")),
    )


def _given_undo(step: Any, pointer: str, calls: Calls) -> GivenUndo:
    given = "input" in step.model_fields_set
    place = pointer_to(pointer, "input")
    input = calls.findings.optional(given, step.input, place)
    calls.check_input(step.activity, step.input if given else {}, place if given else pointer)
    call = calls.call(step.activity, pointer, input=input, queue=step.queue, timeout=step.timeout)
    when = None if step.when is None else calls.findings.condition(step.when, pointer_to(pointer, "when"))
    return GivenUndo(call, when)


def _pass(state: PassState, pointer: str, names: Sequence[str], calls: Calls, common: Common) -> PassStep:
    writes = []
    for path, value in state.set.items():
        place = pointer_to(pointer, "set", path)
        target = calls.findings.target(path, place)
        template = calls.findings.template(value, place)
        if target is not None:
            writes.append((target, template))
    return PassStep(**common, writes=tuple(writes))


def _succeed(
    state: SucceedState, pointer: str, names: Sequence[str], calls: Calls, common: Common
) -> SucceedStep:
    given = "output" in state.model_fields_set
    return SucceedStep(
        **common, output=calls.findings.optional(given, state.output, pointer_to(pointer, "output"))
    )


def _fail(state: FailState, pointer: str, names: Sequence[str], calls: Calls, common: Common) -> FailStep:
    findings = calls.findings
    error = TASK_FAILED if state.error is None else state.error
    cause = "" if state.cause is None else state.cause
    return FailStep(
        **common,
        error=findings.template(error, pointer_to(pointer, "error")),
        cause=findings.template(cause, pointer_to(pointer, "cause")),
    )


_KINDS: dict[type[Any], Callable[..., Step]] = {
    TaskState: _task,
    WaitState: _wait,
    ChoiceState: _choice,
    ParallelState: _parallel,
    MapState: _map,
    CompensationState: _compensation,
    PassState: _pass,
    SucceedState: _succeed,
    FailState: _fail,
}
