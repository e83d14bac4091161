"""Secrets that get out: into a log or a notice, an address, an output, the cause of a failure.

A secret is what a schema marks as `sensitive: true`, `writeOnly: true` or `format: password`; `$hash` makes it none.
"""

import re
from typing import Final

from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.shapes import Shape, secrets

_TELLING: Final = re.compile(
    r"(^|[._:/-])(notify|notice|log|logger|logging|print|trace|audit|status|set_?status)($|[._:/-])",
    re.IGNORECASE,
)
_REQUESTING: Final = re.compile(r"(^|[._:/-])https?($|[._:/-])", re.IGNORECASE)
_IN_ADDRESSES: Final = ("url", "query")


def exposed_by_activity(activity: str, given: Shape, pointer: str, sink: Sink) -> None:
    """Tell of secrets in what an activity is given that shows it to others."""
    if _TELLING.search(activity):
        for name, member in given.members.items():
            _tell(member.shape, pointer_to(pointer, name), f"`{activity}`", sink)
        if given.secret:
            _tell(given, pointer, f"`{activity}`", sink)
    elif _REQUESTING.search(activity):
        for name in _IN_ADDRESSES:
            if name in given.members:
                where = f"the address that `{activity}` asks"
                _tell(given.members[name].shape, pointer_to(pointer, name), where, sink)


def exposed_by_end(given: Shape, pointer: str, where: str, sink: Sink) -> None:
    """Tell of a secret in an output or in what is said of a failure."""
    _tell(given, pointer, where, sink)


def _tell(shape: Shape, pointer: str, where: str, sink: Sink) -> None:
    if not sink.active:
        return
    found = next(secrets(shape), "")
    if found:
        sink.add("secret-exposed", pointer, f"the secret {found} flows to {where}")
