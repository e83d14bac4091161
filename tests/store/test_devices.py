"""A device's accumulator: sequences, what is available, what is dropped."""

import orjson
from stepwell_store.batches import AHEAD, OLDEST
from stepwell_store.protocol import Store
from store_batches import own


def test_accumulated_events_are_read_after_a_sequence(store: Store) -> None:
    owner = own(store)
    owner.commit(accumulated={"dev": [(1, b'{"n": 1}'), (2, b"b")]})
    owner.commit(accumulated={"dev": [(3, b"c")]})
    assert store.device_events(0, "dev", 0, 10) == [(1, b'{"n": 1}'), (2, b"b"), (3, b"c")]
    assert store.device_events(0, "dev", 1, 1) == [(2, b"b")]
    assert store.device_events(0, "dev", 3, 10) == []
    assert store.device_events(0, "none", 0, 10) == []


def test_dropped_events_leave_the_accumulator_and_are_no_longer_available(store: Store) -> None:
    owner = own(store)
    owner.commit(accumulated={"dev": [(n, b"e%d" % n) for n in range(1, 6)]}, available={"dev": [1, 2, 5]})
    owner.commit(dropped={"dev": 3})
    assert store.device_events(0, "dev", 0, 10) == [(3, b"e3"), (4, b"e4"), (5, b"e5")]
    assert owner.load(available=["dev"]).available == {"dev": [(5, b"e5")]}


def test_dropping_what_is_gone_already_changes_nothing(store: Store) -> None:
    owner = own(store)
    owner.commit(accumulated={"dev": [(1, b"a"), (2, b"b")]}, dropped={"dev": 2})
    owner.commit(dropped={"dev": 1, "unknown": 5})
    assert store.device_events(0, "dev", 0, 10) == [(2, b"b")]


def test_sequences_go_on_after_all_events_were_dropped(store: Store) -> None:
    owner = own(store)
    owner.commit(accumulated={"dev": [(1, b"a"), (2, b"b")]}, available={"dev": [1, 2]})
    owner.commit(dropped={"dev": 3})
    assert store.device_events(0, "dev", 0, 10) == []
    owner.commit(accumulated={"dev": [(3, b"c")]}, available={"dev": [3]})
    assert store.device_events(0, "dev", 0, 10) == [(3, b"c")]
    assert owner.load(available=["dev"]).available == {"dev": [(3, b"c")]}


def test_consumed_events_stay_accumulated_but_are_no_longer_available(store: Store) -> None:
    owner = own(store)
    owner.commit(
        accumulated={"dev": [(n, b"%d" % n) for n in range(1, 13)]}, available={"dev": list(range(1, 13))}
    )
    owner.commit(consumed={"dev": [1, 3, 11]})
    assert [n for n, _ in owner.load(available=["dev"]).available["dev"]] == [2, 4, 5, 6, 7, 8, 9, 10, 12]
    assert len(store.device_events(0, "dev", 0, 100)) == 12


def test_scattered_available_events_are_found(store: Store) -> None:
    owner = own(store)
    owner.commit(
        accumulated={"dev": [(n, b"%d" % n) for n in range(1, 301)]}, available={"dev": [7, 150, 300]}
    )
    assert owner.load(available=["dev"]).available == {"dev": [(7, b"7"), (150, b"150"), (300, b"300")]}


def test_available_events_are_loaded_only_for_the_devices_that_want_them(store: Store) -> None:
    owner = own(store)
    owner.commit(
        devices={"a": b"A", "b": b"B"},
        accumulated={"a": [(1, b"x")], "b": [(1, b"y")]},
        available={"a": [1], "b": [1]},
    )
    loaded = owner.load(devices=["a", "b"], available=["b", "none"], seen=[b"k"])
    assert loaded.available == {"b": [(1, b"y")]}
    assert loaded.devices == {"a": b"A", "b": b"B"}


def test_a_removed_device_leaves_nothing_behind(store: Store) -> None:
    owner = own(store)
    owner.commit(devices={"dev": b"D"}, accumulated={"dev": [(1, b"a")]}, available={"dev": [1]})
    owner.commit(devices={"dev": None})
    assert store.device(0, "dev") is None
    assert store.device_events(0, "dev", 0, 10) == []
    assert owner.load(devices=["dev"], available=["dev"]).available == {}
    assert store.device_ids(0, 10, None) == ([], None)


