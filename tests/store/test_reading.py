"""Lists: instances newest first with filters and cursors, dead letters, scans."""

from typing import Any

import orjson
import pytest
from stepwell_store.partition import partition_of
from stepwell_store.protocol import InstanceFilter, Store
from store_batches import NOW, instance_json, own

ALL = InstanceFilter()


def add(
    store: Store, id: str, created_ms: int, status: str = "running", definition: str = "d", **more: str
) -> None:
    device = more.get("device")
    owner = own(store, partition_of(device or id, 4))
    written: dict[str, Any] = {}
    if device is not None and status == "running":
        before = orjson.loads(store.device(owner.partition, device) or b'{"running": {}}')["running"]
        written["devices"] = {device: orjson.dumps({"running": {**before, id: definition}})}
    elif device is not None:
        written["runs"] = [(device, id, created_ms)]
    owner.commit(
        instances={id: instance_json(id, status, definition, device, created_ms)},
        index=[(id, definition, None, status, created_ms)],
        **written,
    )


def pages(
    store: Store, filter: InstanceFilter, limit: int, definitions: tuple[str, ...] = ("d", "e")
) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page, cursor = store.instances(filter, definitions, limit, cursor)
        assert len(page) <= limit
        found += [document.split(b'"')[3].decode() for document in page]
        if cursor is None:
            return found
        assert page


def test_instances_are_listed_newest_first_over_all_partitions(store: Store) -> None:
    for number in range(10):
        add(store, f"i{number}", NOW + number)
    assert pages(store, ALL, 3) == [f"i{number}" for number in range(9, -1, -1)]
    assert pages(store, ALL, 10) == pages(store, ALL, 100) == pages(store, ALL, 1)


def test_instances_of_one_millisecond_are_paged_without_loss(store: Store) -> None:
    names = [f"i{number:02}" for number in range(20)]
    for name in names:
        add(store, name, NOW)
    assert pages(store, ALL, 3) == names[::-1]


def test_instances_are_filtered_by_status_and_definition(store: Store) -> None:
    add(store, "a", NOW, "running", "d")
    add(store, "b", NOW + 1, "failed", "d")
    add(store, "c", NOW + 2, "failed", "e")
    assert pages(store, InstanceFilter(statuses=["failed"]), 1) == ["c", "b"]
    assert pages(store, InstanceFilter(definition="d"), 10) == ["b", "a"]
    assert pages(store, InstanceFilter(statuses=["running", "failed"], definition="e"), 10) == ["c"]
    assert pages(store, ALL, 10, definitions=("e",)) == ["c"]


def test_instances_are_filtered_by_time_both_ends_included(store: Store) -> None:
    for number in range(6):
        add(store, f"i{number}", NOW + number)
    span = InstanceFilter(created_from_ms=NOW + 1, created_to_ms=NOW + 4)
    assert pages(store, span, 2) == pages(store, span, 10) == ["i4", "i3", "i2", "i1"]
    assert pages(store, InstanceFilter(created_from_ms=NOW + 9), 2) == []


def test_all_runs_of_a_device_are_found(store: Store) -> None:
    add(store, "old", NOW, "succeeded", device="dev")
    add(store, "new", NOW + 5, "running", device="dev")
    add(store, "other", NOW + 6, "running", device="someone")
    assert pages(store, InstanceFilter(device="dev"), 1) == ["new", "old"]
    assert pages(store, InstanceFilter(device="dev", statuses=["succeeded"]), 5) == ["old"]
    assert pages(store, InstanceFilter(device="dev", definition="e"), 5) == []


