"""The order example: five orders, two of which come through; the others are undone, newest step first."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_to_end.harness import System

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "order-fulfilment"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    db = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    with System(activities=[EXAMPLE / "activities.py"], environment={"SHOP_DB": str(db)}) as running:
        assert running.deploy(EXAMPLE / "workflow.yaml")["problems"] == []
        running.push(orjson.loads(line) for line in (EXAMPLE / "events.ndjson").read_bytes().splitlines())
        for id in "12345":
            assert running.event(id, "/example/shop")["disposition"] == "started"
        yield running


def outcome(system: System, order: str) -> dict[str, Any]:
    return system.ended(system.instance_of(order)["instanceId"])


def rows(system: System, query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(system.environment["SHOP_DB"])) as db:
        return [row[0] if len(row) == 1 else row for row in db.execute(query, values)]


def journal(system: System, order: str) -> list[str]:
    return rows(system, "SELECT what FROM journal WHERE orderid = ? ORDER BY at", order)


def test_an_order_is_reserved_charged_and_shipped(system: System) -> None:
    ended = outcome(system, "order-1")
    assert ended["status"] == "succeeded"
    assert ended["output"] == {
        "orderId": "order-1",
        "payment": "payment-order-1",
        "tracking": "parcel-order-1",
    }
    assert system.path(ended["instanceId"]) == ["ReserveStock", "Charge", "Ship", "Fulfilled"]
    assert journal(system, "order-1") == ["reserve", "charge", "ship"]
    assert rows(system, "SELECT cents FROM payments WHERE orderid = 'order-1'") == [3998]


def test_a_busy_payment_service_is_tried_again_and_charged_once(system: System) -> None:
    ended = outcome(system, "order-2")
    assert ended["status"] == "succeeded"
    steps = [step["type"] for step in system.trace(ended["instanceId"]) if step.get("state") == "Charge"]
    assert (steps.count("TaskRetried"), steps.count("TaskFailed"), steps.count("TaskSucceeded")) == (2, 2, 1)
    assert journal(system, "order-2").count("charge") == 1


def test_a_refused_card_is_not_tried_again_and_the_stock_goes_back(system: System) -> None:
    ended = outcome(system, "order-3")
    assert (ended["status"], ended["error"]) == ("failed", "OrderFailed")
    assert "the card of order-3 was refused" in ended["cause"]
    types = [step["type"] for step in system.trace(ended["instanceId"])]
    assert "TaskRetried" not in types
    assert journal(system, "order-3") == ["reserve", "release"]


def test_what_cannot_be_shipped_is_refunded_first_and_put_back_then(system: System) -> None:
    ended = outcome(system, "order-4")
    assert ended["error"] == "OrderFailed"
    assert system.path(ended["instanceId"]) == ["ReserveStock", "Charge", "Ship", "Undo", "NotFulfilled"]
    assert journal(system, "order-4") == ["reserve", "charge", "refund", "release"]
    assert rows(system, "SELECT refunded FROM payments WHERE orderid = 'order-4'") == [1]


def test_nothing_is_undone_where_nothing_was_done(system: System) -> None:
    ended = outcome(system, "order-5")
    assert ended["error"] == "OrderFailed"
    report = ended["state"]["undone"]
    assert (report["undone"], report["failed"]) == ([], [])
    assert journal(system, "order-5") == []


def test_the_stock_adds_up_after_all_orders(system: System) -> None:
    for order in range(1, 6):
        outcome(system, f"order-{order}")
    stock = dict(rows(system, "SELECT article, quantity FROM stock"))
    assert stock == {"lamp": 97, "chair": 50, "sofa": 2}


def test_an_order_may_be_started_by_request_as_well(system: System) -> None:
    line = {"article": "lamp", "quantity": 1, "cents": 100}
    order = {"orderId": "order-6", "lines": [line], "card": "refused", "address": "6 Main Street"}
    ended = system.ended(system.start("order-fulfilment", input=order, instanceId="by-request"))
    assert ended["error"] == "OrderFailed"
    assert journal(system, "order-6") == ["reserve", "release"]
