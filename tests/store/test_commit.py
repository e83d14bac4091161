"""A commit is applied whole, once, and only for the owner that saw the last one."""

import queue
import random
from typing import Any

import pytest
from msgpack import unpackb
from stepwell_store import commit_packing
from stepwell_store.batches import START, Commit
from stepwell_store.commit_packing import pack_commit
from stepwell_store.keys import Keys
from stepwell_store.memory_store import MemoryStore
from stepwell_store.positions import parse_position
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore
from store_batches import DAY, NOW, Owner, instance_json, own, request_start


def test_what_was_committed_is_loaded(store: Store) -> None:
    owner = own(store)
    owner.commit(
        instances={"i": b"{}", "j": b"[]"},
        devices={"d": b"{1}"},
        seen={b"key": b"done"},
        history={"i": [b"1"]},
    )
    loaded = owner.load(instances=["i", "j", "none"], devices=["d", "none"], seen=[b"key", b"none"])
    assert loaded.instances == {"i": b"{}", "j": b"[]"}
    assert loaded.devices == {"d": b"{1}"}
    assert loaded.seen == {b"key": b"done"}
    assert store.instance(0, "i") == b"{}"
    assert store.device(0, "d") == b"{1}"


def test_partitions_are_loaded_and_committed_side_by_side(store: Store) -> None:
    first, second = own(store, 0), own(store, 1)
    results = store.commit([first.batch(instances={"i": b"0"}), second.batch(instances={"i": b"1"})])
    assert [result.status for result in results] == ["committed", "committed"]
    assert (store.instance(0, "i"), store.instance(1, "i")) == (b"0", b"1")


def test_a_commit_of_an_older_epoch_changes_nothing(store: Store) -> None:
    former = own(store)
    own(store)
    [result] = store.commit([former.batch(instances={"i": b"{}"}, outbox=[b"c"], counters={"n": 1})])
    assert (result.status, result.outbox) == ("stale", [])
    assert store.instance(0, "i") is None
    assert store.outbox(0, START, 10) == []


def test_a_commit_on_an_older_revision_changes_nothing(store: Store) -> None:
    owner = own(store)
    late = owner.batch(instances={"i": b"late"})
    late.token = "late"
    owner.commit(instances={"i": b"first"})
    [result] = store.commit([late])
    assert result.status == "stale"
    assert store.instance(0, "i") == b"first"


def test_a_stale_commit_does_not_hold_up_the_others(store: Store) -> None:
    former = own(store, 0)
    own(store, 0)
    other = own(store, 1)
    stale, taken = store.commit([former.batch(), other.batch(instances={"i": b"{}"})])
    assert (stale.status, taken.status) == ("stale", "committed")


def test_a_repeat_after_a_lost_reply_is_answered_alike_and_applied_once(store: Store) -> None:
    owner = own(store)
    batch = owner.batch(
        history={"i": [b"1"]},
        accumulated={"d": [(1, b"e")]},
        timers={("i", "t"): 77},
        ledger=[b"l"],
        outbox=[b"c1", b"c2"],
        dead=[b"x"],
        counters={"n": 2},
    )
    assert store.commit([batch]) == store.commit([batch])
    assert store.history(0, "i", 0, 10) == [b"1"]
    assert store.device_events(0, "d", 0, 10) == [(1, b"e")]
    assert [entry.fields[b"c"] for entry in store.outbox(0, START, 10)] == [b"c1", b"c2"]
    assert len(store.ledger(0, START, 10)) == 1
    assert len(store.dead_letters(10, None)[0]) == 1
    assert store.partition_info(0).counters == {"n": 2}
    assert store.partition_info(0).revision == 1


def test_a_repeat_is_recognised_even_after_the_partition_changed_hands(store: Store) -> None:
    owner = own(store)
    batch = owner.batch(outbox=[b"c"])
    [first] = store.commit([batch])
    own(store)
    assert store.commit([batch]) == [first]


def test_applied_records_leave_the_inbox(store: Store) -> None:
    first, _ = store.append_records(0, [b"1", b"2"])
    own(store).commit(inbox=first)
    assert [e.fields[b"r"] for e in store.read(None, {0: START}, 10, None).inboxes[0]] == [b"2"]
    assert store.partition_info(0).inbox_lag == 1


