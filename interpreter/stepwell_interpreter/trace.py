"""The trace: what a decision did, in the field's words, as JSON objects `{type, state, frame, ...details}`."""

from typing import Any, Final

from stepwell_schemas.instance import Frame

from stepwell_interpreter.draft import Draft
from stepwell_interpreter.program import WORDS, Step

_KINDS: Final = [word for word in WORDS if word != "Compensation"]
NUMBERED: Final = frozenset(
    [f"{kind}State{what}" for kind in _KINDS for what in ("Entered", "Exited", "Aborted")]
    + [f"{kind}State{what}" for kind in ("Parallel", "Map") for what in ("Started", "Succeeded", "Failed")]
    + [f"Execution{what}" for what in ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")]
    + [f"Task{what}" for what in ("Scheduled", "Started", "Submitted", "Succeeded", "Failed", "TimedOut")]
    + [f"MapIteration{what}" for what in ("Started", "Succeeded", "Failed", "Aborted")]
    + [f"MapRun{what}" for what in ("Started", "Succeeded", "Failed")]
    + ["EvaluationFailed"]
)
"""The entries that are events of a Step Functions history, each of them one."""


def note(draft: Draft, type: str, frame: Frame, **details: Any) -> None:
    """Something happened in a frame's state."""
    _append(draft, frame, {"type": type, "state": frame.state, "frame": frame.id, **details})


def note_entered(draft: Draft, frame: Frame, step: Step) -> None:
    """A frame's state was entered."""
    entry: dict[str, Any] = {"type": step.word + "StateEntered", "state": frame.state, "frame": frame.id}
    step.data.entered(draft, frame, entry)
    _append(draft, frame, entry)


def note_exited(draft: Draft, frame: Frame, step: Step, next: str | None, **details: Any) -> None:
    """A frame's state was left for `next`, or at its machine's end."""
    entry = {"type": step.word + "StateExited", "state": frame.state, "frame": frame.id, **details}
    step.data.exited(frame, entry)
    entry["next"] = next
    _append(draft, frame, entry)


def note_execution(draft: Draft, type: str, **details: Any) -> None:
    """Something happened to the instance as a whole."""
    entry = {"type": type, **details}
    if draft.program.scopes[""].numbered:
        _number(draft, entry)
    draft.trace.append(entry)


def _append(draft: Draft, frame: Frame, entry: dict[str, Any]) -> None:
    if draft.program.scopes[frame.scope].numbered:
        _number(draft, entry)
    draft.trace.append(entry)


def _number(draft: Draft, entry: dict[str, Any]) -> None:
    if entry["type"] in NUMBERED:
        draft.instance.events = entry["event"] = draft.instance.events + 1
