"""The demo's own activities: a hub and a routing table, kept as small files so that the demo can check what is there.

They are what a user would write: plain functions, named, with types. Each may run twice and gives the same result.
"""

import json
from pathlib import Path

from pydantic import BaseModel
from stepwell_activities.context import ActivityContext
from stepwell_activities.decorator import activity
from stepwell_activities.errors import ActivityError

REFUSED_DEVICE = "sensor-3"
"""The hub refuses to activate this one."""


class DeviceInput(BaseModel):
    """What most of these need to know."""

    device: str


class HubEntry(BaseModel):
    """A device and its record."""

    device: str
    record: str


@activity("hub.register", timeout=10)
def register(entry: HubEntry, context: ActivityContext) -> HubEntry:
    """Put a device into the hub."""
    _write(context, "hub", entry.device, entry.model_dump())
    return entry


@activity("hub.remove", compensates="hub.register", timeout=10)
def remove(entry: DeviceInput, context: ActivityContext) -> DeviceInput:
    """Take a device out of the hub."""
    _file(context, "hub", entry.device).unlink(missing_ok=True)
    return entry


@activity("hub.activate", timeout=10)
def activate(entry: DeviceInput, context: ActivityContext) -> DeviceInput:
    """Switch a device on. ActivationRefused for the one the demo has fail."""
    if entry.device == REFUSED_DEVICE:
        raise ActivityError("ActivationRefused", f"the hub does not trust the certificate of {entry.device}")
    return entry


@activity("routes.create", timeout=10)
def create_route(entry: DeviceInput, context: ActivityContext) -> DeviceInput:
    """Send the device's messages on."""
    _write(context, "routes", entry.device, {"to": f"telemetry/{entry.device}"})
    return entry


@activity("routes.remove", compensates="routes.create", timeout=10)
def remove_route(entry: DeviceInput, context: ActivityContext) -> DeviceInput:
    """Stop sending the device's messages on."""
    _file(context, "routes", entry.device).unlink(missing_ok=True)
    return entry


def devices_in(data_dir: Path, table: str) -> set[str]:
    """The devices in a table, `hub` or `routes`."""
    return {file.stem for file in (data_dir / table).glob("*.json")}


def _write(context: ActivityContext, table: str, device: str, entry: dict[str, str]) -> None:
    file = _file(context, table, device)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(entry), encoding="utf-8")


def _file(context: ActivityContext, table: str, device: str) -> Path:
    return Path(context.settings.data_dir) / table / f"{device}.json"
