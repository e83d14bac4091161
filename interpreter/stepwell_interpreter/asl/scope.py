"""What the expressions of an ASL state see, and how they fail with AWS's names and words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.scope import MISSING


class AslFailure(StateFailure):
    """A failure as AWS tells it. With `evaluation` the history gets an `EvaluationFailed` event, at `location`."""

    def __init__(
        self, error: str, cause: str, *, location: str | None = None, evaluation: bool = False
    ) -> None:
        super().__init__(error, cause)
        self.location = location
        self.evaluation = evaluation


@dataclass(slots=True)
class AslScope:
    """The names in scope for one expression of one state; made per use and dropped after it.

    `data` is what `$` is: the state's input, or what the step before in the data flow has made of it (in a
    ResultSelector the result). `input` stays the state's raw input (`$states.input`). `variables` and `context`
    are called only where an expression needs them. `now_ms` is the record's time: the only clock there is.
    """

    state: str
    entered: int
    """The number of the history event by which the state was entered; AWS names it in causes."""
    data: Any
    input: Any
    variables: Callable[[], Mapping[str, Any]]
    context: Callable[[], Mapping[str, Any]]
    now_ms: int
    seed: str
    result: Any = MISSING
    error: Any = MISSING
    """`{"Error": ..., "Cause": ...}` in a Catch."""
    counter: int = 0
    spend: Callable[[int], None] = lambda steps: None
    """Counts work of the decision. Raises StateFailure where one record makes for too much."""

    def draw(self) -> bytes:
        """The next 16 bytes of chance: the same for the same seed and number of draws before."""
        number = self.counter
        self.counter = number + 1
        return blake2b(f"{self.seed}\0{number}".encode(), digest_size=16).digest()

    def failure(
        self, error: str, text: str, *, location: str | None = None, evaluation: bool = False
    ) -> AslFailure:
        """A failure whose cause begins as AWS begins it, with the state and the event that entered it."""
        cause = (
            f"An error occurred while executing the state '{self.state}' "
            f"(entered at the event id #{self.entered}). {text}"
        )
        return AslFailure(error, cause, location=location, evaluation=evaluation)
