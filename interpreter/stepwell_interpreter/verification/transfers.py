"""What each type of state makes of what is known: its routes with their documents. Tells what is wrong on the way."""

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
    RetryPolicy,
    State,
    SucceedState,
    TaskState,
    UndoCall,
    WaitState,
)
from stepwell_schemas.words import is_template

from stepwell_interpreter.failures import CompileProblem, pointer_to
from stepwell_interpreter.paths import compile_members
from stepwell_interpreter.verification.choices import leaves_nothing_over
from stepwell_interpreter.verification.conditions import Judge
from stepwell_interpreter.verification.dataflow import Ends, Flow, Route, Step, weakened
from stepwell_interpreter.verification.exposure import exposed_by_activity, exposed_by_end
from stepwell_interpreter.verification.facts import CAUGHT, with_root
from stepwell_interpreter.verification.fitting import is_never_duration, is_never_timestamp, misfits
from stepwell_interpreter.verification.parallel_writes import Written
from stepwell_interpreter.verification.reading import Reader
from stepwell_interpreter.verification.shapes import (
    ANY,
    NULL,
    NUMBER,
    OBJECT,
    Member,
    Shape,
    all_written,
    closed,
    constant,
    join,
    list_of,
    lookup,
)

_MOST_BRANCHES_APART = 24
"""Of more branches than these, what one of them alone does not write is not told apart."""


def transfer(name: str, state: State, place: str, environment: Shape, flow: Flow) -> Step:
    """The routes out of a state that is entered with this environment."""
    return _KINDS[type(state)](name, state, place, environment, flow)


def _task(name: str, state: TaskState, place: str, environment: Shape, flow: Flow) -> Step:
    reader = Reader(environment, flow.sink)
    given = closed()
    if "input" in state.model_fields_set:
        given = reader.value(state.input, pointer_to(place, "input"))
    result = ANY
    if state.activity is not None:
        _check_input(state.activity, given, pointer_to(place, "input"), flow)
        result = ANY if state.callback else flow.facts.activity_output(state.activity)
    _check_duration(state.timeout, pointer_to(place, "timeout"), reader)
    _check_duration(state.heartbeat, pointer_to(place, "heartbeat"), reader)
    _check_retries(state.retry or (), pointer_to(place, "retry"), environment, flow)
    known = reader.environment_after()
    if state.compensate_with is not None:
        _undo(state.compensate_with, pointer_to(place, "compensateWith"), known, result, flow)
    return Step([_kept(state, place, known, result, flow)], environment)


def _undo(undo: UndoCall, place: str, known: Shape, result: Shape, flow: Flow) -> None:
    given = result
    if "input" in undo.model_fields_set:
        reader = Reader(with_root(known, result=result), flow.sink)
        given = reader.value(undo.input, pointer_to(place, "input"))
    _check_input(undo.activity, given, pointer_to(place, "input"), flow)
    _check_duration(undo.timeout, pointer_to(place, "timeout"), Reader(known, flow.sink))


def _wait(name: str, state: WaitState, place: str, environment: Shape, flow: Flow) -> Step:
    reader = Reader(environment, flow.sink)
    _check_duration(state.duration, pointer_to(place, "duration"), reader)
    _check_duration(state.timeout, pointer_to(place, "timeout"), reader)
    if state.timestamp is not None:
        _check_timestamp(state.timestamp, pointer_to(place, "timestamp"), reader)
    if state.absence is not None:
        _check_duration(state.absence.for_, pointer_to(place, "absence", "for"), reader)
    for wanted, where in wanted_events(state, place):
        _check_match(wanted, where, reader, flow)
    known = reader.environment_after()
    routes = [
        _kept(state, place, known, result, flow, event, target)
        for target, result, event in _wait_results(state, flow)
    ]
    if state.timeout_next is not None:
        routes.append(Route(state.timeout_next, known))
    return Step(routes, environment)


