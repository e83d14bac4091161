"""What a run has done so far, as `$.run` tells it: counted only where an assertion asks, and only as far as it matters.

`calls` are good answers; `effects` are tries that may have taken effect: answered well, or given up without an
answer; `executions` counts those once for all tries with the same idempotency key; `undone` are tasks undone, by the
task's own activity, `undoFailed` those whose undo was given up and reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_schemas.commands import CancelActivity
from stepwell_schemas.instance import Frame, Instance
from stepwell_schemas.records import ActivityCompleted, Record

from stepwell_interpreter.draft import Decision
from stepwell_interpreter.exploration.assertions import COUNTS, Assertions
from stepwell_interpreter.program import Program, TaskStep

Uncertain = frozenset[tuple[str, int]]
"""Frames and visits whose work may have taken effect already."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts in the order of `Counter.places`, and the executions that are counted but not over."""

    counts: tuple[int, ...]
    uncertain: Uncertain = frozenset()


class Counter:
    """Counts what the assertions of one definition ask for."""

    def __init__(self, program: Program, assertions: Assertions, compensates: Mapping[str, str]) -> None:
        self.places: Final = tuple(sorted(assertions.counted))
        self._index = {place: number for number, place in enumerate(self.places)}
        self._most = assertions.most
        self._program = program
        self._compensates = compensates
        self.zero: Final = Tally((0,) * len(self.places))

    def after(self, tally: Tally, before: Instance, record: Record, decision: Decision) -> Tally:
        """The tally after a decision."""
        if not self.places:
            return tally
        counts = list(tally.counts)
        uncertain = set(tally.uncertain)
        if isinstance(record, ActivityCompleted) and decision.answer == "accepted":
            frame = before.frames[record.attempt.partition("/")[0]]
            self._completed(counts, uncertain, before, frame)
        for command in decision.commands:
            if isinstance(command, CancelActivity):
                given_up = before.frames.get(command.attempt.partition("/")[0])
                if given_up is not None and given_up.work.get("token") == command.token:
                    self._given_up(counts, uncertain, given_up)
        for entry in decision.trace:
            if entry["type"] == "CompensationStepFailed":
                undone = self._task_of(before, entry["undo"])
                if undone is not None:
                    self._add(counts, "undoFailed", undone)
        alive = decision.instance.frames
        kept = {(id, visit) for id, visit in uncertain if id in alive and alive[id].visit == visit}
        return Tally(tuple(counts), frozenset(kept))

    def facts(self, tally: Tally, instance: Instance) -> Mapping[str, Any]:
        """`$.run`."""
        facts: dict[str, Any] = {
            "status": instance.status,
            "states": [frame.state for frame in instance.frames.values()],
            "error": instance.error,
            "output": instance.output,
        }
        for fact in COUNTS:
            facts[fact] = {}
        for (fact, activity), count in zip(self.places, tally.counts, strict=True):
            facts[fact][activity] = count
        return facts

    def _completed(
        self, counts: list[int], uncertain: set[tuple[str, int]], before: Instance, frame: Frame
    ) -> None:
        activity = frame.work["activity"]
        self._add(counts, "calls", activity)
        self._given_up(counts, uncertain, frame)
        undone = self._task_of(before, frame.work["current"]) if frame.phase == "undo" else None
        if undone is not None:
            self._add(counts, "undone", undone)

    def _given_up(self, counts: list[int], uncertain: set[tuple[str, int]], frame: Frame) -> None:
        activity = frame.work["activity"]
        self._add(counts, "effects", activity)
        if (frame.id, frame.visit) not in uncertain or frame.phase == "undo":
            self._add(counts, "executions", activity)
        uncertain.add((frame.id, frame.visit))

    def _task_of(self, before: Instance, undo: Mapping[str, Any]) -> str | None:
        """The activity of the task that an undo (`activity`, and `visit` or `step`) is for."""
        for entry in before.undo:
            if entry["visit"] == undo.get("visit"):
                step = self._program.scopes[entry["scope"]].steps[entry["state"]]
                return step.call.activity if isinstance(step, TaskStep) and step.call is not None else None
        return self._compensates.get(undo["activity"])

    def _add(self, counts: list[int], fact: str, activity: str) -> None:
        place = self._index.get((fact, activity))
        if place is not None:
            counts[place] = min(counts[place] + 1, self._most)
