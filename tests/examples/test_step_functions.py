"""The Step Functions example: one order is delivered, one refused by the bank, one too large; nothing is rewritten."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_to_end.harness import System
from end_to_end.process import wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "step-functions"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    db = tmp_path_factory.mktemp("orders") / "orders.sqlite"
    with System(activities=[EXAMPLE / "activities.py"], environment={"ORDERS_DB": str(db)}) as running:
        table = orjson.dumps(orjson.loads((EXAMPLE / "resources.json").read_bytes())).decode()
        answer = running.http.post(
            "/definitions",
            content=(EXAMPLE / "order.asl.json").read_bytes(),
            params={"id": "orders", "version": "1.0.0", "resources": table},
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 201, answer.text
        yield running


def order(system: System, name: str, card: str, **lines: int) -> str:
    told = [{"article": article, "quantity": quantity} for article, quantity in lines.items()]
    return system.start("orders", input={"order": name, "card": card, "lines": told})


def rows(system: System, query: str) -> list[tuple[Any, ...]]:
    if not Path(system.environment["ORDERS_DB"]).exists():
        return []
    with closing(sqlite3.connect(system.environment["ORDERS_DB"], timeout=20)) as db:
        known = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        return list(db.execute(query)) if "letters" in known else []


def test_an_order_is_charged_at_the_second_try_and_delivered_when_the_carrier_calls(system: System) -> None:
    instance = order(system, "A1", "4242", lamp=2, chair=1)
    found = wait_until(
        lambda: rows(system, "SELECT token FROM letters WHERE orderid = 'A1'"),
        30,
        "the carrier has its letter",
    )
    assert found
    answer = system.http.post(f"/callbacks/{found[0][0]}", json={"output": {"parcel": "P-17"}})
    assert answer.status_code == 202
    assert system.ended(instance)["output"] == {
        "order": "A1",
        "receipt": "R-A1-22700",
        "picked": ["2 x lamp", "1 x chair"],
        "parcel": "P-17",
    }
    said = rows(system, "SELECT said FROM charges WHERE orderid = 'A1' ORDER BY attempt")
    assert said == [("busy",), ("charged",)]


def test_a_refused_card_is_caught(system: System) -> None:
    ended = system.ended(order(system, "A2", "stolen-7", lamp=1))
    assert ended["output"] == {"order": "A2", "why": "the bank refuses stolen-7"}


def test_an_order_that_is_too_large_fails_in_its_own_words(system: System) -> None:
    ended = system.ended(order(system, "A3", "4242", sofa=2))
    assert (ended["status"], ended["error"]) == ("failed", "OrderTooLarge")
    assert ended["cause"] == "179800 cents are more than we sell to strangers"
