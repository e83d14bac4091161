"""What the state machine's Lambda functions and its queue are here: plain Python functions on ordinary workers.

The bank's journal and the carrier's letter box are tables of a small SQLite file: who reads the letter box finds the
token that completes the waiting task.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from stepwell import ActivityContext, ActivityError, NonRetryable, activity

PRICES = {"lamp": 4_900, "chair": 12_900, "sofa": 89_900}
TABLES = """
CREATE TABLE IF NOT EXISTS charges (key TEXT, attempt INTEGER, orderid TEXT, said TEXT, PRIMARY KEY (key, attempt));
CREATE TABLE IF NOT EXISTS letters (orderid TEXT PRIMARY KEY, token TEXT);
"""


@activity("orders.price", timeout=30)
def price(order: str, lines: list[dict[str, Any]], **others: Any) -> dict[str, int]:
    """What an order costs."""
    return {"cents": sum(PRICES[line["article"]] * line["quantity"] for line in lines)}


@activity("cards.charge", timeout=30)
def charge(order: str, cents: int, card: str, context: ActivityContext) -> dict[str, str]:
    """Charge a card. The bank is always busy at first, and takes no card that says `stolen`."""
    said = "refused" if "stolen" in card else "busy" if context.attempt == 1 else "charged"
    with _tables() as db:
        entry = (context.idempotency_key, context.attempt, order, said)
        db.execute("INSERT OR REPLACE INTO charges VALUES (?, ?, ?, ?)", entry)
    if said == "refused":
        raise NonRetryable("CardRefused", f"the bank refuses {card}")
    if said == "busy":
        raise ActivityError("BankBusy", "the bank asks for another try")
    return {"receipt": f"R-{order}-{cents}"}


@activity("shelves.pick", timeout=30)
def pick(order: str, line: dict[str, Any], number: int) -> str:
    """Take the articles of one line off the shelf."""
    return f"{line['quantity']} x {line['article']}"


@activity("carrier.ask", timeout=30)
def ask(QueueUrl: str, MessageBody: dict[str, str]) -> dict[str, str]:  # noqa: N803 - SQS's own words
    """Put the order and the token of the waiting task into the carrier's letter box."""
    with _tables() as db:
        letter = (MessageBody["order"], MessageBody["token"])
        db.execute("INSERT OR REPLACE INTO letters VALUES (?, ?)", letter)
    return {"MessageId": f"letter-{MessageBody['order']}"}


@contextmanager
def _tables() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(os.environ.get("ORDERS_DB", "orders.sqlite"), timeout=20)) as db, db:
        db.executescript(TABLES)
        yield db
