"""The activities of device onboarding, on a small SQLite file that stands for the real registry.

An activity may run twice (its worker may die after the work and before the answer), so each one is written to be
repeated: it does its work under the idempotency key, which is the same on every try.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from stepwell import ActivityContext, NonRetryable, activity

TABLES = """
CREATE TABLE IF NOT EXISTS registry (device TEXT PRIMARY KEY, model TEXT, serial TEXT);
CREATE TABLE IF NOT EXISTS certificates (certificate TEXT PRIMARY KEY, device TEXT, owner TEXT);
CREATE TABLE IF NOT EXISTS journal (key TEXT PRIMARY KEY, device TEXT, what TEXT, at INTEGER);
"""


@dataclass(frozen=True)
class Registration:
    """A registered device."""

    serial: str


@dataclass(frozen=True)
class Calibration:
    """What the first readings say."""

    readings: int
    mean: float


@dataclass(frozen=True)
class Certificate:
    """A device's certificate."""

    certificate: str


@dataclass(frozen=True)
class Hub:
    """Where the device is connected."""

    address: str


@contextmanager
def registry() -> Iterator[sqlite3.Connection]:
    """The registry, as one transaction. ONBOARDING_DB names the file."""
    path = os.environ.get("ONBOARDING_DB", "onboarding.sqlite")
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.executescript(TABLES)
        with connection:
            yield connection


def note(connection: sqlite3.Connection, context: ActivityContext, device: str, what: str) -> bool:
    """Write the step into the journal; False when an earlier try has done it already."""
    row = (context.idempotency_key, device, what)
    found = connection.execute("INSERT OR IGNORE INTO journal SELECT ?, ?, ?, count(*) FROM journal", row)
    return found.rowcount == 1


@activity("onboarding.register", timeout=30)
def register(device: str, model: str, context: ActivityContext) -> Registration:
    """Enter a device into the registry."""
    serial = f"SN-{device.upper()}"
    with registry() as db:
        note(db, context, device, "register")
        db.execute("INSERT OR REPLACE INTO registry VALUES (?, ?, ?)", (device, model, serial))
    return Registration(serial)


@activity("onboarding.unregister", compensates="onboarding.register", timeout=30)
def unregister(device: str, serial: str, context: ActivityContext) -> None:
    """Take a device out of the registry again."""
    with registry() as db:
        note(db, context, device, "unregister")
        db.execute("DELETE FROM registry WHERE device = ? AND serial = ?", (device, serial))


@activity("onboarding.calibrate", timeout=30)
def calibrate(events: list[dict[str, Any]]) -> Calibration:
    """The mean of the readings that came before and while the owner was waited for."""
    celsius = [event["data"]["celsius"] for event in events if event["type"] == "Reading"]
    return Calibration(len(celsius), sum(celsius) / len(celsius) if celsius else 0.0)


@activity("onboarding.issue_certificate", timeout=30)
def issue_certificate(device: str, owner: str, context: ActivityContext) -> Certificate:
    """Give the device a certificate in its owner's name."""
    certificate = f"cert-{device}-{owner}"
    with registry() as db:
        note(db, context, device, "issue certificate")
        db.execute("INSERT OR REPLACE INTO certificates VALUES (?, ?, ?)", (certificate, device, owner))
    return Certificate(certificate)


@activity("onboarding.revoke_certificate", compensates="onboarding.issue_certificate", timeout=30)
def revoke_certificate(certificate: str, context: ActivityContext) -> None:
    """Take the certificate back."""
    with registry() as db:
        note(db, context, context.device or "", "revoke certificate")
        db.execute("DELETE FROM certificates WHERE certificate = ?", (certificate,))


@activity("onboarding.connect_hub", timeout=30)
def connect_hub(device: str, model: str, certificate: str, context: ActivityContext) -> Hub:
    """Connect the device to its hub. A recalled model is refused, and trying again would not help."""
    if model.endswith("recalled"):
        raise NonRetryable("ModelRecalled", f"{model} may not be connected")
    with registry() as db:
        note(db, context, device, "connect hub")
    return Hub(f"hub.example/{device}?with={certificate}")
