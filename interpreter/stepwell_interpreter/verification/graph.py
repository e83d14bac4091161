"""The machines of a definition (the workflow, branches, the states of maps) and how their states lead to each other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from stepwell_schemas.states import (
    ChoiceState,
    CompensationState,
    FailState,
    MapState,
    ParallelState,
    RoutedState,
    State,
    StepState,
    SucceedState,
    WaitState,
)
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.failures import pointer_to

Way = Literal["next", "rule", "default", "timeout", "catch", "onError", "configuration"]
ERROR_WAYS: frozenset[Way] = frozenset({"catch", "onError", "configuration"})


@dataclass(frozen=True, slots=True)
class Edge:
    """From a state to another. `pointer` is where that is written."""

    source: str
    target: str
    way: Way
    pointer: str


@dataclass(frozen=True)
class Machine:
    """States that lead only to each other. `pointer` leads to what holds its `states`."""

    pointer: str
    start: str
    states: Mapping[str, State]
    on_error: str | None = None
    holder: "Machine | None" = None
    within_map: bool = False
    held_by: str = ""
    """The state of the holder that it is inside of."""

    def place(self, name: str) -> str:
        """The pointer of a state."""
        return pointer_to(self.pointer, "states", name)

    @cached_property
    def edges(self) -> dict[str, list[Edge]]:
        """All edges by the state they leave."""
        return {name: list(self._edges(name, state)) for name, state in self.states.items()}

    @cached_property
    def order(self) -> list[str]:
        """The states that are reached, each after those that lead to it where there are no loops."""
        return _reverse_postorder(self.start, lambda name: [edge.target for edge in self.edges[name]])

    def reached_from(
        self, names: Iterable[str], ways: Callable[[Edge], bool] = lambda edge: True
    ) -> set[str]:
        """These states and all that they lead to."""
        reached: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in reached and name in self.states:
                reached.add(name)
                pending += [edge.target for edge in self.edges[name] if ways(edge)]
        return reached

    def _edges(self, name: str, state: State) -> Iterator[Edge]:
        place = self.place(name)
        if isinstance(state, StepState) and state.next is not None:
            yield Edge(name, state.next, "next", pointer_to(place, "next"))
        if isinstance(state, ChoiceState):
            for index, rule in enumerate(state.choices):
                yield Edge(name, rule.next, "rule", pointer_to(place, "choices", index, "next"))
            if state.default is not None:
                yield Edge(name, state.default, "default", pointer_to(place, "default"))
        if isinstance(state, WaitState):
            if state.timeout_next is not None:
                yield Edge(name, state.timeout_next, "timeout", pointer_to(place, "timeoutNext"))
            for key, alternative in (state.any_of or {}).items():
                if alternative.next is not None:
                    yield Edge(name, alternative.next, "next", pointer_to(place, "anyOf", key, "next"))
        if isinstance(state, RoutedState):
            for index, catcher in enumerate(state.catch):
                yield Edge(name, catcher.next, "catch", pointer_to(place, "catch", index, "next"))
            if state.on_error is not None:
                yield Edge(name, state.on_error, "onError", pointer_to(place, "onError"))
            elif self.on_error is not None and self.on_error != name and may_fail(state):
                yield Edge(name, self.on_error, "configuration", "/configuration/onError")


def machines_of(definition: WorkflowDefinition) -> list[Machine]:
    """Every machine, outer before inner."""
    root = Machine("", definition.start_at, definition.states, definition.configuration.on_error)
    machines = [root]
    for machine in machines:
        for name, state in machine.states.items():
            machines += inner_machines(machine, name, state)
    return machines


def inner_machines(machine: Machine, name: str, state: State) -> list[Machine]:
    """The machines inside of a state."""
    place = machine.place(name)
    if isinstance(state, ParallelState):
        return [
            Machine(
                pointer_to(place, "branches", branch),
                scope.start_at,
                scope.states,
                holder=machine,
                within_map=machine.within_map,
                held_by=name,
            )
            for branch, scope in state.branches.items()
        ]
    if isinstance(state, MapState):
        return [Machine(place, state.start_at, state.states, holder=machine, within_map=True, held_by=name)]
    return []


def may_fail(state: RoutedState) -> bool:
    """Whether errors leave a state. A compensation that goes on after them reports them instead."""
    if isinstance(state, CompensationState) and "result_selector" not in state.model_fields_set:
        return not state.continue_on_error
    return True


def ends(state: State) -> bool:
    """Whether the machine can end in this state, well or not."""
    if isinstance(state, SucceedState | FailState):
        return True
    return isinstance(state, StepState) and state.next is None and state.end


def components(names: Iterable[str], targets: Callable[[str], Iterable[str]]) -> list[list[str]]:
    """The strongly connected components that hold a cycle (Tarjan), without recursion."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in names:
        if root in numbers:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        _open(root, numbers, lowest, stack, on_stack)
        work.append((root, iter(targets(root))))
        while work:
            name, rest = work[-1]
            target = next(rest, None)
            if target is None:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[name])
                if lowest[name] == numbers[name]:
                    component = _closed(name, stack, on_stack)
                    if len(component) > 1 or name in targets(name):
                        found.append(component)
            elif target not in numbers:
                _open(target, numbers, lowest, stack, on_stack)
                work.append((target, iter(targets(target))))
            elif target in on_stack:
                lowest[name] = min(lowest[name], numbers[target])
    return found


def _open(
    name: str, numbers: dict[str, int], lowest: dict[str, int], stack: list[str], on_stack: set[str]
) -> None:
    numbers[name] = lowest[name] = len(numbers)
    stack.append(name)
    on_stack.add(name)


def _closed(name: str, stack: list[str], on_stack: set[str]) -> list[str]:
    component = []
    while True:
        member = stack.pop()
        on_stack.discard(member)
        component.append(member)
        if member == name:
            return component[::-1]


def _reverse_postorder(start: str, targets: Callable[[str], list[str]]) -> list[str]:
    seen = {start}
    postorder: list[str] = []
    work = [(start, iter(targets(start)))]
    while work:
        name, rest = work[-1]
        target = next((each for each in rest if each not in seen), None)
        if target is None:
            work.pop()
            postorder.append(name)
        else:
            seen.add(target)
            work.append((target, iter(targets(target))))
    return postorder[::-1]