def tell(store: Store, told: bytes) -> str:
    """A result in the inbox of partition 0 as a worker tells it from its hands."""
    fields: dict[Any, Any] = {b"r": b"told", b"h": told}
    if isinstance(store, MemoryStore):
        return store._parts[0].inbox.append(fields, NOW)
    assert isinstance(store, RedisStore)
    given: Any = store._link.client.xadd(store._keys.of(0, "inbox"), fields)
    return str(given.decode())


def test_a_commit_of_an_unwritten_entry_counts_while_the_store_has_that_entry(store: Store) -> None:
    told = tell(store, b"token hands")
    [behind] = store.append_records(0, [b"behind"])
    owner = own(store)
    other = owner.batch(inbox=told, unwritten=(told, b"other hands"))
    at_none = owner.batch(inbox=behind, unwritten=(behind, b"token hands"))
    assert [store.commit([batch])[0].status for batch in (other, at_none)] == ["stale", "stale"]
    batch = owner.batch(inbox=told, unwritten=(told, b"token hands"), counters={"n": 1})
    for _ in range(2):  # the first reply was lost
        assert store.commit([batch])[0].status == "committed"
    assert [entry.id for entry in store.read(None, {0: told}, 10, None).inboxes[0]] == [behind]
    again = Owner(store, 0, owner.epoch, owner.revision + 1, told, owner.door)
    late = again.batch(inbox=told, unwritten=(told, b"token hands"), counters={"n": 1})
    assert store.commit([late])[0].status == "stale"
    assert store.partition_info(0).counters == {"n": 1}


def test_a_commit_of_an_unwritten_entry_leaves_the_inbox_as_it_is_in_memory(redis_store: RedisStore) -> None:
    told = tell(redis_store, b"token hands")
    own(redis_store).commit(inbox=told, unwritten=(told, b"token hands"))
    assert redis_store.read(None, {0: START}, 10, None).inboxes == {}
    assert parse_position(redis_store.append_records(0, [b"next"])[0]) > parse_position(told)


def test_dispatched_commands_leave_the_outbox(store: Store) -> None:
    owner = own(store)
    first, second = owner.commit(outbox=[b"1", b"2"]).outbox
    owner.commit(dispatched=first)
    assert [(e.id, e.fields[b"c"]) for e in store.outbox(0, START, 10)] == [(second, b"2")]


def test_outbox_positions_grow_over_commits_and_are_read_in_pages(store: Store) -> None:
    owner = own(store)
    written = owner.commit(outbox=[b"1", b"2"]).outbox + owner.commit(outbox=[b"3"]).outbox
    first = store.outbox(0, START, 2)
    rest = store.outbox(0, first[-1].id, 2)
    assert [entry.id for entry in first + rest] == written


def test_the_next_due_time_is_the_first_timers(store: Store) -> None:
    owner = own(store)
    assert owner.commit().next_due_ms is None
    assert owner.commit(
        timers={("i", "a"): 1_750_000_000_123, ("i", "b"): 1_750_000_000_456}
    ).next_due_ms == (1_750_000_000_123)
    assert owner.commit(timers={("i", "a"): None}).next_due_ms == 1_750_000_000_456


def test_due_timers_come_oldest_first_and_stay_until_cleared(store: Store) -> None:
    owner = own(store)
    owner.commit(timers={("i", "late"): 30, ("i", "soon"): 10, ("j", "next"): 20})
    assert [(t.instance, t.slot, t.due_ms) for t in store.due_timers(0, 25, 10)] == [
        ("i", "soon", 10),
        ("j", "next", 20),
    ]
    assert len(store.due_timers(0, 99, 2)) == 2
    owner.commit(timers={("i", "soon"): None, ("j", "next"): 40})
    assert [t.slot for t in store.due_timers(0, 99, 10)] == ["late", "next"]


def test_timers_of_one_instance(store: Store) -> None:
    own(store).commit(timers={("i", "a"): 1, ("i", "b"): 2, ("i*", "c"): 3})
    assert {t.slot: t.due_ms for t in store.timers(0, "i")} == {"a": 1, "b": 2}


