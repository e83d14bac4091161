"""The activities of the fleet update, on a small SQLite file that stands for the devices.

Each one may run twice and is written for it: writing the same release to a device again changes nothing.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from stepwell import ActivityContext, NonRetryable, activity

FACTORY_RELEASE = "1.0.0"
TABLES = """
CREATE TABLE IF NOT EXISTS devices (device TEXT PRIMARY KEY, release TEXT);
CREATE TABLE IF NOT EXISTS journal (key TEXT PRIMARY KEY, device TEXT, what TEXT, at INTEGER);
"""


@dataclass(frozen=True)
class Verdict:
    """What a check says."""

    check: str


@dataclass(frozen=True)
class Current:
    """What a device runs."""

    release: str


@dataclass(frozen=True)
class Report:
    """How the fleet stands."""

    release: str
    updated: list[str]
    others: list[str]


@contextmanager
def fleet() -> Iterator[sqlite3.Connection]:
    """The devices, as one transaction. FLEET_DB names the file."""
    path = os.environ.get("FLEET_DB", "fleet.sqlite")
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.executescript(TABLES)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def note(connection: sqlite3.Connection, context: ActivityContext, device: str, what: str) -> None:
    """Write the step into the journal, once however often it is tried."""
    row = (context.idempotency_key, device, what)
    connection.execute("INSERT OR IGNORE INTO journal SELECT ?, ?, ?, count(*) FROM journal", row)


@activity("firmware.check_signature", timeout=30)
def check_signature(release: str) -> Verdict:
    """Whether the release is signed."""
    if "unsigned" in release:
        raise NonRetryable("Unsigned", f"{release} has no signature")
    return Verdict("signature")


@activity("firmware.scan", timeout=30)
def scan(release: str) -> Verdict:
    """Whether the release is free of what should not be in it."""
    if "infected" in release:
        raise NonRetryable("Infected", f"{release} holds what it should not")
    return Verdict("scan")


@activity("firmware.bench_test", timeout=30)
def bench_test(release: str) -> Verdict:
    """Whether the release runs on the bench."""
    return Verdict("bench")


@activity("firmware.current", timeout=30)
def current(device: str) -> Current:
    """What a device runs now."""
    with fleet() as db:
        found = db.execute("SELECT release FROM devices WHERE device = ?", (device,)).fetchone()
    return Current(found[0] if found else FACTORY_RELEASE)


@activity("firmware.install", timeout=60, heartbeat=20)
def install(device: str, release: str, context: ActivityContext) -> None:
    """Write the release to a device, block by block; each block is a sign of life, and a place to stop."""
    for block in range(4):
        context.heartbeat({"block": block})
    with fleet() as db:
        note(db, context, device, "install")
        db.execute("INSERT OR REPLACE INTO devices VALUES (?, ?)", (device, release))


@activity("firmware.verify", timeout=30)
def verify(device: str, release: str) -> None:
    """Whether the device came up with the release."""
    with fleet() as db:
        found = db.execute("SELECT release FROM devices WHERE device = ?", (device,)).fetchone()
    if found is None or found[0] != release or device.endswith("brittle"):
        raise NonRetryable("VerificationFailed", f"{device} did not come up with {release}")


@activity("firmware.restore", timeout=60)
def restore(device: str, release: str, context: ActivityContext) -> None:
    """Put back what the device had before."""
    with fleet() as db:
        note(db, context, device, "restore")
        db.execute("INSERT OR REPLACE INTO devices VALUES (?, ?)", (device, release))


@activity("firmware.report", timeout=30)
def report(release: str, devices: list[str]) -> Report:
    """Which of the devices have the release, read from the devices themselves."""
    with fleet() as db:
        rows = db.execute("SELECT device FROM devices WHERE release = ?", (release,))
        updated = {row[0] for row in rows}
    return Report(
        release,
        [device for device in devices if device in updated],
        [device for device in devices if device not in updated],
    )
