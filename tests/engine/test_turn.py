"""A turn is used again once its batch has it: nothing of what it was used for may stay in it."""

from typing import Any

import pytest
from stepwell_engine.cache import Cache
from stepwell_engine.loading import Loader
from stepwell_engine.turn import Batch, Disposition, Turn
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import new_instance
from stepwell_store.memory_store import MemoryStore

NOW = 1_750_000_000_000


@pytest.fixture
def batch() -> Batch:
    return Batch(0, Cache(1_000), Cache(1_000), Loader(MemoryStore(), lambda: None))


def parts(turn: Turn) -> dict[str, Any]:
    """Everything that a turn holds."""
    names = [name for name in dir(turn) if not name.startswith("_") and not callable(getattr(turn, name))]
    return {name: getattr(turn, name) for name in names}


def fill(turn: Turn) -> None:
    """Put something into every part of it."""
    event = DeviceEvent(id="e", source="/s", type="T", device="d", data=None, time=None, received_ms=NOW)
    turn.instances["i"] = new_instance(id="i", definition="w", version="1.0.0", program="", device="d")
    turn.device("d").append(7, NOW)
    turn.history.append(("i", b"{}"))
    turn.index.append(("i", "w", None, "running", NOW))
    turn.runs.append(("d", "i", NOW))
    turn.accumulated.append(("d", 1, b"{}"))
    turn.available.append(("d", 1, event))
    turn.consumed.append(("d", 1))
    turn.dropped["d"] = 1
    turn.timers[("i", "0/timeout")] = NOW
    turn.attempts["t"] = (b"{}", NOW)
    turn.outbox.append({"token": "t"})
    turn.dispositions.append(Disposition(event, b"key", "consumed", NOW, 1, ("i",)))
    turn.dead.append(b"{}")
    turn.reply({"channel": "c", "id": 1}, "ok")
    turn.unreserved.append("i")
    turn.lifted.add("i")
    turn.steps = 1
    turn.poison = {(1, "i"): ValueError()}


def test_a_turn_that_was_accepted_holds_nothing_of_it(batch: Batch) -> None:
    fresh, turn = parts(Turn(batch, NOW)), batch.turn(NOW)
    fill(turn)
    filled = parts(turn)
    stays = {"batch", "now_ms", "pending", "stepping"}  # an accepted turn has settled and stepped to its end
    assert {name for name in fresh if filled[name] == fresh[name]} == stays
    batch.accept(turn)
    again = batch.turn(NOW + 1)
    assert again is turn
    assert parts(again) == {**fresh, "now_ms": NOW + 1}


def test_what_it_held_is_the_batchs(batch: Batch) -> None:
    for number in range(2):
        turn = batch.turn(NOW)
        fill(turn)
        turn.consumed.clear()
        batch.accept(turn)
        assert len(batch.ledger) == number + 1
    writes = batch.close()
    assert list(writes.instances) == ["i"]
    assert writes.history == {"i": [b"{}", b"{}"]}
    assert writes.accumulated == {"d": [(1, b"{}"), (1, b"{}")]}
    assert (len(writes.index), len(writes.runs), len(writes.dead), len(writes.replies)) == (2, 2, 2, 2)
    assert (writes.timers, writes.attempts) == ({("i", "0/timeout"): NOW}, {"t": (b"{}", NOW)})
    assert (writes.unreserved, writes.dropped, writes.available) == (["i", "i"], {"d": 1}, {"d": [1, 1]})
    assert batch.outbox == [{"token": "t"}, {"token": "t"}]


def test_a_turn_in_hand_is_not_given_out_again(batch: Batch) -> None:
    batch.accept(batch.turn(NOW))
    turn = batch.turn(NOW)
    other = batch.turn(NOW)
    assert other is not turn
    batch.accept(other)
    assert batch.turn(NOW) is other