def test_history_is_appended_and_read_in_pages(store: Store) -> None:
    owner = own(store)
    owner.commit(history={"i": [b"0", b"1"]})
    owner.commit(history={"i": [b"2"]})
    assert store.history(0, "i", 0, 2) == [b"0", b"1"]
    assert store.history(0, "i", 2, 5) == [b"2"]
    assert store.history(0, "i", 0, 0) == []
    assert store.history(0, "none", 0, 5) == []


def test_a_removed_instance_leaves_nothing_behind(store: Store) -> None:
    request_start(store, 0, "i", "print", b"start")
    owner = own(store)
    owner.commit(
        instances={"i": instance_json("i", device="dev")},
        history={"i": [b"1"]},
        index=[("i", "d", None, "running", NOW)],
    )
    owner.commit(removed={"i": None}, index=[("i", "d", "running", None, NOW)])
    assert store.instance(0, "i") is None
    assert store.history(0, "i", 0, 10) == []
    assert store.read_reservations([(0, "i")]) == [None]
    assert list(store.scan(0)) == []


def test_event_ids_are_remembered_for_eight_days_and_then_forgotten(store: Store) -> None:
    owner = own(store)
    owner.commit(seen={b"old": b"1"}, time_ms=NOW)
    owner.commit(seen={b"new": b"2"}, time_ms=NOW + 8 * DAY)
    assert owner.load(NOW + 8 * DAY, seen=[b"old", b"new"]).seen == {b"old": b"1", b"new": b"2"}
    owner.commit(time_ms=NOW + 12 * DAY)
    assert owner.load(NOW + 12 * DAY, seen=[b"old", b"new"]).seen == {b"new": b"2"}
    assert owner.load(NOW, seen=[b"old"]).seen == {}


def test_an_event_id_is_known_though_the_clock_went_back(store: Store) -> None:
    owner = own(store)
    owner.commit(seen={b"k": b"1"}, time_ms=NOW + 40 * DAY)
    assert owner.load(NOW, seen=[b"k"]).seen == {b"k": b"1"}
    owner.commit(seen={b"later": b"2"}, time_ms=NOW)
    assert owner.load(NOW, seen=[b"k", b"later"]).seen == {b"k": b"1", b"later": b"2"}
    assert store.seen(b"later", NOW) == [(0, b"2")]


def test_a_later_disposition_of_an_event_replaces_the_earlier(store: Store) -> None:
    owner = own(store)
    owner.commit(seen={b"k": b"buffered"}, time_ms=NOW)
    owner.commit(seen={b"k": b"consumed"}, time_ms=NOW + 4 * DAY)
    assert owner.load(NOW + 4 * DAY, seen=[b"k"]).seen == {b"k": b"consumed"}
    assert store.seen(b"k", NOW + 4 * DAY) == [(0, b"consumed")]


def test_an_event_id_is_found_in_every_partition(store: Store) -> None:
    own(store, 1).commit(seen={b"k": b"1"})
    own(store, 3).commit(seen={b"k": b"3"})
    assert sorted(store.seen(b"k", NOW)) == [(1, b"1"), (3, b"3")]
    assert store.seen(b"none", NOW) == []


def test_ledger_entries_are_read_in_order_and_in_pages(store: Store) -> None:
    owner = own(store)
    expected = []
    for batch in range(30):
        entries = [b"%d-%d" % (batch, number) for number in range(batch % 4)]
        owner.commit(ledger=entries)
        expected += entries
    found, after = [], START
    while page := store.ledger(0, after, 7):
        found += [entry.fields[b"e"] for entry in page]
        after = page[-1].id
    assert found == expected


def test_counters_add_up(store: Store) -> None:
    owner = own(store)
    owner.commit(counters={"a": 1, "b": 5})
    owner.commit(counters={"a": 2})
    assert store.partition_info(0).counters == {"a": 3, "b": 5}


