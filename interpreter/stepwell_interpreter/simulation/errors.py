"""What can go wrong with a simulation itself. A workflow that fails is a result, never one of these.

SimulationError
├── DefinitionRefused   the definition has problems that keep it from running
├── InputRefused        the input is not what the definition's `input` schema asks for
├── MockRefused         an outcome, event, moment or option that was given is wrong
│   └── NoDefinition    what was given as a definition is neither document nor text nor path; a TypeError too
├── UnmockedTask        a task came up for which no outcome was given (or none is left)
└── SimulationLimit     it does not come to an end: too many records, or too many in one moment
"""

from collections.abc import Sequence
from typing import Any

from stepwell_schemas.problems import Problem

SHOWN = 20


class SimulationError(Exception):
    """The simulation cannot be carried out as it was asked for."""


class DefinitionRefused(SimulationError):
    """The definition cannot run. `problems` has all that is wrong, with file, line and column."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity == "error"]
        more = f"\n  and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        lines = "".join(f"\n  {problem}" for problem in errors[:SHOWN])
        super().__init__(f"the definition is refused:{lines}{more}")


class InputRefused(SimulationError):
    """The input does not fit. `pointer` is a JSON pointer into it."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(f"the input is refused: {message} (at {pointer or '/'})")
        self.message = message
        self.pointer = pointer


class MockRefused(SimulationError):
    """Something given to the simulation is wrong."""


class NoDefinition(MockRefused, TypeError):
    """What was given as a definition (or a state) cannot be one: None, a number, a list."""

    def __init__(self, given: object, what: str = "a definition") -> None:
        kind = "None" if given is None else f"{given!r:.60} ({type(given).__name__})"
        super().__init__(
            f"{what} is a document (a dict), its YAML or JSON text (str or bytes), "
            f"or a path (a pathlib.Path, or a text that ends in .yaml, .yml or .json), not {kind}"
        )


class UnmockedTask(SimulationError):
    """A task has no outcome. `state`, `input` and `number` (of the try) say which; the message what to give in Python.

    `found` is the message without that, for those who take outcomes in another form.
    """

    def __init__(self, found: str, give: str, *, state: str, input: Any, number: int) -> None:
        super().__init__(f"{found}: {give}")
        self.found = found
        self.state = state
        self.input = input
        self.number = number


class SimulationLimit(SimulationError):
    """The simulation does not come to an end within its bounds."""


def require(value: object, kinds: type | tuple[type, ...], what: str, wanted: str) -> None:
    """Raises MockRefused where an argument is of another kind; None is an argument that was not given."""
    if value is not None and not isinstance(value, kinds):
        raise MockRefused(f"{what} must be {wanted}, not {type(value).__name__}")
