"""What every compiler of ASL expressions shares: how a text is refused, and the words for languages and closures.

Compilation raises AslSyntax only; evaluation of what was compiled raises AslFailure or StateFailure only.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from stepwell_interpreter.asl.scope import AslScope

Language = Literal["JSONPath", "JSONata"]
Evaluate = Callable[[AslScope], Any]

JSONPATH: Final = "JSONPath"
JSONATA: Final = "JSONata"

SCHEMA_VALIDATION_FAILED: Final = "SCHEMA_VALIDATION_FAILED"
INVALID_JSONATA_EXPRESSION: Final = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED_JSONATA_EXPRESSION: Final = "UNSUPPORTED_JSONATA_EXPRESSION"


class AslSyntax(Exception):
    """An expression that AWS would refuse at creation. `pointer` is a JSON pointer into the compiled value.

    `message` and `code` are AWS's as far as they are known; `detail` says more where AWS's message says little.
    """

    def __init__(
        self, message: str, pointer: str = "", detail: str = "", code: str = SCHEMA_VALIDATION_FAILED
    ) -> None:
        super().__init__(f"{pointer}: {message}" if pointer else message)
        self.message = message
        self.pointer = pointer
        self.detail = detail
        self.code = code

    def below(self, pointer: str) -> "AslSyntax":
        """The same refusal, seen from a value that holds the compiled one at `pointer`."""
        return AslSyntax(self.message, pointer + self.pointer, self.detail, self.code)