def test_devices_are_listed_in_pages_without_gaps(store: Store) -> None:
    names = {f"dev-{number}" for number in range(300)}
    own(store).commit(devices=dict.fromkeys(names, b"D" * 100))
    found: list[str] = []
    cursor = None
    while True:
        page, cursor = store.device_ids(0, 7, cursor)
        assert len(page) <= 7
        found += page
        if cursor is None:
            break
    assert set(found) == names


def test_names_with_odd_characters_come_back_as_they_were(store: Store) -> None:
    name = "Gerät 7/{x}:*\n"
    owner = own(store)
    owner.commit(devices={name: b"D"}, accumulated={name: [(1, b"a")]}, available={name: [1]})
    assert owner.load(devices=[name], available=[name]).available == {name: [(1, b"a")]}
    assert store.device_ids(0, 10, None)[0] == [name]


def test_a_device_brings_the_instances_it_runs(store: Store) -> None:
    owner = own(store)
    many = {f"i{number}": b'{"number":%d}' % number for number in range(2_500)}
    busy = orjson.dumps({"device": "busy", "running": dict.fromkeys(many, "flow")})
    lost = orjson.dumps({"device": "lost", "running": {"gone": "flow"}})
    owner.commit(
        instances={**many, "else": b"{}"},
        devices={
            "busy": busy,
            "lost": lost,
            "idle": b'{"device":"idle"}',
            "broken": b"{1",
            "odd": b"[1]",
            "garbled": b'{"device":"garbled","running":{"\xff\xfe":"flow"}}',
        },
    )
    loaded = owner.load(devices=["busy", "lost", "idle", "broken", "odd", "garbled", "none"])
    assert loaded.instances == many
    assert loaded.devices.keys() == {"busy", "lost", "idle", "broken", "odd", "garbled"}


def test_a_device_that_has_dropped_events_brings_its_oldest(store: Store) -> None:
    owner = own(store)
    events = [(n, b'{"n":%d,"padding":"%s"}' % (n, b"x" * 200)) for n in range(3, 12)]
    owner.commit(
        devices={
            "full": b'{"dropped":2}',
            "new": b'{"next":3}',
            "empty": b'{"dropped":1}',
            "odd": b'{"dropped":"2"}',
            "zero": b'{"dropped":0,"rejected":7}',
        },
        accumulated={"full": events, "new": events, "odd": events, "zero": events},
    )
    loaded = owner.load(devices=["full", "new", "empty", "odd", "zero", "none"])
    assert {name: found for name, found in loaded.oldest.items() if found} == {"full": events[:OLDEST]}


def test_accumulated_events_are_read_ahead_of_those_that_drop_them(store: Store) -> None:
    owner = own(store)
    events = [(n, b'{"n":%d}' % n) for n in range(3, 40)]
    gap = [(n, body) for n, body in events if n != 5]
    owner.commit(accumulated={"long": events, "short": events[:4], "gap": gap, "shifted": events})
    behind = {"long": 2, "short": 4, "gap": 9, "shifted": 12, "none": 3}
    found = owner.load(behind=behind).oldest
    assert found["long"] == events[:AHEAD]
    assert found["short"] == events[2:4]
    assert found["shifted"] == events[10 : 10 + AHEAD]
    assert found["none"] == []
    assert all(n > 9 for n, _ in found["gap"])  # whether one is missing is for the reader to see


def test_more_devices_than_one_call_of_a_script_can_name_are_loaded_at_once(store: Store) -> None:
    names = [f"d{number}" for number in range(9_000)]
    own(store).commit(devices=dict.fromkeys(names[::2], b"D"))
    assert own(store).load(devices=names).devices.keys() == set(names[::2])


def test_events_behind_missing_ones_are_read_too(store: Store) -> None:
    owner = own(store)
    left = [2, 3, 6, 7, 11]
    owner.commit(accumulated={"dev": [(n, b"%d" % n) for n in left]})
    for after in range(12):
        for limit in (1, 2, 10):
            found = [n for n, _ in store.device_events(0, "dev", after, limit)]
            assert found == [n for n in left if n > after][:limit], (after, limit)
