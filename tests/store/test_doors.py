"""Events and records come in, ids are reserved, sources are remembered."""

from stepwell_store.batches import START
from stepwell_store.positions import parse_position
from stepwell_store.protocol import RequestedStart, StartReceipt, Store
from store_batches import own, request_start


def test_events_are_read_in_the_order_they_were_appended(store: Store) -> None:
    positions = store.append_events([b"1", b"2", b"3"])
    found = store.read(START, {}, 10, None).door
    assert [entry.fields[b"event"] for entry in found] == [b"1", b"2", b"3"]
    assert [entry.id for entry in found] == positions
    assert sorted(positions, key=parse_position) == positions


def test_a_read_begins_after_the_given_position(store: Store) -> None:
    first, *_ = store.append_events([b"1", b"2", b"3"])
    assert [entry.fields[b"event"] for entry in store.read(first, {}, 1, None).door] == [b"2"]


def test_only_a_replayed_event_carries_the_replay_mark(store: Store) -> None:
    store.append_events([b"1"])
    store.append_events([b"2"], replay=True)
    first, second = store.read(START, {}, 10, None).door
    assert b"replay" not in first.fields
    assert second.fields[b"replay"] == b"1"


def test_no_events_give_no_positions(store: Store) -> None:
    assert store.append_events([]) == []
    assert store.append_records(0, []) == []


def test_the_door_is_trimmed_before_a_position(store: Store) -> None:
    _, second, _ = store.append_events([b"1", b"2", b"3"])
    store.trim_door(second)
    assert store.door_length() == 2
    assert [entry.fields[b"event"] for entry in store.read(START, {}, 10, None).door] == [b"2", b"3"]


def test_records_reach_only_their_partition(store: Store) -> None:
    store.append_records(1, [b"a", b"b"])
    found = store.read(None, {0: START, 1: START, 2: START}, 10, None)
    assert {number: [e.fields[b"r"] for e in entries] for number, entries in found.inboxes.items()} == {
        1: [b"a", b"b"]
    }
    assert found.door == []


def test_a_read_of_nothing_gives_nothing(store: Store) -> None:
    found = store.read(None, {}, 10, None)
    assert (found.door, found.inboxes, found.catalog_revision) == ([], {}, 0)


def test_a_blocking_read_ends_when_nothing_comes(store: Store) -> None:
    assert store.read(START, {0: START}, 10, 20).door == []


def test_a_start_is_reserved_and_put_into_the_inbox_once(store: Store) -> None:
    first = request_start(store, 2, "order-7", "print-1", b"start")
    again = request_start(store, 2, "order-7", "print-1", b"start")
    assert (first.status, again.status, again.partition) == ("created", "repeated", 2)
    assert len(store.read(None, {2: START}, 10, None).inboxes[2]) == 1
    assert store.read_reservations([(2, "order-7")]) == ["print-1"]


def test_a_start_with_other_content_conflicts(store: Store) -> None:
    request_start(store, 2, "order-7", "print-1", b"start")
    assert request_start(store, 2, "order-7", "print-2", b"other").status == "conflict"
    assert store.read_reservations([(2, "order-7")]) == ["print-1"]


def test_a_start_conflicts_with_an_instance_that_was_not_requested(store: Store) -> None:
    own(store, 2).commit(instances={"order-7": b"{}"})
    assert request_start(store, 2, "order-7", "print-1", b"start").status == "conflict"


def test_a_refused_start_frees_the_id(store: Store) -> None:
    request_start(store, 0, "order-7", "print-1", b"start")
    own(store).commit(unreserved=["order-7"])
    assert store.read_reservations([(0, "order-7")]) == [None]
    assert request_start(store, 0, "order-7", "print-2", b"start").status == "created"


def test_starts_of_one_trip_are_answered_each_by_itself(store: Store) -> None:
    own(store, 1).commit(instances={"known": b"{}"})
    starts = [
        RequestedStart(0, "a", "print-a", b"1"),
        RequestedStart(1, "known", "print-k", b"2"),
        RequestedStart(0, "a", "print-a", b"3"),
        RequestedStart(1, "b", "print-b", b"4"),
        RequestedStart(0, "a", "print-c", b"5"),
    ]
    receipts = [
        (receipt.status, receipt.partition) if isinstance(receipt, StartReceipt) else receipt
        for receipt in store.request_starts(starts)
    ]
    assert receipts == [
        ("created", 0),
        ("conflict", 1),
        ("repeated", 0),
        ("created", 1),
        ("conflict", 0),
    ]
    assert store.request_starts([]) == []
    assert [inbox(store, partition) for partition in (0, 1)] == [[b"1"], [b"4"]]


def test_records_of_one_trip_come_in_order_into_their_inboxes(store: Store) -> None:
    positions = store.append_each([(1, b"a"), (0, b"b"), (1, b"c"), (1, b"d")])
    assert [inbox(store, partition) for partition in (0, 1)] == [[b"b"], [b"a", b"c", b"d"]]
    entries = store.read(None, {0: START, 1: START}, 10, None).inboxes
    assert [positions[1]] == [entry.id for entry in entries[0]]
    assert [positions[0], *positions[2:]] == [entry.id for entry in entries[1]]
    assert store.append_each([]) == []


def test_instances_are_read_together(store: Store) -> None:
    own(store, 1).commit(instances={"here": b'{"a":1}'})
    assert store.read_instances([(0, "here"), (1, "here"), (1, "none")]) == [None, b'{"a":1}', None]
    assert store.read_instances([]) == []


def inbox(store: Store, partition: int) -> list[bytes]:
    return [entry.fields[b"r"] for entry in store.read(None, {partition: START}, 10, None).inboxes[partition]]


def test_the_first_place_of_an_id_wins(store: Store) -> None:
    assert store.locate_all(["order-7"]) == [None]
    assert store.place_all([]) == []
    assert store.place_all([("order-7", 3), ("order-8", 0), ("order-8", 2)]) == [3, 0, 0]
    assert store.place_all([("order-7", 1)]) == [3]
    assert store.locate_all(["order-7", "order-9"]) == [3, None]


def test_sources_are_remembered_once(store: Store) -> None:
    store.add_sources(["b", "a"])
    store.add_sources(["a"])
    store.add_sources([])
    assert store.sources() == ["a", "b"]


def test_only_the_newest_thousand_sources_stay(store: Store) -> None:
    store.add_sources([f"source-{number:04}" for number in range(600)])
    store.add_sources([f"source-{number:04}" for number in range(600, 1200)])
    assert store.sources() == [f"source-{number:04}" for number in range(200, 1200)]
