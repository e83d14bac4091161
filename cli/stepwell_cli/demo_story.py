"""The demo's three devices: the events they send, what must become of them, and the comparison with what did.

The confirmations differ: one comes while it is waited for, one before (it is kept for the wait), one never.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell_cli.demo_activities import REFUSED_DEVICE, devices_in

OWNER_PATIENCE = "PT3S"
"""The shipped workflow gives the owner 48 hours; an input field lowers it for the device without an owner."""


@dataclass(frozen=True, slots=True)
class Story:
    """One device: its events at once and those once it waits, and what must come of it."""

    device: str
    title: str
    events: tuple[tuple[str, dict[str, Any]], ...]
    later: tuple[tuple[str, dict[str, Any]], ...]
    outcome: str
    accumulated: int
    undone: tuple[frozenset[str], ...]
    """Undone activities in order; those of one group in any order, since they were done side by side."""

    def instance_input(self) -> str:
        """The business key that its events carry."""
        return f"order-{self.device}"


@dataclass(frozen=True, slots=True)
class Told:
    """What was seen of a device in the end."""

    status: str
    path: tuple[str, ...]
    error: str | None
    accumulated: int
    undone: tuple[str, ...]


def _seen(device: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "DeviceSeen", {"orderId": f"order-{device}", **more}


def _confirmed(device: str) -> tuple[str, dict[str, Any]]:
    return "ExternalProcessComplete", {"orderId": f"order-{device}", "confirmedBy": "owner"}


def _measured(*values: float) -> tuple[tuple[str, dict[str, Any]], ...]:
    return tuple(("Telemetry", {"celsius": value}) for value in values)


STORIES = (
    Story(
        device="sensor-1",
        title="its owner confirms",
        events=(_seen("sensor-1"), *_measured(21.5, 21.7, 22.0)),
        later=(_confirmed("sensor-1"),),
        outcome="succeeded",
        accumulated=5,
        undone=(),
    ),
    Story(
        device="sensor-2",
        title="its owner never confirms",
        events=(_seen("sensor-2", confirmWithin=OWNER_PATIENCE), *_measured(19.0)),
        later=(),
        outcome="failed",
        accumulated=2,
        undone=(frozenset({"records.delete"}),),
    ),
    Story(
        device=REFUSED_DEVICE,
        title="the hub refuses to activate it",
        events=(_seen(REFUSED_DEVICE), *_measured(23.1, 23.4), _confirmed(REFUSED_DEVICE)),
        later=(),
        outcome="failed",
        accumulated=4,
        undone=(frozenset({"hub.remove", "routes.remove"}), frozenset({"records.delete"})),
    ),
)


def told(instance: dict[str, Any], history: list[dict[str, Any]], accumulated: int) -> Told:
    """What the API's answers say about a device."""
    steps = [step for entry in history for step in entry.get("trace", [])]
    path = [step["state"] for step in steps if step["type"].endswith("StateEntered")]
    undone = [step["undo"]["activity"] for step in steps if step["type"] == "CompensationStepSucceeded"]
    return Told(instance["status"], tuple(path), instance.get("error"), accumulated, tuple(undone))


def differences(story: Story, seen: Told) -> list[str]:
    """Where what happened is not what must happen; empty when all is right."""
    found = []
    if seen.status != story.outcome:
        found.append(f"{story.device} {seen.status} ({seen.error}), it should have {story.outcome}")
    if seen.accumulated != story.accumulated:
        found.append(f"{story.device} gathered {seen.accumulated} events, it should be {story.accumulated}")
    rest = list(seen.undone)
    for group in story.undone:
        first, rest = rest[: len(group)], rest[len(group) :]
        if set(first) != group:
            found.append(f"{story.device}: {', '.join(sorted(group))} should have been undone, not {first}")
    if rest:
        found.append(f"{story.device}: {', '.join(rest)} should not have been undone")
    return found


def differences_outside(data_dir: Path) -> list[str]:
    """What the activities left in the hub and the routing table, looked at without asking the engine."""
    good = {story.device for story in STORIES if story.outcome == "succeeded"}
    return [
        f"the {table} table has {sorted(found)}, it should be {sorted(good)}"
        for table in ("hub", "routes")
        if (found := devices_in(data_dir, table)) != good
    ]