def wanted_events(state: WaitState, place: str) -> list[tuple[EventWait, str]]:
    """The events a wait wants, each with its place."""
    if state.event is not None:
        model = EventWait(event=state.event, match=state.match, where=state.where, count=state.count)
        return [(model, place)]
    if state.absence is not None:
        absence = state.absence
        model = EventWait(event=absence.event, match=absence.match, where=absence.where)
        return [(model, pointer_to(place, "absence"))]
    wanted: list[tuple[EventWait, str]] = []
    for key, group in (("anyOf", state.any_of), ("allOf", state.all_of)):
        wanted += [(each, pointer_to(place, key, name)) for name, each in (group or {}).items()]
    return wanted


def _wait_results(state: WaitState, flow: Flow) -> list[tuple[str | None, Shape, Shape | None]]:
    """Where a wait leads, with what result, and after which event."""
    facts = flow.facts

    def gathered(wanted: EventWait) -> Shape:
        event = facts.event(wanted.event)
        return event if wanted.count == 1 else list_of(event)

    if state.event is not None:
        event = facts.event(state.event)
        return [(state.next, event if state.count == 1 else list_of(event), event)]
    if state.any_of is not None:
        return [
            (each.next or state.next, closed(**{name: gathered(each)}), facts.event(each.event))
            for name, each in state.any_of.items()
        ]
    if state.all_of is not None:
        last: Shape | None = None
        for each in state.all_of.values():
            event = facts.event(each.event)
            last = event if last is None else join(last, event)
        return [(state.next, closed(**{name: gathered(each) for name, each in state.all_of.items()}), last)]
    if state.absence is not None:
        return [(state.next, closed(seen=NUMBER, lastReceived=Shape(frozenset({"number", "null"}))), None)]
    return [(state.next, NULL, None)]


def _check_match(wanted: EventWait, place: str, reader: Reader, flow: Flow) -> None:
    data = flow.facts.event_data(wanted.event)
    for key, template in wanted.match.items():
        where = pointer_to(place, "match", key)
        value = reader.value(template, where)
        try:
            found = lookup(data, compile_members(key))
        except CompileProblem:
            continue  # told where the match was compiled
        if found.certainty in ("absent", "undeclared", "unpromised", "scalar"):
            names = (found.holder or ANY).members
            near = flow.sink.nearest(key.split(".")[-1], names)
            if found.certainty == "unpromised" and near is None:
                continue
            hint = f"; did you mean `{near}`?" if near is not None else ""
            message = f"the schema of {wanted.event} has no `{key}`{hint}"
            flow.sink.add("match-unknown-key", where, message)
        elif found.shape.kinds.isdisjoint(value.kinds):
            message = f"`{key}` of {wanted.event} is {found.shape}, but is matched with {value}"
            flow.sink.add("match-type", where, message)
        elif None not in (found.shape.values, value.values):
            assert found.shape.values is not None
            assert value.values is not None
            if found.shape.values.isdisjoint(value.values):
                message = f"`{key}` of {wanted.event} is {found.shape}, never {value}"
                flow.sink.add("match-type", where, message)
    if wanted.where is not None:
        scope = with_root(reader.environment, event=flow.facts.event(wanted.event))
        Judge(scope, flow.sink, lenient=True).judge(
            flow.facts.document_of(wanted.where), pointer_to(place, "where")
        )


def _choice(name: str, state: ChoiceState, place: str, environment: Shape, flow: Flow) -> Step:
    routes: list[Route] = []
    left: Shape | None = environment
    for index, rule in enumerate(state.choices):
        document = flow.facts.document_of(rule)
        where = pointer_to(place, "choices", index)
        if left is None:
            flow.sink.add("rule-unreachable", where, "the rules before it take everything")
            routes.append(Route(rule.next, environment))
            continue
        decided = Judge(left, flow.sink).decide(document, where)
        routes.append(Route(rule.next, decided.yes or left))
        left = decided.no
    rest = left or environment
    if state.default is not None:
        if left is None:
            message = "the rules take everything; the default is never used"
            flow.sink.add("default-unreachable", pointer_to(place, "default"), message)
        return Step([*routes, Route(state.default, rest)], environment)
    if (
        flow.sink.active
        and left is not None
        and not leaves_nothing_over(state.choices, flow.facts, environment)
    ):
        flow.sink.add("choice-without-default", place, f"`{name}` has no default, and all its rules may fail")
    return Step(routes, environment)


