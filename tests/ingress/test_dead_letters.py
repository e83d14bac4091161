"""Dead letters: none is lost before what it holds is durable again, and none goes without a name."""

import logging
from typing import Any

import orjson
import pytest
from api_world import at_door, cloud_event
from stepwell_ingress import dead_letters
from stepwell_ingress.errors import NotReplayable, UnknownLetter
from stepwell_store.batches import START, Commit
from stepwell_store.memory_store import MemoryStore


def store_with(*bodies: dict[str, Any]) -> MemoryStore:
    """A store whose only partition holds these dead letters."""
    store = MemoryStore("test", 1)
    owned = store.acquire(0, "test", 60_000)
    assert owned is not None
    dead = [orjson.dumps({"message": "why", "time_ms": 1, **body}) for body in bodies]
    store.commit([Commit(0, owned.epoch, owned.revision, "t", 1, START, START, dead=dead)])
    return store


def only_id(store: MemoryStore) -> str:
    ((letter,), _) = dead_letters.list_letters(store, 10, None)
    return letter.id


def test_a_replayed_event_is_at_the_door_again_and_its_letter_is_gone() -> None:
    store = store_with({"reason": "schema", "event": cloud_event("7")})
    id = only_id(store)
    replayed = dead_letters.replay(store, id, None, 0)
    (entry,) = store.read("0-0", {}, 10, None).door
    assert (entry.id, entry.fields[b"replay"]) == (replayed.position, b"1")
    with pytest.raises(UnknownLetter):
        dead_letters.find(store, id)


def test_an_edited_event_goes_in_the_place_of_the_first() -> None:
    store = store_with({"reason": "notJson", "raw": "{broken"})
    dead_letters.replay(store, only_id(store), cloud_event("8"), 0)
    assert [event["id"] for event in at_door(store)] == ["8"]


def test_a_letter_whose_event_is_still_wrong_stays() -> None:
    store = store_with({"reason": "noDevice", "event": cloud_event("7", subject=None)})
    id = only_id(store)
    with pytest.raises(NotReplayable) as raised:
        dead_letters.replay(store, id, None, 0)
    assert raised.value.pointer == "/subject"
    assert dead_letters.find(store, id).reason == "noDevice"
    assert store.door_length() == 0


def test_a_letter_that_holds_a_record_goes_back_to_its_inbox() -> None:
    record = {"kind": "CancelRequested", "time_ms": 0, "reason": "", "actor": None, "compensate": False}
    store = store_with({"reason": "quarantineFull", "instance": "x~0", "record": record})
    dead_letters.replay(store, only_id(store), None, 0)
    (entry,) = store.read(None, {0: START}, 10, None).inboxes[0]
    assert orjson.loads(entry.fields[b"r"]) == {"op": "deliver", "instance": "x~0", "record": record}


def test_a_discarded_letter_is_gone_and_says_who_and_why_in_the_audit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = store_with({"reason": "schema", "event": cloud_event("7")})
    with caplog.at_level(logging.INFO, "stepwell.audit"):
        dead_letters.discard(store, only_id(store), by="anna", reason="a test device")
    entry = orjson.loads(caplog.messages[0])
    assert (entry["by"], entry["why"], entry["event"]["id"]) == ("anna", "a test device", "7")
    assert dead_letters.list_letters(store, 10, None) == ([], None)


@pytest.mark.parametrize(("by", "reason"), [("", "why"), (" ", "why"), ("anna", "")])
def test_nothing_is_discarded_without_a_name_and_a_reason(by: str, reason: str) -> None:
    store = store_with({"reason": "schema", "event": cloud_event("7")})
    with pytest.raises(ValueError, match="named person"):
        dead_letters.discard(store, only_id(store), by=by, reason=reason)
    assert only_id(store)


@pytest.mark.parametrize("id", ["", "x", "0-1-1", "99-1-1", "-1-1-1", "0-1", "../../etc"])
def test_an_id_that_is_no_letter_is_unknown(id: str) -> None:
    with pytest.raises(UnknownLetter):
        dead_letters.find(MemoryStore("test", 1), id)


def test_letters_are_listed_newest_first_page_by_page() -> None:
    store = store_with(*({"reason": f"r{n}", "raw": "x"} for n in range(5)))
    first, cursor = dead_letters.list_letters(store, 3, None)
    second, end = dead_letters.list_letters(store, 3, cursor)
    assert [letter.reason for letter in first + second] == ["r4", "r3", "r2", "r1", "r0"]
    assert end is None
