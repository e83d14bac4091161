"""What a door may say to a sender.

IngressError
├── UnreadableBody     the body as a whole cannot be read as events (or is in no form we know)
├── EventsRefused      one or more events of the request are wrong; none of it was taken
├── DoorBusy           take a pause and send again: nothing was taken
├── UnknownLetter      there is no such dead letter
└── NotReplayable      the dead letter holds nothing that could be sent again
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_PROBLEMS = 100
"""Problems told of one request; the sender sees how many more there were."""


@dataclass(frozen=True, slots=True)
class EventProblem:
    """What is wrong with one event. `pointer` is a JSON pointer into that event, `index` its place."""

    index: int
    reason: str
    message: str
    pointer: str = ""


class IngressError(Exception):
    """A door refuses something."""


class UnreadableBody(IngressError):
    """`media` tells a form nobody could read from one that is only badly written."""

    def __init__(self, message: str, *, media: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.media = media


class EventsRefused(IngressError):
    """`problems` holds at most MAX_PROBLEMS of the `refused` events, out of `total`."""

    def __init__(self, problems: Sequence[EventProblem], refused: int, total: int) -> None:
        first = problems[0]
        super().__init__(f"event {first.index}: {first.message}")
        self.problems = list(problems)
        self.refused = refused
        self.total = total


class DoorBusy(IngressError):
    """Senders are faster than the engines, or the store has no room: wait `retry_after_seconds`."""

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds


class UnknownLetter(IngressError):
    """There is no such dead letter (any more)."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no dead letter {id[:80]!r}; it may have been replayed or discarded")
        self.id = id


class NotReplayable(IngressError):
    """The dead letter cannot be sent again as it is."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