def _parallel(name: str, state: ParallelState, place: str, environment: Shape, flow: Flow) -> Step:
    reader = Reader(environment, flow.sink)
    _check_duration(state.timeout, pointer_to(place, "timeout"), reader)
    _check_retries(state.retry or (), pointer_to(place, "retry"), environment, flow)
    ends = flow.inner(name, state, _branch_entries(name, state, environment, flow))
    all_writes: dict[Written, Shape] = {}
    for each in ends:
        all_writes |= each.writes
        flow.pass_on(each.writes)
    failed = weakened(environment, all_writes, flow.work)
    if any(each.environment is None for each in ends) and state.failure == "failFast":
        return Step([], failed)
    known = failed if state.failure != "failFast" else _after_branches(environment, ends, flow)
    result = _branch_results(state, ends)
    return Step([_kept(state, place, known, result, flow)], failed)


def _branch_entries(name: str, state: ParallelState, environment: Shape, flow: Flow) -> list[Shape]:
    """While a branch runs, the others may have written what they write: whether and what is not known."""
    if flow.rough:
        return [environment] * len(state.branches)
    before = flow.branch_writes(name, state)
    if len(state.branches) > _MOST_BRANCHES_APART:
        everything = {path: ANY for paths in before.values() for path in paths}
        return [weakened(environment, everything, flow.work)] * len(state.branches)
    return [
        weakened(
            environment,
            {path: ANY for other, paths in before.items() if other != branch for path in paths},
            flow.work,
        )
        for branch in state.branches
    ]


def _after_branches(environment: Shape, ends: Sequence[Ends], flow: Flow) -> Shape:
    """What is known once every branch has ended well: each has written what it has written."""
    writes: list[tuple[Written, Shape, bool]] = []
    for each in ends:
        assert each.environment is not None
        after_branch = each.environment.members["state"].shape
        flow.work.spend(8 * len(each.writes))
        for path, value in each.writes.items():
            found = lookup(after_branch, path)
            sure = found.certainty == "sure"
            writes.append((path, found.shape if sure else value, sure))
    document = all_written(environment.members["state"].shape, writes, flow.work)
    return with_root(environment, state=document)


def _branch_results(state: ParallelState, ends: Sequence[Ends]) -> Shape:
    members = {}
    for branch, each in zip(state.branches, ends, strict=True):
        shape = each.result if state.failure == "failFast" else join(each.result, CAUGHT)
        members[branch] = Member(shape, sure=isinstance(state.failure, str))
    return Shape(frozenset({"object"}), members, "closed")


def _map(name: str, state: MapState, place: str, environment: Shape, flow: Flow) -> Step:
    reader = Reader(environment, flow.sink)
    items = reader.value(state.items, pointer_to(place, "items"))
    if "list" not in items.kinds:
        flow.sink.add("items-not-a-list", pointer_to(place, "items"), f"items is {items}, not a list")
    _check_duration(state.timeout, pointer_to(place, "timeout"), reader)
    _check_retries(state.retry or (), pointer_to(place, "retry"), environment, flow)
    known = reader.environment_after()
    item = items.items or ANY
    if items.secret and not item.secret:
        item = Shape(item.kinds, item.members, item.rest, item.items, item.values, items.secret)
    inside = with_root(known, item=item if state.batch_size is None else list_of(item), index=NUMBER)
    [ends] = flow.inner(name, state, [inside])
    result = ends.result if state.tolerate is None else join(ends.result, CAUGHT)
    if result.is_empty:
        result = ANY
    return Step([_kept(state, place, known, list_of(result), flow)], environment)


def _compensation(name: str, state: CompensationState, place: str, environment: Shape, flow: Flow) -> Step:
    for index, step in enumerate(state.steps if isinstance(state.steps, list) else ()):
        where = pointer_to(place, "steps", index)
        scope = environment
        if step.when is not None:
            document = flow.facts.document_of(step.when)
            decided = Judge(environment, flow.sink).decide(document, pointer_to(where, "when"))
            scope = decided.yes or environment
        reader = Reader(scope, flow.sink)
        given = closed()
        if "input" in step.model_fields_set:
            given = reader.value(step.input, pointer_to(where, "input"))
        _check_input(step.activity, given, pointer_to(where, "input"), flow)
        _check_duration(step.timeout, pointer_to(where, "timeout"), reader)
    report = list_of(OBJECT)
    result = closed(undone=report, failed=report, skipped=report)
    return Step([_kept(state, place, environment, result, flow)], environment)


