"""Documents that several tests of this room start from."""

from pathlib import Path
from typing import Any

HEAD = "id: sample\nversion: 1.0.0\nstartAt: A\n"

ONBOARDING = Path(__file__).with_name("onboarding.yaml").read_text(encoding="utf-8")
SMALLEST: dict[str, dict[str, Any]] = {
    "task": {"activity": "a"},
    "wait": {"duration": 5},
    "choice": {"choices": [{"variable": "$.x", "isPresent": True, "next": "A"}]},
    "parallel": {"branches": {"x": {"startAt": "A", "states": {"A": {"type": "succeed"}}}}},
    "map": {"items": "$.input", "startAt": "A", "states": {"A": {"type": "succeed"}}},
    "compensation": {},
    "pass": {},
    "succeed": {},
    "fail": {},
}
"""The least that each type of state must say, without its `type`."""


def definition(**states: Any) -> dict[str, Any]:
    """A small document of the given states that starts at the first."""
    return {"id": "sample", "version": "1.0.0", "startAt": next(iter(states)), "states": states}
