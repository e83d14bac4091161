"""What each state can rely on: the shape of its document, joined over all routes that lead to it.

A fixpoint per machine, states in reverse postorder; inner machines are run where their state stands, and remembered.
It ends always: shapes are cut in depth, a state that keeps changing is widened, and all work is counted. Where that
is too much, `run_roughly` looks at each state once, as if all that is written anywhere were there.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stepwell_schemas.states import ParallelState, RoutedState, State

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.paths import compile_target
from stepwell_interpreter.verification.facts import CAUGHT, ERROR, Facts, with_root
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.graph import Machine, inner_machines, may_fail
from stepwell_interpreter.verification.needs import Needs
from stepwell_interpreter.verification.parallel_writes import Written, writes_of
from stepwell_interpreter.verification.shapes import (
    ANY,
    MEMBERS_PER_UNIT,
    NULL,
    OBJECT,
    Member,
    Shape,
    all_written,
    join,
    lookup,
    same,
    trimmed,
    written,
)
from stepwell_interpreter.verification.work import Work

_ROUNDS_BEFORE_WIDENING: Final = 3
_WORK_OF_A_STATE: Final = 30
_WORK_OF_A_PART: Final = 6


_DEPENDING_ON_ROUTES: Final = frozenset(
    {
        "path-maybe-missing",
        "path-optional",
        "path-not-promised",
        "path-undeclared-key",
        "choice-without-default",
    }
)
"""What the states before may have ruled out."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way out of a state with what is known on it; `target` None ends the machine with `result`."""

    target: str | None
    environment: Shape
    result: Shape = NULL


@dataclass(frozen=True, slots=True)
class Step:
    """What a state does: its routes, and what is known where it fails (None: it cannot)."""

    routes: list[Route]
    failed: Shape | None


@dataclass(slots=True)
class Ends:
    """How a machine ends well: its result, what is known then, and everything it may have written."""

    result: Shape = field(default_factory=lambda: Shape(frozenset()))
    environment: Shape | None = None
    writes: dict[Written, Shape] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    given: Shape
    entries: dict[str, Shape]
    ends: Ends


Transfer = Callable[[str, State, str, Shape, "Flow"], Step]
"""What a state of this name, at this pointer, makes of an environment."""


