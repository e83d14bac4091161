"""Regular expressions that strangers write, in JSON Schemas: matched by RE2, in time linear in the text.

Python's `re` can take for ever over a pattern such as `^(a+)+$`. What RE2 cannot do in linear time (looking ahead or
behind, references back to a group) it refuses, and so do we, when the definition is uploaded.
"""

from functools import lru_cache
from typing import Any, Final

import re2

MAX_PATTERN: Final = 1_000
"""Characters of one pattern."""

_MEMORY: Final = 8 << 20
"""Bytes that RE2 may use for one pattern; beyond that it is refused."""


class PatternRefused(ValueError):
    """The pattern is no regular expression, or one that cannot be matched in linear time. The message says which."""


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Any:
    """The compiled pattern; its `search(text)` looks anywhere in a text. Raises PatternRefused."""
    if len(text) > MAX_PATTERN:
        raise PatternRefused(f"has {len(text)} characters; {MAX_PATTERN} are allowed")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else "cannot be compiled"
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternRefused(
            f"is not a regular expression that can be matched in linear time: {shown} "
            "(looking ahead or behind and references back are not allowed)"
        ) from error


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. Raises PatternRefused."""
    try:
        return compile_pattern(pattern).search(text) is not None
    except UnicodeEncodeError:
        return False  # half a surrogate pair: no text that JSON could carry
