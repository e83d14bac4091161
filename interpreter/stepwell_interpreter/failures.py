"""The two ways an expression goes wrong, and the error names of the machine.

`StateFailure` is a signal inside this package: `decide` turns it into a value, it never leaves the room.
`CompileProblem` says that a definition is wrong. The names and matching rules are those of the Amazon States
Language (https://states-language.net/#error-names).
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

ALL: Final = "States.ALL"
TIMEOUT: Final = "States.Timeout"
HEARTBEAT_TIMEOUT: Final = "States.HeartbeatTimeout"
TASK_FAILED: Final = "States.TaskFailed"
PERMISSIONS: Final = "States.Permissions"
PARAMETER_PATH_FAILURE: Final = "States.ParameterPathFailure"
RESULT_PATH_MATCH_FAILURE: Final = "States.ResultPathMatchFailure"
NO_CHOICE_MATCHED: Final = "States.NoChoiceMatched"
BRANCH_FAILED: Final = "States.BranchFailed"
INTRINSIC_FAILURE: Final = "States.IntrinsicFailure"
ITEM_READER_FAILED: Final = "States.ItemReaderFailed"
EXCEED_TOLERATED_FAILURE_THRESHOLD: Final = "States.ExceedToleratedFailureThreshold"
DATA_LIMIT_EXCEEDED: Final = "States.DataLimitExceeded"
QUERY_EVALUATION_ERROR: Final = "States.QueryEvaluationError"
RUNTIME: Final = "States.Runtime"

MACHINE_ERRORS: Final = frozenset(
    {
        TIMEOUT,
        HEARTBEAT_TIMEOUT,
        TASK_FAILED,
        PERMISSIONS,
        PARAMETER_PATH_FAILURE,
        RESULT_PATH_MATCH_FAILURE,
        NO_CHOICE_MATCHED,
        BRANCH_FAILED,
        INTRINSIC_FAILURE,
        ITEM_READER_FAILED,
        EXCEED_TOLERATED_FAILURE_THRESHOLD,
        DATA_LIMIT_EXCEEDED,
        QUERY_EVALUATION_ERROR,
        RUNTIME,
    }
)
"""The names the machine raises itself; `States.ALL` is only a pattern."""

_CANDIDATES = 1_000


class StateFailure(Exception):
    """An expression failed while the workflow ran: an error name and a cause for people."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class CompileProblem(Exception):
    """The definition is wrong. `pointer` is a JSON pointer into the compiled value; "" is that value."""

    def __init__(self, code: str, pointer: str, message: str, help: str = "") -> None:
        super().__init__(f"{pointer or '/'}: {message}")
        self.code = code
        self.pointer = pointer
        self.message = message
        self.help = help

    def below(self, pointer: str) -> "CompileProblem":
        """The same problem, seen from a value that holds the compiled one at `pointer`."""
        return CompileProblem(self.code, pointer + self.pointer, self.message, self.help)


def matches_error(names: Sequence[str], error: str | None) -> bool:
    """Whether a `retry` or `catch` that lists `names` takes `error`.

    `States.Runtime` ends an execution whatever it catches, even by that name, as AWS does it. Else a name takes
    itself, `States.ALL` everything, and `States.TaskFailed` everything but `States.Timeout`. None has no name.
    """
    if error == RUNTIME:
        return False
    for name in names:
        if name in (error, ALL):
            return True
        if name == TASK_FAILED and error != TIMEOUT:
            return True
    return False


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was probably meant to be, or None where nothing comes near."""
    candidates = list(islice(choices, _CANDIDATES))
    folded: dict[str, str] = {}
    for candidate in candidates:
        folded.setdefault(candidate.casefold(), candidate)
    if word.casefold() in folded:
        return folded[word.casefold()]
    found = get_close_matches(word[:100], candidates, n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A sentence naming the nearest choice, or all of them where none is near and they are few."""
    known = sorted(islice(choices, _CANDIDATES))
    near = nearest(word, known)
    if near is not None:
        return f"Did you mean `{near}`?"
    if not known:
        return ""
    shown = ", ".join(f"`{name}`" for name in known[:30])
    return f"Allowed: {shown}{' and more' if len(known) > 30 else ''}."


def pointer_to(pointer: str, *members: str | int) -> str:
    """`pointer` extended by members, escaped as in RFC 6901."""
    for member in members:
        pointer += "/" + str(member).replace("~", "~0").replace("/", "~1")
    return pointer