class Flow:
    """One analysis of a definition. `run` does all of it and tells what it finds."""

    def __init__(self, facts: Facts, transfer: Transfer) -> None:
        self.facts = facts
        self.sink = Sink(active=False)
        self.work = self.sink.work
        self.rough = False
        self._transfer = transfer
        self.machine: Machine
        self._known: dict[str, _Known] = {}
        self._needs = Needs()
        self._needed: dict[str, dict[str, int]] = {}
        self._inner: dict[str, list[Machine]] = {}
        self._branch_writes: dict[str, dict[str, set[Written]]] = {}
        self._work_of: dict[int, int] = {}
        self._ends = Ends()

    def run(self, root: Machine, sink: Sink) -> Ends:
        """Analyse, then tell. Raises TooMuchWork, as a rule before anything was told."""
        self.work = self.sink.work = sink.work
        sink.state_names = tuple(sorted(set(_written_names(root))))
        self._needed[root.pointer] = self._needs.of(root, 0)
        self.analyse(root, self.facts.environment)
        self.sink = sink
        return self.analyse(root, self.facts.environment)

    def run_roughly(self, root: Machine, sink: Sink) -> None:
        """Tell what is wrong wherever a state stands: of what nothing ever writes, and of what schemas say."""
        self.rough, self.sink, self.work = True, sink, sink.work
        members = dict.fromkeys(sink.state_names, Member(ANY, False))
        environment = with_root(self.facts.environment, state=Shape(OBJECT.kinds, members, "closed"))
        roots = {**environment.members, "error": Member(ANY, False)}
        sink.muted = _DEPENDING_ON_ROUTES
        self.analyse(root, Shape(environment.kinds, roots, "closed"))

    def analyse(self, machine: Machine, environment: Shape) -> Ends:
        """How a machine ends that begins with this environment; tells of its states where the sink is active."""
        if self.rough:
            for name in machine.order:
                self._step(machine, name, environment, Ends())
            return Ends(ANY, environment)
        known = self._known.get(machine.pointer)
        if known is None or not same(known.given, environment, self.work):
            sink, self.sink = self.sink, Sink(active=False, work=self.work)
            known = self._known[machine.pointer] = self._fixpoint(machine, environment)
            self.sink = sink
        if self.sink.active:
            for name in machine.order:
                if name in known.entries:
                    self._step(machine, name, known.entries[name], Ends())
        return known.ends

    def inner(self, name: str, state: State, environments: Sequence[Shape]) -> list[Ends]:
        """How the machines inside of a state end."""
        machines = self._machines(name, state)
        return [self.analyse(machine, given) for machine, given in zip(machines, environments, strict=True)]

    def _machines(self, name: str, state: State) -> list[Machine]:
        """The machines inside of a state, each made once, with what is read in them and after them."""
        place = self.machine.place(name)
        if place not in self._inner:
            self._inner[place] = machines = inner_machines(self.machine, name, state)
            for machine in machines if not self.rough else ():
                after = self._needed[self.machine.pointer][name]
                self._needed[machine.pointer] = self._needs.of(machine, after)
        return self._inner[place]

    def branch_writes(self, name: str, state: ParallelState) -> dict[str, set[Written]]:
        """Branch -> the places it may write to, those of maps inside of it left out: they write copies."""
        place = self.machine.place(name)
        if place not in self._branch_writes:
            machines = self._machines(name, state)
            self._branch_writes[place] = {
                branch: {target.members for _, target in writes_of(machine)}
                for branch, machine in zip(state.branches, machines, strict=True)
            }
        return self._branch_writes[place]

    def pass_on(self, writes: dict[Written, Shape]) -> None:
        """Count what branches have written as written by the machine they stand in."""
        for path, value in writes.items():
            before = self._ends.writes.get(path)
            self._ends.writes[path] = value if before is None else join(before, value, self.work)

    def write(self, environment: Shape, path: str, value: Shape, pointer: str) -> Shape:
        """The environment after a write to `$.state`; tells of a place that cannot be written to."""
        if self.rough:
            return environment
        members = compile_target(path).members
        before = environment.members["state"].shape
        parents = lookup(before, members[:-1])
        wanted = "object" if isinstance(members[-1], str) else "list"
        holder = parents.holder if parents.certainty == "scalar" else None
        if len(members) > 1 and parents.certainty != "absent" and wanted not in parents.shape.kinds:
            holder = parents.shape
        if holder is not None:
            message = f"`{path}` cannot be written to: what is before its last member is {holder}"
            self.sink.add("result-path-collision", pointer, message)
            return environment
        value, parts = trimmed(value)
        self.work.spend(parts + 8 * len(members))
        self.work.copy(len(before.members))
        self.pass_on({members: value})
        return with_root(environment, state=written(before, members, value))

    # -- the fixpoint --------------------------------------------------------------------------------------

    def _fixpoint(self, machine: Machine, environment: Shape) -> _Known:
        rank = {name: number for number, name in enumerate(machine.order)}
        entries = {machine.start: environment}
        rounds: dict[str, int] = {}
        ends = Ends()
        pending = [rank[machine.start]]
        waiting = {machine.start}
        while pending:
            name = machine.order[heapq.heappop(pending)]
            waiting.discard(name)
            rounds[name] = rounds.get(name, 0) + 1
            for route in self._step(machine, name, entries[name], ends):
                if route.target is None:
                    ends.result = join(ends.result, route.result, self.work)
                    before = ends.environment
                    ends.environment = (
                        route.environment if before is None else join(before, route.environment, self.work)
                    )
                    continue
                entered = self._enter(route, self._projected(machine, route), entries, rounds)
                if entered and route.target not in waiting:
                    waiting.add(route.target)
                    heapq.heappush(pending, rank[route.target])
        return _Known(environment, entries, ends)

    def _projected(self, machine: Machine, route: Route) -> Shape:
        """What is known on a route, without what nobody reads any more."""
        assert route.target is not None
        state = route.environment.members["state"].shape
        self.work.spend(len(state.members) // MEMBERS_PER_UNIT)
        kept = self._needs.kept(self._needed[machine.pointer][route.target], state.members)
        if len(kept) == len(state.members):
            return route.environment
        return with_root(route.environment, state=replace(state, members=kept))

    def _enter(
        self, route: Route, environment: Shape, entries: dict[str, Shape], rounds: dict[str, int]
    ) -> bool:
        """Join a route's environment into its target's; whether that has changed it."""
        assert route.target is not None
        before = entries.get(route.target)
        if before is None:
            entries[route.target] = environment
            return True
        after = join(before, environment, self.work)
        if after is before:
            return False
        if rounds.get(route.target, 0) >= _ROUNDS_BEFORE_WIDENING:
            after = _widened(before, after)
            if same(after, before, self.work):
                return False
        entries[route.target] = after
        return True

    def _step(self, machine: Machine, name: str, environment: Shape, ends: Ends) -> list[Route]:
        """All routes out of a state, those of its errors included. `ends` gathers what is written."""
        self.work.spend(self._work(machine.states[name]))
        outer = (getattr(self, "machine", machine), self._ends)
        self.machine, self._ends = machine, ends
        try:
            state = machine.states[name]
            step = self._transfer(name, state, machine.place(name), environment, self)
            routes = list(step.routes)
            if step.failed is not None and isinstance(state, RoutedState):
                routes += self._error_routes(machine, name, state, step.failed)
            return routes
        finally:
            self.machine, self._ends = outer

    def _work(self, state: State) -> int:
        """What it costs to look at a state: all that is written in it, but for the states inside of it."""
        # Models live as long as the machines do, so an id names one of them.
        if id(state) not in self._work_of:
            raw = state.model_dump(by_alias=True, exclude_unset=True, exclude={"states", "branches"})
            self._work_of[id(state)] = _WORK_OF_A_STATE + _WORK_OF_A_PART * _parts(raw)
        return self._work_of[id(state)]

    def _error_routes(self, machine: Machine, name: str, state: RoutedState, failed: Shape) -> list[Route]:
        failed = with_root(failed, error=ERROR)
        routes = []
        for index, catcher in enumerate(state.catch):
            after = failed
            if catcher.result_path is not None:
                place = pointer_to(machine.place(name), "catch", index, "resultPath")
                after = self.write(failed, catcher.result_path, CAUGHT, place)
            routes.append(Route(catcher.next, after))
        if any("States.ALL" in catcher.errors for catcher in state.catch):
            return routes
        target = state.on_error
        if target is None and machine.on_error != name and may_fail(state):
            target = machine.on_error
        return routes if target is None else [*routes, Route(target, failed)]


def weakened(environment: Shape, writes: Mapping[Written, Shape], work: Work) -> Shape:
    """The environment where all of these writes may or may not have happened."""
    state = environment.members["state"].shape
    work.spend(8 * len(writes))
    after = all_written(state, ((path, value, False) for path, value in writes.items()), work)
    return environment if after is state else with_root(environment, state=after)


def _parts(raw: Any) -> int:
    pending, count = [raw], 0
    while pending:
        part = pending.pop()
        count += 1
        pending += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return count


def _written_names(root: Machine) -> Iterator[str]:
    """The members of `$.state` that anything writes, in maps as well."""
    pending = [root]
    while pending:
        machine = pending.pop()
        for _, target in writes_of(machine, deep=False):
            yield str(target.members[0])
        for name, state in machine.states.items():
            pending += inner_machines(machine, name, state)


def _widened(before: Shape, after: Shape) -> Shape:
    """What changes no more: of the members of each root, those that differ are left unknown."""
    roots: dict[str, Member] = {}
    for name, root in after.members.items():
        old = before.members.get(name)
        if old is None or old == root:
            roots[name] = root
            continue
        members = {
            key: each if old.shape.members.get(key) == each else Member(ANY, each.sure)
            for key, each in root.shape.members.items()
        }
        shape = Shape(root.shape.kinds, members, root.shape.rest, secret=root.shape.secret)
        roots[name] = Member(shape, root.sure)
    return Shape(after.kinds, roots, "closed")
