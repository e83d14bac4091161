"""What is still to do while a record is applied. Items hold their frames; one that is gone by then is passed over."""

from typing import Any, NamedTuple

from stepwell_schemas.instance import Frame


class Enter:
    """A frame is to enter a state."""

    __slots__ = ("frame", "state")

    def __init__(self, frame: Frame, state: str) -> None:
        self.frame = frame
        self.state = state


class Ended(NamedTuple):
    """A frame has reached its machine's end; its parent, or the instance, is to be told."""

    frame: Frame
    result: Any = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    """An error may have no name, so the name does not tell."""


class Failed(NamedTuple):
    """A frame's state has failed. `alias` is another name that retries and catches may use for the error."""

    frame: Frame
    error: str | None
    cause: str | None
    alias: str | None = None
    attempted: bool = False
    """Whether something was tried that trying again may mend; a wrong path is not."""