def _pass(name: str, state: PassState, place: str, environment: Shape, flow: Flow) -> Step:
    reader = Reader(environment, flow.sink)
    values = [
        (path, reader.value(template, pointer_to(place, "set", path)), pointer_to(place, "set", path))
        for path, template in state.set.items()
    ]
    known = reader.environment_after()
    for path, value, where in values:
        known = flow.write(known, path, value, where)
    return Step([Route(state.next, known)], environment)


def _succeed(name: str, state: SucceedState, place: str, environment: Shape, flow: Flow) -> Step:
    result = NULL
    if "output" in state.model_fields_set:
        where = pointer_to(place, "output")
        result = Reader(environment, flow.sink).value(state.output, where)
        if flow.machine.pointer == "":
            exposed_by_end(result, where, "the output of the workflow", flow.sink)
    return Step([Route(None, environment, result)], None)


def _fail(name: str, state: FailState, place: str, environment: Shape, flow: Flow) -> Step:
    reader = Reader(environment, flow.sink)
    for key, template in (("error", state.error), ("cause", state.cause)):
        if template is not None:
            where = pointer_to(place, key)
            exposed_by_end(reader.value(template, where), where, f"the {key} of a failure", flow.sink)
    return Step([], None)


# -- what several have -----------------------------------------------------------------------------------------


def _kept(
    state: ResultState, place: str, known: Shape, result: Shape, flow: Flow,
    event: Shape | None = None, target: str | None = None,
) -> Route:  # fmt: skip
    """The route on which the result was selected and kept."""
    if "result_selector" in state.model_fields_set:
        roots = {"result": result} if event is None else {"result": result, "event": event}
        where = pointer_to(place, "resultSelector")
        result = Reader(with_root(known, **roots), flow.sink).value(state.result_selector, where)
    if state.result_path is not None:
        known = flow.write(known, state.result_path, result, pointer_to(place, "resultPath"))
    after_state = target if target is not None else state.next
    if after_state is None and flow.machine.pointer == "":
        exposed_by_end(result, place, "the output of the workflow", flow.sink)
    return Route(after_state, known, result)


def _check_input(activity: str, given: Shape, pointer: str, flow: Flow) -> None:
    if not flow.sink.active:
        return
    for misfit in misfits(given, flow.facts.activity_input(activity)):
        message = f"`{activity}` does not take this: {misfit.message}"
        flow.sink.add("activity-input-type", pointer + misfit.pointer, message)
    exposed_by_activity(activity, given, pointer, flow.sink)


def _check_retries(policies: Sequence[RetryPolicy], pointer: str, environment: Shape, flow: Flow) -> None:
    reader = Reader(environment, flow.sink)
    for index, policy in enumerate(policies):
        place = pointer_to(pointer, index)
        _check_duration(policy.initial_interval, pointer_to(place, "initialInterval"), reader)
        _check_duration(policy.max_interval, pointer_to(place, "maxInterval"), reader)


def _check_duration(value: Any, pointer: str, reader: Reader) -> None:
    if value is None or not is_template(value):
        return
    shape = reader.value(value, pointer)
    if isinstance(value, dict) and "$default" in value and not is_template(value["$default"]):
        # A default is a value of its own: that the path may give a better one does not mend it.
        default = constant(value["$default"])
        if is_never_duration(default):
            place = pointer_to(pointer, "$default")
            reader.sink.add("not-a-duration", place, f"this is {default}, not a duration")
            return
    if is_never_duration(shape):
        reader.sink.add("not-a-duration", pointer, f"this is {shape}, not a duration")


def _check_timestamp(value: Any, pointer: str, reader: Reader) -> None:
    if not is_template(value):
        return
    shape = reader.value(value, pointer)
    if is_never_timestamp(shape):
        reader.sink.add("not-a-timestamp", pointer, f"this is {shape}, not a timestamp")


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
