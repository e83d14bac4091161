"""The trace: what a decision did, in the field's words, as JSON objects `{type, state, frame, ...details}`."""

from typing import Any

from stepwell_schemas.instance import Frame

from stepwell_interpreter.draft import Draft


def note(draft: Draft, type: str, frame: Frame, **details: Any) -> None:
    """Something happened in a frame's state."""
    draft.trace.append({"type": type, "state": frame.state, "frame": frame.id, **details})


def note_execution(draft: Draft, type: str, **details: Any) -> None:
    """Something happened to the instance as a whole."""
    draft.trace.append({"type": type, **details})
