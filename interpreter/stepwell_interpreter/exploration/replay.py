"""From a state's number back to the run that leads to it, told stimulus by stimulus."""

from typing import Any

from stepwell_schemas.instance import TERMINAL, Frame, Instance, new_instance

from stepwell_interpreter.decide import decide
from stepwell_interpreter.exploration.abstraction import Model
from stepwell_interpreter.exploration.moves import Move, Moves, Timers
from stepwell_interpreter.exploration.report import Stimulus
from stepwell_interpreter.exploration.search import DEVICE, Found, after_commands

Trace = tuple[tuple[Stimulus, ...], Instance, tuple[Move, ...]]


def trace_of(model: Model, moves: Moves, found: Found, number: int) -> Trace:
    """The stimuli that lead to a state, the instance as it is then, and the moves themselves."""
    path: list[Move] = []
    while number >= 0:
        path.append(found.moves[number])
        number = found.parents[number]
    path.reverse()
    instance = blank(model)
    timers: Timers = ()
    elapsed = 0
    told: list[Stimulus] = []
    for move in path:
        before = instance
        record = moves.record(before, move)
        try:
            decision = decide(model.program, before, record)
        except Exception as error:  # noqa: BLE001 - the fault of ours that this trace is about
            told.append(told_move(moves, before, move, elapsed, (f"engine error {error!r}",)))
            break
        instance = decision.instance
        timers, elapsed = after_commands(timers, elapsed, move, record, decision)
        told.append(told_move(moves, before, move, elapsed, standing(instance)))
    return tuple(told), instance, tuple(path)


def blank(model: Model) -> Instance:
    """An instance that has not begun."""
    program = model.program
    return new_instance(
        id="explored", definition=program.id, version=program.version, program=program.hash, device=DEVICE
    )


def standing(instance: Instance) -> tuple[str, ...]:
    """Where an instance stands; its status where it has ended."""
    if instance.status in TERMINAL:
        return (instance.status,)
    frames = [frame for frame in instance.frames.values() if frame.phase != "join"]
    return tuple(dict.fromkeys(frame.state for frame in frames))


def told_move(
    moves: Moves, before: Instance, move: Move, elapsed: int, leads_to: tuple[str, ...]
) -> Stimulus:
    """A move as a report tells it."""
    frame = before.frames.get(move.frame)
    name = _name(frame, move)
    error = move.name if move.kind in ("failed", "child", "callback") and move.name else None
    return Stimulus(
        kind=move.kind,
        text=_text(frame, move, name, error),
        at_ms=elapsed,
        state=None if frame is None else frame.state,
        frame=None if frame is None else frame.id,
        iteration=iteration_of(before, frame),
        undo=None if frame is None or frame.phase not in ("undo", "backoff") else _undone(frame),
        name=name,
        value=moves.value(before, move),
        error=error,
        compensate=move.kind == "cancelled" and move.name == "compensate",
        leads_to=leads_to,
    )


def iteration_of(instance: Instance, frame: Frame | None) -> tuple[int, ...]:
    """The numbers of the items a frame runs for, from the outermost map inwards."""
    numbers: list[int] = []
    while frame is not None:
        if frame.index is not None:
            numbers.append(frame.index)
        frame = None if frame.parent is None else instance.frames.get(frame.parent)
    return tuple(reversed(numbers))


def _undone(frame: Frame) -> str | None:
    current: dict[str, Any] = frame.work.get("current", {})
    state: str | None = current.get("state")
    return state


def _name(frame: Frame | None, move: Move) -> str | None:
    if move.kind == "event":
        return move.name
    if move.kind in ("timer", "retried", "timedOut"):
        return move.name
    if frame is None:
        return None
    name: str | None = frame.work.get("activity") or frame.work.get("child")
    return name


def _text(frame: Frame | None, move: Move, name: str | None, error: str | None) -> str:
    state = "" if frame is None else frame.state
    match move.kind:
        case "start":
            return "the instance starts"
        case "cancelled":
            return "the instance is cancelled" + (", with compensation" if move.name == "compensate" else "")
        case "event":
            return f"{state}: event {name} comes"
        case "retried":
            return f"{state}: the pause is over, the next try begins"
        case "timedOut":
            return f"{state}: no answer in time ({'heartbeat' if name == 'heartbeat' else 'timeout'})"
        case "timer":
            return f"{state}: {_TIMERS.get(name or '', name)}" if state else "configuration.timeout passes"
        case _:
            what = {"callback": "the callback", "child": "the child workflow"}.get(move.kind, name)
            return f"{state}: {what} fails with {error}" if error else f"{state}: {what} completes"


_TIMERS = {"wait": "the time has come", "timeout": "the timeout passes", "silence": "the silence has lasted"}
