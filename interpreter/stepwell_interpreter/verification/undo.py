"""Compensation: what is not undone although it could be, undos that never run, compensations with nothing to undo."""

from dataclasses import dataclass

from stepwell_schemas.states import CompensationState, FailState, TaskState

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.verification.facts import Facts
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import ERROR_WAYS, Machine


@dataclass(frozen=True, slots=True)
class _Place:
    machine: Machine
    name: str


def check_undo(machines: list[Machine], facts: Facts, sink: Sink) -> None:
    """Tell what is wrong with the compensation of a definition."""
    tasks: list[tuple[_Place, TaskState]] = []
    compensations: list[tuple[_Place, CompensationState]] = []
    given: set[str] = set()
    for machine in machines:
        for name in machine.order:
            state = machine.states[name]
            if isinstance(state, TaskState):
                tasks.append((_Place(machine, name), state))
            elif isinstance(state, CompensationState):
                compensations.append((_Place(machine, name), state))
                if isinstance(state.steps, list):
                    given |= {step.activity for step in state.steps}
    automatic = [(place, state) for place, state in compensations if isinstance(state.steps, str)]
    undoable = [place for place, state in tasks if state.compensate_with is not None]
    _check_partners(tasks, facts, sink)
    if undoable and not automatic:
        first = undoable[0]
        where = pointer_to(first.machine.place(first.name), "compensateWith")
        message = "no state runs what compensateWith notes: there is no compensation with steps: auto"
        sink.add("undo-never-run", where, message)
    for place, state in automatic:
        if not _anything_before(place, state, undoable):
            message = f"no task with compensateWith can have completed when `{place.name}` is entered"
            sink.add("nothing-to-undo", place.machine.place(place.name), message)
    if automatic:
        _check_failing(machines[0], undoable, sink)
    ends = [place for place, _ in automatic]
    for place, state in tasks:
        partners = set(facts.undone_by.get(state.activity or "", ()))
        if state.compensate_with is not None or not partners or partners & given:
            continue
        if any(_may_follow(place, end) for end in ends):
            partner = min(partners)
            message = (
                f"`{state.activity}` can be undone by `{partner}`, but a compensation that follows does not"
            )
            sink.add("undo-missing", place.machine.place(place.name), message)


def _check_partners(tasks: list[tuple[_Place, TaskState]], facts: Facts, sink: Sink) -> None:
    for place, state in tasks:
        undo = state.compensate_with
        described = None if undo is None else facts.activities.get(undo.activity)
        if undo is None or state.activity is None or described is None:
            continue
        meant = described.compensates
        partners = facts.undone_by.get(state.activity, [])
        where = pointer_to(place.machine.place(place.name), "compensateWith", "activity")
        if meant is not None and meant != state.activity:
            message = f"`{undo.activity}` is declared to undo `{meant}`, not `{state.activity}`"
            sink.add("undo-mismatch", where, message)
        elif partners and undo.activity not in partners:
            message = (
                f"`{state.activity}` is declared to be undone by `{min(partners)}`, not `{undo.activity}`"
            )
            sink.add("undo-mismatch", where, message)


def _check_failing(root: Machine, undoable: list[_Place], sink: Sink) -> None:
    """Tell of an end as failure that is reached with something done and no compensation on the way."""
    begin: list[str] = []
    for task in undoable:
        if task.machine.pointer == root.pointer:
            begin += _after_success(task)
        else:
            machine = task.machine
            while machine.holder is not None and machine.holder.pointer != root.pointer:
                machine = machine.holder
            begin += [edge.target for edge in root.edges[_holding_state(machine)]]
    undone = {
        name
        for name, state in root.states.items()
        if isinstance(state, CompensationState) and isinstance(state.steps, str)
    }
    for name in root.reached_from(begin, lambda edge: edge.source not in undone):
        if isinstance(root.states[name], FailState):
            message = f"`{name}` is reached on a route on which what was done is not undone"
            sink.add("fail-without-undo", root.place(name), message)


def _anything_before(place: _Place, state: CompensationState, undoable: list[_Place]) -> bool:
    for task in undoable:
        if state.scope == "branch" and not _within(task.machine, place.machine):
            continue
        if _may_follow(task, place):
            return True
    return False


def _may_follow(task: _Place, later: _Place) -> bool:
    """Whether a state can be entered after a task has completed. Of states in inner machines this is a guess: yes."""
    machine, names = task.machine, _after_success(task)
    while True:
        if machine.pointer == later.machine.pointer:
            return later.name in machine.reached_from(names)
        if machine.holder is None:
            # What is asked for stands further inside, in a state that may run beside or after the task.
            return True
        if _within(later.machine, machine):
            return True
        holder = _holding_state(machine)
        names = [edge.target for edge in machine.holder.edges[holder]]
        machine = machine.holder


def _after_success(task: _Place) -> list[str]:
    return [edge.target for edge in task.machine.edges[task.name] if edge.way not in ERROR_WAYS]


def _holding_state(machine: Machine) -> str:
    assert machine.holder is not None
    return next(
        name
        for name in machine.holder.states
        if machine.pointer == (place := machine.holder.place(name)) or machine.pointer.startswith(place + "/")
    )


def _within(inner: Machine, outer: Machine) -> bool:
    machine: Machine | None = inner
    while machine is not None:
        if machine.pointer == outer.pointer:
            return True
        machine = machine.holder
    return False
