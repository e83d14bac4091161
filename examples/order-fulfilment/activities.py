"""The activities of order fulfilment, on a small SQLite file that stands for a warehouse and a payment service.

Each one may run twice and is written for it: what it does carries the idempotency key, the same on every try.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from stepwell import ActivityContext, ActivityError, NonRetryable, activity

TABLES = """
CREATE TABLE IF NOT EXISTS stock (article TEXT PRIMARY KEY, quantity INTEGER);
CREATE TABLE IF NOT EXISTS reservations (reservation TEXT, article TEXT, quantity INTEGER);
CREATE TABLE IF NOT EXISTS payments (payment TEXT PRIMARY KEY, orderid TEXT, cents INTEGER, refunded INTEGER);
CREATE TABLE IF NOT EXISTS journal (key TEXT PRIMARY KEY, orderid TEXT, what TEXT, at INTEGER);
INSERT OR IGNORE INTO stock VALUES ('lamp', 100), ('chair', 50), ('sofa', 2);
"""


@dataclass(frozen=True)
class Line:
    """One line of an order."""

    article: str
    quantity: int
    cents: int


@dataclass(frozen=True)
class Reservation:
    """Stock that is kept for an order, and what it costs."""

    reservation: str
    cents: int


@dataclass(frozen=True)
class Payment:
    """A payment that was taken."""

    payment: str


@dataclass(frozen=True)
class Shipment:
    """A parcel on its way."""

    tracking: str


@contextmanager
def shop() -> Iterator[sqlite3.Connection]:
    """Warehouse and payments, as one transaction. SHOP_DB names the file."""
    path = os.environ.get("SHOP_DB", "shop.sqlite")
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.executescript(TABLES)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def note(connection: sqlite3.Connection, context: ActivityContext, order: str, what: str) -> bool:
    """Write the step into the journal; False when an earlier try has done it already."""
    row = (context.idempotency_key, order, what)
    found = connection.execute("INSERT OR IGNORE INTO journal SELECT ?, ?, ?, count(*) FROM journal", row)
    return found.rowcount == 1


@activity("orders.reserve_stock", timeout=30)
def reserve_stock(order: str, lines: list[Line], context: ActivityContext) -> Reservation:
    """Take the articles out of stock, all or none."""
    reservation = f"reservation-{order}"
    with shop() as db:
        if note(db, context, order, "reserve"):
            for line in lines:
                _take(db, reservation, line)
    return Reservation(reservation, sum(line.cents * line.quantity for line in lines))


@activity("orders.release_stock", compensates="orders.reserve_stock", timeout=30)
def release_stock(reservation: str, context: ActivityContext) -> None:
    """Put the articles back."""
    with shop() as db:
        if note(db, context, reservation.removeprefix("reservation-"), "release"):
            rows = db.execute(
                "SELECT quantity, article FROM reservations WHERE reservation = ?", (reservation,)
            )
            db.executemany("UPDATE stock SET quantity = quantity + ? WHERE article = ?", rows.fetchall())
            db.execute("DELETE FROM reservations WHERE reservation = ?", (reservation,))


@activity("orders.charge", timeout=30)
def charge(order: str, card: str, cents: int, context: ActivityContext) -> Payment:
    """Take the money. A busy service is worth another try, a refused card is not."""
    if card == "refused":
        raise NonRetryable("PaymentRefused", f"the card of {order} was refused")
    if card == "busy-twice" and context.attempt <= 2:
        raise ActivityError("PaymentServiceBusy", f"try {context.attempt} for {order}: come back later")
    payment = f"payment-{order}"
    with shop() as db:
        if note(db, context, order, "charge"):
            db.execute("INSERT INTO payments VALUES (?, ?, ?, 0)", (payment, order, cents))
    return Payment(payment)


@activity("orders.refund", compensates="orders.charge", timeout=30)
def refund(payment: str, context: ActivityContext) -> None:
    """Give the money back."""
    with shop() as db:
        if note(db, context, payment.removeprefix("payment-"), "refund"):
            db.execute("UPDATE payments SET refunded = 1 WHERE payment = ?", (payment,))


@activity("orders.ship", timeout=30)
def ship(order: str, address: str, context: ActivityContext) -> Shipment:
    """Send the parcel."""
    if address == "nowhere":
        raise NonRetryable("AddressUnknown", f"nobody lives at {address!r}")
    with shop() as db:
        note(db, context, order, "ship")
    return Shipment(f"parcel-{order}")


def _take(connection: sqlite3.Connection, reservation: str, line: Line) -> None:
    taken = connection.execute(
        "UPDATE stock SET quantity = quantity - ? WHERE article = ? AND quantity >= ?",
        (line.quantity, line.article, line.quantity),
    )
    if taken.rowcount != 1:
        raise NonRetryable("OutOfStock", f"not enough {line.article} in stock for {line.quantity}")
    connection.execute(
        "INSERT INTO reservations VALUES (?, ?, ?)", (reservation, line.article, line.quantity)
    )
