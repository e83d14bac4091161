"""Activities of the crash tests: each body that runs leaves a row in a side table, so that bodies can be counted.

The workers import this file. LEDGER_DB names the table's file, LEDGER_GATE a file that lets blocked bodies go.
"""

import hashlib
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from stepwell import ActivityContext, activity

TABLE = "CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, key TEXT, device TEXT, state TEXT, amount INTEGER)"
GATE_SECONDS = 60.0
_never = threading.Event()


@activity("ledger.add", timeout=60)
def add(amount: int, context: ActivityContext) -> int:
    """Book an amount; the answer is the amount."""
    _book(context, amount)
    return amount


@activity("ledger.stuck_once", timeout=90)
def stuck_once(amount: int, context: ActivityContext) -> int:
    """The same, but the first body of each key stays in it until the gate opens; it is meant to be killed there."""
    if _book(context, amount) == 1:
        gate = Path(os.environ["LEDGER_GATE"])
        for _ in range(int(GATE_SECONDS * 50)):
            if gate.exists():
                break
            _never.wait(0.02)
    return amount


@activity("ledger.digest", timeout=60)
def digest(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Count and order of a device's readings, as one hash over their numbers."""
    numbers = [event["data"]["number"] for event in events if event["type"] == "Reading"]
    return {"count": len(numbers), "digest": digest_of(numbers)}


def digest_of(numbers: list[int]) -> str:
    """What both sides compute of a sequence."""
    return hashlib.blake2b(",".join(map(str, numbers)).encode(), digest_size=16).hexdigest()


def bodies(path: Path) -> list[tuple[str, str, str, int]]:
    """(idempotency key, device, state, amount) of every body that ran, oldest first."""
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.execute(TABLE)
        return list(connection.execute("SELECT key, device, state, amount FROM bodies ORDER BY id"))


def _book(context: ActivityContext, amount: int) -> int:
    """How many bodies of this key have run, this one included."""
    with closing(sqlite3.connect(os.environ["LEDGER_DB"], timeout=60)) as connection:
        connection.execute(TABLE)
        connection.execute("PRAGMA synchronous = OFF")
        row = (context.idempotency_key, context.device, context.state, amount)
        with connection:
            connection.execute("INSERT INTO bodies (key, device, state, amount) VALUES (?, ?, ?, ?)", row)
        return int(connection.execute("SELECT count(*) FROM bodies WHERE key = ?", row[:1]).fetchone()[0])
