"""The table of task outcomes an author gives: by state, in order, by map item, or made by a function."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from stepwell_interpreter.failures import did_you_mean
from stepwell_interpreter.program import CANCEL_STEP, CompensationStep, MapStep, Program, TaskStep
from stepwell_interpreter.simulation.devices import BUILT_IN
from stepwell_interpreter.simulation.errors import MockRefused, UnmockedTask
from stepwell_interpreter.simulation.outcomes import Outcome, failure_of, outcome_of, plain
from stepwell_interpreter.simulation.pending import Pending
from stepwell_interpreter.simulation.world import World

EVERY_OTHER: Final = "*"
"""The name whose outcomes count for every state that has none of its own."""

TaskFunction = Callable[[Any], Any]


class _InOrder:
    """A list of outcomes that is used up: those made for one item or one undo first, then those for any."""

    __slots__ = ("_any", "_items", "_undos", "given", "left")

    def __init__(self, outcomes: Iterable[Outcome | TaskFunction]) -> None:
        self._any: deque[Outcome | TaskFunction] = deque()
        self._items: dict[tuple[int, ...], deque[Outcome | TaskFunction]] = {}
        self._undos: dict[str, deque[Outcome | TaskFunction]] = {}
        self.given = 0
        for each in outcomes:
            self.given += 1
            self._place(each).append(each)
        self.left = self.given

    def take(self, pending: Pending) -> Outcome | TaskFunction | None:
        """The next outcome for this; None where none is left for it."""
        for queue in self._fitting(pending):
            if queue:
                self.left -= 1
                return queue.popleft()
        return None

    def _place(self, each: Outcome | TaskFunction) -> deque[Outcome | TaskFunction]:
        if isinstance(each, Outcome) and each.undo is not None:
            return self._undos.setdefault(each.undo, deque())
        if isinstance(each, Outcome) and each.iteration is not None:
            return self._items.setdefault(each.iteration, deque())
        return self._any

    def _fitting(self, pending: Pending) -> Iterator[deque[Outcome | TaskFunction]]:
        if pending.undo_of is not None and pending.undo_of in self._undos:
            yield self._undos[pending.undo_of]
        for start in range(len(pending.item)):
            if pending.item[start:] in self._items:
                yield self._items[pending.item[start:]]
        yield self._any


class Mocks:
    """The answerer of a simulation. A list is used up in order; a single outcome or a function serves every try."""

    def __init__(self, tasks: Mapping[str, Any] | None, programs: Iterable[Program]) -> None:
        given = {} if tasks is None else tasks
        if not isinstance(given, Mapping):
            raise MockRefused(f"tasks is an object of states and their outcomes, not {type(given).__name__}")
        programs = list(programs)
        known = _answerable(programs)
        self._always: dict[str, Outcome | TaskFunction] = {}
        self._lists: dict[str, _InOrder] = {}
        for name, outcomes in given.items():
            if name != EVERY_OTHER and name not in known:
                raise MockRefused(_no_such_state(str(name), known, programs))
            self._add(str(name), outcomes)

    def __call__(self, world: World, pending: Pending) -> Outcome | None:
        """What a dispatched attempt or child comes to; None for what the world answers itself."""
        found = self._take(world, pending)
        if found is None:
            return self._without(world, pending)
        return found if isinstance(found, Outcome) else _called(found, pending)

    @property
    def unused(self) -> dict[str, int]:
        """How many outcomes of each state's list were not used. What serves every try is not counted."""
        return {name: outcomes.left for name, outcomes in self._lists.items() if outcomes.left}

    def _add(self, name: str, outcomes: Any) -> None:
        where = f"tasks.{name}"
        if callable(outcomes):
            self._always[name] = outcomes
        elif isinstance(outcomes, list | tuple):
            self._lists[name] = _InOrder(
                each if callable(each) else outcome_of(each, f"{where}[{number}]")
                for number, each in enumerate(outcomes)
            )
        else:
            self._always[name] = outcome_of(outcomes, where)

    def _take(self, world: World, pending: Pending) -> Outcome | TaskFunction | None:
        # What the world answers itself is replaced only by an outcome given for that very state.
        own = self._answers_itself(world, pending)
        for name in (pending.state,) if own else (pending.state, EVERY_OTHER):
            if name in self._always:
                return self._always[name]
            if name in self._lists:
                found = self._lists[name].take(pending)
                if found is not None:
                    return found
        return None

    def _without(self, world: World, pending: Pending) -> Outcome | None:
        if pending.undo_of is not None:
            return Outcome()
        if pending.state not in self._lists and self._answers_itself(world, pending):
            return None
        more = ", or the child's definition in workflows" if pending.is_child else ""
        give = (
            f'give tasks={{"{pending.state}": [{{"output": ...}}]}}, or error and cause, or timed_out{more}'
        )
        raise UnmockedTask(
            self._found(pending), give, state=pending.state, input=pending.input, number=pending.number
        )

    @staticmethod
    def _answers_itself(world: World, pending: Pending) -> bool:
        if pending.is_child:
            return world.workflow(pending.name) is not None
        return pending.name in BUILT_IN and pending.undo_of is None

    def _found(self, pending: Pending) -> str:
        what = f"{'child workflow' if pending.is_child else 'activity'} {pending.name}"
        shown = orjson.dumps(pending.input).decode("utf-8", "replace")
        shown = shown if len(shown) <= 200 else shown[:197] + "..."
        at = f" of item {list(pending.item)}" if pending.item else ""
        if pending.state in self._lists:
            why = f"none of its {self._lists[pending.state].given} outcomes is left for try {pending.number}{at}"
        else:
            why = f"there is no outcome for it (try {pending.number}{at})"
        return f"state {pending.state} runs {what} with the input {shown}, but {why}"


def _called(function: TaskFunction, pending: Pending) -> Outcome:
    try:
        output = function(plain(pending.input, "the input"))
    except Exception as problem:  # noqa: BLE001 - what the author's function raises is the task's failure
        return failure_of(problem)
    if isinstance(output, Outcome):
        return output
    return Outcome(output=plain(output, f"tasks.{pending.state}: what the function returned"))


def _answerable(programs: Iterable[Program]) -> dict[str, None]:
    """The names of all states that run something, in the order of the definitions."""
    return {
        step.name: None
        for program in programs
        for machine in program.scopes.values()
        for step in machine.steps.values()
        if isinstance(step, TaskStep | CompensationStep | MapStep)
    } | {CANCEL_STEP.name: None}


def _no_such_state(name: str, known: Iterable[str], programs: Iterable[Program]) -> str:
    kinds = {
        step.name: step.word
        for program in programs
        for machine in program.scopes.values()
        for step in machine.steps.values()
    }
    if name in kinds:
        return f"tasks.{name}: {name} is a {kinds[name]} state, which runs no task"
    choices = [each for each in known if each != CANCEL_STEP.name]
    return f"tasks.{name}: there is no state {name!r} that runs a task. {did_you_mean(name, choices)}"
