"""What must hold of every state an exploration reaches: our own invariants, and the author's.

A verdict is a finding without its trace. `key` makes it one of its kind: only the first, which has the shortest
trace, is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from stepwell_schemas.durations import format_ms
from stepwell_schemas.instance import TERMINAL, Instance

from stepwell_interpreter.exploration.assertions import Assertions, AssertionScope
from stepwell_interpreter.exploration.moves import MOMENT_MS, Move, Timers
from stepwell_interpreter.exploration.tally import Counter, Tally
from stepwell_interpreter.failures import (
    DATA_LIMIT_EXCEEDED,
    INTRINSIC_FAILURE,
    ITEM_READER_FAILED,
    NO_CHOICE_MATCHED,
    PARAMETER_PATH_FAILURE,
    QUERY_EVALUATION_ERROR,
    RESULT_PATH_MATCH_FAILURE,
    RUNTIME,
)
from stepwell_interpreter.program import Program

DATA_ERRORS: Final = frozenset(
    {
        RUNTIME,
        PARAMETER_PATH_FAILURE,
        RESULT_PATH_MATCH_FAILURE,
        INTRINSIC_FAILURE,
        QUERY_EVALUATION_ERROR,
        ITEM_READER_FAILED,
        DATA_LIMIT_EXCEEDED,
        NO_CHOICE_MATCHED,
    }
)
_CARRYING: Final = frozenset({"completed", "failed", "timedOut", "retried", "child"})
"""What comes by itself, so that an instance that waits for it goes on."""
_LOOP: Final = "states were entered without waiting for anything"
UNDO_FAILED: Final = "CompensationStepFailed"
TELLING: Final = frozenset(
    {"ErrorCaught", "ExecutionFailed", "ParallelBranchFailed", "MapIterationFailed", UNDO_FAILED}
)
"""Trace entries that may tell of such an error."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something is wrong in a state. `grave`: a violation, else a warning."""

    code: str
    key: tuple[Any, ...]
    message: str
    grave: bool = True
    assertion: str | None = None
    help: str | None = None


class Judge:
    """Judges one decision and the state it led to."""

    def __init__(
        self, program: Program, assertions: Assertions, counter: Counter, state_bytes: int, device: str
    ) -> None:
        self._program = program
        self._assertions = assertions
        self._counter = counter
        self._state_bytes = state_bytes
        self._device = device
        self._asked = {
            form: [each for each in assertions.compiled if each.form == form]
            for form in ("always", "never", "atEnd", "possible")
        }
        self.possible = {each.name for each in self._asked["possible"]}

    def told(self, entry: dict[str, Any]) -> Iterator[Verdict]:
        """What a trace entry of `TELLING` tells of errors that only a wrong definition makes."""
        error = entry.get("error")
        if error in DATA_ERRORS:
            yield from _data_error(entry, error)

    def state(
        self, instance: Instance, moves: list[Move], timers: Timers, tally: Tally, reported: frozenset[int]
    ) -> Iterator[Verdict]:
        """What is wrong with a state that is reached for the first time."""
        ended = instance.status in TERMINAL
        if ended:
            yield from self._end(instance, timers, reported)
        else:
            yield from _standstill(instance, moves)
        if instance.state_bytes > self._state_bytes:
            message = f"$.state has grown to {instance.state_bytes} bytes; {self._state_bytes} were allowed"
            yield Verdict("state-grows", _standing(instance), message, grave=False)
        if self._assertions.compiled:
            yield from self._asserted(instance, tally, ended)

    def _end(self, instance: Instance, timers: Timers, reported: frozenset[int]) -> Iterator[Verdict]:
        if timers or instance.frames:
            names = ", ".join(
                [what for _, _, what in timers] + [frame.state for frame in instance.frames.values()]
            )
            yield Verdict("left-over", ("left-over",), f"the instance has ended, but there is still {names}")
        lost = [entry for entry in instance.undo if entry["visit"] not in reported]
        if lost and self._program.compensates and instance.status in ("failed", "timedOut"):
            names = ", ".join(dict.fromkeys(entry["state"] for entry in lost))
            message = f"the instance ended as {instance.status}, and what {names} did was not undone"
            help = "lead every error to a compensation state before the fail state (catch, onError)"
            yield Verdict("lost-compensation", (instance.status, names), message, help=help)

    def _asserted(self, instance: Instance, tally: Tally, ended: bool) -> Iterator[Verdict]:
        scope = AssertionScope(
            input=instance.input, state=instance.state, system=self._system(instance),
            run=self._counter.facts(tally, instance),
        )  # fmt: skip
        asked = self._asked
        broken = [each for each in asked["always"] if each.applies(scope) and not each.holds(scope)]
        broken += [each for each in asked["never"] if each.applies(scope) and each.holds(scope)]
        if ended:
            broken += [each for each in asked["atEnd"] if each.applies(scope) and not each.holds(scope)]
        for each in broken:
            message = each.message or f"`{each.form}` of the assertion is broken"
            yield Verdict("assertion", (each.name,), f"{each.name}: {message}", assertion=each.name)
        if self.possible:
            for each in asked["possible"]:
                if each.name in self.possible and each.applies(scope) and each.holds(scope):
                    self.possible.discard(each.name)

    def _system(self, instance: Instance) -> dict[str, Any]:
        return {
            "now": format_ms(MOMENT_MS),
            "instanceId": instance.id,
            "definition": instance.definition,
            "version": instance.version,
            "startedAt": format_ms(MOMENT_MS),
            "device": self._device,
        }


def _data_error(entry: dict[str, Any], error: str) -> Iterator[Verdict]:
    state, cause = entry.get("state", ""), str(entry.get("cause") or "")
    if error == RUNTIME and _LOOP in cause:
        help = "let the loop wait, or bound it with a counter that a choice looks at"
        yield Verdict("endless-loop", (cause,), cause, help=help)
    else:
        where = f"{state}: " if state else ""
        yield Verdict("data-error", (error, state, cause), f"{where}{error}: {cause}", grave=False)


def _standstill(instance: Instance, moves: list[Move]) -> Iterator[Verdict]:
    """Nothing, or hardly anything, can move the instance on."""
    if any(move.kind in _CARRYING or (move.kind == "timer" and move.frame) for move in moves):
        return
    carrying = [move for move in moves if move.kind != "cancelled"]
    timed = [move for move in carrying if move.kind == "timer"]
    if timed and len(timed) < len(carrying):
        return
    states = ", ".join(
        dict.fromkeys(frame.state for frame in instance.frames.values() if frame.phase != "join")
    )
    if not carrying:
        wanted = sorted({wait.type for frame in instance.frames.values() for wait in frame.waits})
        why = f"no event {', '.join(wanted)} that can come fits" if wanted else "nothing is waited for"
        help = "give the wait a timeout and timeoutNext; check match, where and the event's schema"
        message = f"{states} can never be left: {why}, and no timer runs"
        yield Verdict("stuck", _standing(instance), message, help=help)
    elif timed:
        message = f"{states} is left only by configuration.timeout: no event that can come fits"
        yield Verdict("stuck", _standing(instance), message, help="check match, where and the event's schema")
    else:
        message = f"{states} waits for ever if nothing comes"
        help = "give the wait a timeout, or the whole workflow (configuration.timeout)"
        yield Verdict("waits-for-ever", _standing(instance), message, grave=False, help=help)


def _standing(instance: Instance) -> tuple[Any, ...]:
    return tuple(sorted((frame.scope, frame.state) for frame in instance.frames.values()))