def test_runs_of_a_device_are_paged_without_loss_whether_they_run_or_have_ended(store: Store) -> None:
    for number in range(12):
        status = "running" if number % 3 == 0 else "succeeded"
        add(store, f"i{number:02}", NOW + number // 2, status, device="dev")
    names = [f"i{number:02}" for number in range(11, -1, -1)]
    for limit in (1, 2, 5, 12, 20):
        assert pages(store, InstanceFilter(device="dev"), limit) == names
    span = InstanceFilter(device="dev", created_from_ms=NOW + 1, created_to_ms=NOW + 3)
    assert pages(store, span, 2) == ["i07", "i06", "i05", "i04", "i03", "i02"]


def test_a_run_that_is_noted_as_ended_and_as_running_is_listed_once(store: Store) -> None:
    """An older release noted runs when they began; and one may end between two questions."""
    add(store, "i", NOW, "running", device="dev")
    own(store, partition_of("dev", 4)).commit(runs=[("dev", "i", NOW)])
    assert pages(store, InstanceFilter(device="dev"), 5) == ["i"]


def test_a_device_page_is_full_though_the_filter_leaves_most_out(store: Store) -> None:
    for number in range(20):
        add(store, f"i{number:02}", NOW + number, "failed" if number % 10 == 0 else "running", device="dev")
    assert pages(store, InstanceFilter(device="dev", statuses=["failed"]), 1) == ["i10", "i00"]


def test_an_instance_moves_with_its_status(store: Store) -> None:
    owner = own(store)
    owner.commit(
        instances={"i": instance_json("i")},
        index=[("i", "d", None, "running", NOW), ("i", "d", "running", "failed", NOW)],
    )
    assert pages(store, InstanceFilter(statuses=["running"]), 5) == []
    assert pages(store, InstanceFilter(statuses=["failed"]), 5) == ["i"]
    owner.commit(index=[("i", "d", "failed", "running", NOW), ("i", "d", "running", "succeeded", NOW)])
    assert pages(store, InstanceFilter(statuses=["failed", "running"]), 5) == []
    assert pages(store, ALL, 5) == ["i"]


def test_a_removed_instance_is_listed_no_more(store: Store) -> None:
    owner = own(store, partition_of("dev", 4))
    owner.commit(
        instances={"i": instance_json("i", device="dev")},
        index=[("i", "d", None, "failed", NOW)],
        runs=[("dev", "i", NOW)],
    )
    owner.commit(removed={"i": "dev"}, index=[("i", "d", "failed", None, NOW)])
    assert pages(store, ALL, 5) == pages(store, InstanceFilter(device="dev"), 5) == []


@pytest.mark.parametrize("cursor", ["", "nonsense", "W10", "WyJhIiwgMV0", "é"])
def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        store.instances(ALL, ["d"], 5, cursor)


def test_a_scan_gives_every_instance_of_the_partition(store: Store) -> None:
    names = {f"i{number}": b"{%d}" % number for number in range(1500)}
    own(store, 2).commit(instances=names)
    assert dict(store.scan(2)) == names
    assert list(store.scan(1)) == []


def test_dead_letters_are_listed_newest_first_over_all_partitions(store: Store) -> None:
    for number in range(9):
        own(store, number % 4).commit(dead=[b"%d" % number])
    found: list[bytes] = []
    cursor = None
    while True:
        page, cursor = store.dead_letters(2, cursor)
        found += [letter.body for letter in page]
        if cursor is None:
            break
    whole, _ = store.dead_letters(100, None)
    assert found == [letter.body for letter in whole]
    assert sorted(found) == [b"%d" % number for number in range(9)]
    times = [int(letter.id.split("-")[1]) for letter in whole]
    assert times == sorted(times, reverse=True)


def test_a_dead_letter_is_removed_once(store: Store) -> None:
    own(store, 3).commit(dead=[b"x", b"y"])
    letters, _ = store.dead_letters(10, None)
    assert [store.dead_letter(letter.id) for letter in letters] == letters
    assert store.remove_dead_letter(letters[0].id)
    assert not store.remove_dead_letter(letters[0].id)
    assert store.dead_letter(letters[0].id) is None
    assert store.dead_letters(10, None)[0] == letters[1:]


@pytest.mark.parametrize("id", ["", "1", "1-2", "x-1-2", "99-1-0", "-1-1-1", "0-1-1x"])
def test_what_is_no_dead_letters_id_is_not_there(store: Store, id: str) -> None:
    assert store.dead_letter(id) is None
    assert not store.remove_dead_letter(id)


def test_a_foreign_dead_letter_cursor_is_refused(store: Store) -> None:
    with pytest.raises(ValueError):
        store.dead_letters(5, "nonsense")


def test_a_store_that_is_there_answers_a_ping(store: Store) -> None:
    store.ping()
