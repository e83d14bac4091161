"""Compensation: what is not undone although it could be, undos that never run, compensations with nothing to undo."""

from collections.abc import Iterable, Iterator
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
    before = _Order(undoable, [place for place, _ in automatic])
    for place, state in automatic:
        if not before.may_begin_before(place, branch_only=state.scope == "branch"):
            message = f"no task with compensateWith can have completed when `{place.name}` is entered"
            sink.add("nothing-to-undo", place.machine.place(place.name), message)
    if automatic:
        _check_failing(machines[0], undoable, sink)
    order = _Order([place for place, _ in tasks], [place for place, _ in automatic])
    for place, state in tasks:
        partners = set(facts.undone_by.get(state.activity or "", ()))
        if state.compensate_with is not None or not partners or partners & given:
            continue
        if order.may_end_after(place):
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
            *_, (_, names) = _levels(task)
            begin += names
    undone = {
        name
        for name, state in root.states.items()
        if isinstance(state, CompensationState) and isinstance(state.steps, str)
    }
    for name in root.reached_from(begin, lambda edge: edge.source not in undone):
        if isinstance(root.states[name], FailState):
            message = f"`{name}` is reached on a route on which what was done is not undone"
            sink.add("fail-without-undo", root.place(name), message)


class _Order:
    """Which of some compensations can be entered after which of some tasks have completed.

    Of a state in a machine that does not hold the task this is a guess: yes, it may run beside or after it.
    """

    def __init__(self, tasks: list[_Place], compensations: list[_Place]) -> None:
        self._tasks = len(tasks)
        self._inside: dict[str, int] = {}
        self._starts: dict[str, set[str]] = {}
        self._after: dict[str, set[str]] = {}
        self._ends: dict[str, set[str]] = {}
        self._leading: dict[str, set[str]] = {}
        for place in compensations:
            self._ends.setdefault(place.machine.pointer, set()).add(place.name)
        for task in tasks:
            for machine, names in _levels(task):
                if machine.pointer in self._ends:
                    self._inside[machine.pointer] = self._inside.get(machine.pointer, 0) + 1
                    self._starts.setdefault(machine.pointer, set()).update(names)

    def may_begin_before(self, compensation: _Place, *, branch_only: bool) -> bool:
        """Whether any of the tasks can have completed before; `branch_only`: of those within its machine."""
        machine = compensation.machine
        if not branch_only and self._inside.get(machine.pointer, 0) < self._tasks:
            return True
        if machine.pointer not in self._after:
            self._after[machine.pointer] = machine.reached_from(self._starts.get(machine.pointer, ()))
        return compensation.name in self._after[machine.pointer]

    def may_end_after(self, task: _Place) -> bool:
        """Whether any of the compensations can be entered after the task."""
        holding = [(machine, names) for machine, names in _levels(task) if machine.pointer in self._ends]
        if len(holding) < len(self._ends):
            return True
        for machine, names in holding:
            if machine.pointer not in self._leading:
                self._leading[machine.pointer] = _leading_to(machine, self._ends[machine.pointer])
            if not self._leading[machine.pointer].isdisjoint(names):
                return True
        return False


def _levels(task: _Place) -> Iterator[tuple[Machine, list[str]]]:
    """The machines around a task, inner before outer, each with the states that may come next in it."""
    machine, names = task.machine, _after_success(task)
    while True:
        yield machine, names
        if machine.holder is None:
            return
        names = [edge.target for edge in machine.holder.edges[machine.held_by]]
        machine = machine.holder


def _leading_to(machine: Machine, names: Iterable[str]) -> set[str]:
    """These states and all that lead to them."""
    sources: dict[str, list[str]] = {}
    for name, edges in machine.edges.items():
        for edge in edges:
            sources.setdefault(edge.target, []).append(name)
    leading: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in leading:
            leading.add(name)
            pending += sources.get(name, ())
    return leading


def _after_success(task: _Place) -> list[str]:
    return [edge.target for edge in task.machine.edges[task.name] if edge.way not in ERROR_WAYS]