def test_a_large_batch_is_applied_whole(store: Store) -> None:
    count = 9_000
    owner = own(store)
    names = [f"i{number}" for number in range(count)]
    owner.commit(
        instances=dict.fromkeys(names, b"{}"),
        history={"i0": [b"%d" % number for number in range(count)]},
        accumulated={"dev": [(number + 1, b"e") for number in range(count)]},
        available={"dev": list(range(1, count + 1))},
        timers={(name, "t"): 5 for name in names},
        seen={name.encode(): b"s" for name in names},
        outbox=[b"c"] * 100,
    )
    assert len(owner.load(instances=names).instances) == count
    assert len(store.history(0, "i0", 0, count + 1)) == count
    assert len(owner.load(available=["dev"]).available["dev"]) == count
    assert store.partition_info(0).timers == count
    owner.commit(dropped={"dev": count})
    assert owner.load(available=["dev"]).available == {"dev": [(count, b"e")]}


def test_a_batch_that_is_too_large_for_one_argument_goes_in_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_packing, "LARGEST_PIECE", 400)
    owner = own(store)
    instances = {f"i{number}": instance_json(f"i{number}") for number in range(50)}
    instances["large"] = random.Random(1).randbytes(2_000)  # and a piece that is larger by itself
    pieces = pack_commit(owner.batch(instances=instances), Keys("s", 4))[14:]
    assert len(pieces) > 10
    assert [value for piece in pieces for value in unpackb(piece, raw=True)][1:3] == [102, b"i0"]
    history = {id: [b"1" * number, b"2"] for number, id in enumerate(instances)}
    owner.commit(instances=instances, history=history, counters={"a": 3}, available={"dev": [1, 2]})
    assert owner.load(instances=list(instances)).instances == instances
    assert {id: store.history(0, id, 0, 9) for id in instances} == history
    assert store.partition_info(0).counters == {"a": 3}


@pytest.mark.parametrize("length", [0, 1, 31, 32, 255, 256, 65_535, 65_536, 300_000])
def test_values_of_any_bytes_and_lengths_come_back(store: Store, length: int) -> None:
    value = (bytes(range(256)) * (length // 256 + 1))[:length]
    owner = own(store)
    owner.commit(seen={b"k": value, value: b"v"}, dead=[value])
    assert owner.load(seen=[b"k", value]).seen == {b"k": value, value: b"v"}


def test_lengths_are_numbers_and_all_else_strings() -> None:
    """Lua has no whole numbers beyond 2**53."""
    large = 2**63 + 1
    commit = Commit(
        partition=0, epoch=1, revision=1, token="t", time_ms=NOW, inbox=START, door=START,
        index=[("i", "d", "running", "failed", large)],
        runs=[("d", "i", large)],
        dropped={"d": large},
        available={"d": [large]},
        consumed={"d": [large]},
        timers={("i", "t"): large},
        attempts={"t": (b"", large)},
        deadlines={"t": large},
        counters={"c": large},
    )  # fmt: skip
    [packed] = pack_commit(commit, Keys("s", 4))[14:]
    values = unpackb(packed, raw=True)
    assert values.count(b"%d" % large) == 9
    assert {value for value in values if isinstance(value, int)} <= {0, 1, 2}


@pytest.mark.parametrize("value", [None, True, 1.5, [], ("a",), bytearray(b"x")])
def test_a_value_that_is_none_of_ours_is_refused_before_anything_is_written(
    redis_store: RedisStore, value: Any
) -> None:
    owner = own(redis_store)
    with pytest.raises(TypeError):
        owner.commit(history={"i": [b"{}"]}, seen={b"k": value})
    with pytest.raises(TypeError):
        owner.commit(history={"i": [b"{}"]}, runs=[("d", "i", NOW)], dead=[value])
    assert redis_store.history(0, "i", 0, 9) == []
    assert redis_store.partition_info(0).revision == 0


def test_replies_reach_their_listener_and_no_other(store: Store) -> None:
    mine: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    other: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    owner = own(store)
    with store.listen("mine", mine.put), store.listen("other", other.put):
        owner.commit(replies=[("mine", b"1"), ("mine", b"2"), ("nobody", b"3")])
        assert [mine.get(timeout=10), mine.get(timeout=10)] == [b"1", b"2"]
    assert other.empty()
