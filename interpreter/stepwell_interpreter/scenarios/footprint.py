"""What a run left behind: the states it entered as a tree, which parts of the definition it used, what it called.

Gathered from the traces of decisions. A frame's machine is not in the trace; it follows from the state its parent
frame stands in, which is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stepwell_schemas.commands import Command, RunActivity

from stepwell_interpreter.draft import ROOT
from stepwell_interpreter.program import ChoiceStep, MapStep, ParallelStep, Program, Step, SucceedStep
from stepwell_interpreter.scenarios.parts import Parts
from stepwell_interpreter.simulation.errors import SimulationLimit

MAX_VISITS = 200_000
"""States one run may enter; a record alone can enter thousands."""


@dataclass(slots=True)
class Visit:
    """A state that was entered. `inner`: the visits inside, by branch name or item index (as a text)."""

    state: str
    machine: str
    inner: dict[str, list["Visit"]] = field(default_factory=dict)


@dataclass(slots=True)
class Decision:
    """A choice state that was entered. `rule`: which of its rules held, None for the default; -1 while it is open."""

    machine: str
    state: str
    rule: int | None = -1


@dataclass(frozen=True, slots=True)
class ActivityCall:
    """An attempt of an activity (an undo included)."""

    activity: str
    state: str
    input: Any


class Footprint:
    """Follows one instance. Give it each decision's trace and commands, in order; it raises SimulationLimit."""

    def __init__(self, program: Program, parts: Parts, *, max_visits: int = MAX_VISITS) -> None:
        self.path: list[Visit] = []
        self.covered: set[str] = set()
        """JSON pointers of the states, transitions and error routes that were used."""
        self.calls: list[ActivityCall] = []
        self.decisions: list[Decision] = []
        """The choices that were made, in order, all threads of the instance together."""
        self._program = program
        self._parts = parts
        self._attempts: set[str] = set()
        self._sequences: dict[str, list[Visit]] = {ROOT: self.path}
        self._machines: dict[str, str] = {ROOT: ""}
        self._caught: set[str] = set()
        self._alternatives: dict[str, str | None] = {}
        self._timed_out: set[str] = set()
        self._deciding: dict[str, Decision] = {}
        self.visits = 0
        """How many states were entered, by all threads of the instance together."""
        self._max_visits = max_visits

    def follow(self, trace: Iterable[dict[str, Any]], commands: Iterable[Command]) -> None:
        """One decision."""
        for entry in trace:
            handler = _HANDLERS.get(entry["type"])
            if handler is not None:
                handler(self, entry)
            elif "frame" in entry and entry["type"].endswith("StateEntered"):
                self._entered(entry)
            elif "frame" in entry and entry["type"].endswith("StateExited"):
                self._exited(entry)
        for command in commands:
            if isinstance(command, RunActivity) and command.attempt not in self._attempts:
                self._attempts.add(command.attempt)
                self.calls.append(ActivityCall(command.activity, command.state, command.input))

    # -- one kind of entry each ----------------------------------------------------------------------------

    def _entered(self, entry: dict[str, Any]) -> None:
        frame, state = entry["frame"], entry["state"]
        machine = self._machines.get(frame)
        if machine is None or state not in self._program.scopes[machine].steps:
            return  # the undo of a cancelled instance stands in no state of the definition
        self.covered.add(self._parts.state(machine, state))
        self._timed_out.discard(frame)
        self._alternatives.pop(frame, None)
        self.visits += 1
        if self.visits > self._max_visits:
            raise SimulationLimit(
                f"more than {self._max_visits} states were entered, the last of them {state}"
            )
        self._sequences[frame].append(Visit(state, machine))
        if isinstance(self._program.scopes[machine].steps[state], ChoiceStep):
            decision = self._deciding[frame] = Decision(machine, state)
            self.decisions.append(decision)

    def _exited(self, entry: dict[str, Any]) -> None:
        frame = entry["frame"]
        if frame in self._caught:
            self._caught.discard(frame)
            return
        step = self._step(frame, entry["state"])
        if step is None or isinstance(step, SucceedStep):
            return
        if isinstance(step, ChoiceStep):
            self._deciding[frame].rule = entry.get("rule")
        used = self._parts.transition(
            self._machines[frame],
            step,
            rule=entry.get("rule"),
            alternative=self._alternatives.get(frame),
            timed_out=frame in self._timed_out,
        )
        self.covered.add(used)

    def _branch_started(self, entry: dict[str, Any]) -> None:
        frame, name = entry["frame"], entry["branch"]
        step = self._step(frame, entry["state"])
        if isinstance(step, ParallelStep):
            for number, (branch, machine) in enumerate(step.branches):
                if branch == name:
                    self._begin(frame, f"{frame}.{number}", machine, name)

    def _iteration_started(self, entry: dict[str, Any]) -> None:
        frame, index = entry["frame"], entry["index"]
        step = self._step(frame, entry["state"])
        if isinstance(step, MapStep):
            self._begin(frame, f"{frame}.{index}", step.machine, str(index))

    def _begin(self, parent: str, frame: str, machine: str, name: str) -> None:
        visits = self._sequences[parent]
        self._machines[frame] = machine
        inner: list[Visit] = []
        self._sequences[frame] = inner
        if visits:
            visits[-1].inner[name] = inner

    def _received(self, entry: dict[str, Any]) -> None:
        self._alternatives[entry["frame"]] = entry.get("wait")

    def _wait_timed_out(self, entry: dict[str, Any]) -> None:
        self._timed_out.add(entry["frame"])

    def _error_caught(self, entry: dict[str, Any]) -> None:
        frame = entry["frame"]
        self._caught.add(frame)
        step = self._step(frame, entry["state"])
        if step is not None:
            route = self._parts.error_route(
                self._machines[frame], step, entry["by"], entry["error"], entry["next"]
            )
            self.covered.add(route)

    def _retried(self, entry: dict[str, Any]) -> None:
        frame = entry["frame"]
        step = self._step(frame, entry["state"])
        if step is not None:
            self.covered.add(self._parts.retry(self._machines[frame], step, entry["error"]))

    def _step(self, frame: str, state: str) -> Step | None:
        machine = self._machines.get(frame)
        return None if machine is None else self._program.scopes[machine].steps.get(state)


_HANDLERS = {
    "ParallelBranchStarted": Footprint._branch_started,
    "MapIterationStarted": Footprint._iteration_started,
    "MapRunItemStarted": Footprint._iteration_started,
    "EventReceived": Footprint._received,
    "WaitTimedOut": Footprint._wait_timed_out,
    "ErrorCaught": Footprint._error_caught,
    "TaskRetried": Footprint._retried,
}
