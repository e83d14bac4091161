"""One owner per partition: leases, epochs, and engines that know each other."""

from concurrent.futures import ThreadPoolExecutor

from stepwell_store.batches import START
from stepwell_store.memory_store import MemoryStore
from stepwell_store.protocol import Store
from store_batches import NOW, own


def test_a_new_partition_starts_from_nothing(store: Store) -> None:
    ownership = store.acquire(1, "a", 60_000)
    assert ownership is not None
    assert (ownership.partition, ownership.revision) == (1, 0)
    assert (ownership.inbox, ownership.door, ownership.dispatched) == (START, START, START)
    assert ownership.next_due_ms is None


def test_a_leased_partition_is_refused_to_others(store: Store) -> None:
    own(store, 0, "a")
    assert store.acquire(0, "b", 60_000) is None


def test_the_owner_may_take_its_partition_again_with_a_new_epoch(store: Store) -> None:
    first, second = own(store, 0, "a"), own(store, 0, "a")
    assert second.epoch > first.epoch


def test_a_released_partition_is_free(store: Store) -> None:
    first = own(store, 0, "a")
    store.release("a", 0)
    assert own(store, 0, "b").epoch > first.epoch


def test_only_the_owner_can_release(store: Store) -> None:
    own(store, 0, "a")
    store.release("b", 0)
    assert store.acquire(0, "b", 60_000) is None


def test_renewing_answers_what_is_still_ours(store: Store) -> None:
    own(store, 0, "a")
    own(store, 1, "b")
    assert store.renew("a", [0, 1, 2], 60_000) == [0]
    assert store.renew("a", [], 60_000) == []


def test_a_lease_that_ran_out_is_free_for_others() -> None:
    clock = [NOW]
    store = MemoryStore("n", 1, lambda: clock[0])
    own(store, 0, "a")
    clock[0] += 60_001
    own(store, 0, "b")
    assert store.renew("a", [0], 60_000) == []


def test_the_next_owner_starts_where_the_last_one_committed(store: Store) -> None:
    door = store.append_events([b"1", b"2"])
    inbox = store.append_records(0, [b"r"])
    owner = own(store, 0, "a")
    [outbox] = owner.commit(inbox=inbox[0], door=door[1], outbox=[b"c"], timers={("i", "t"): NOW + 5}).outbox
    owner.commit(dispatched=outbox)
    store.release("a", 0)
    ownership = store.acquire(0, "b", 60_000)
    assert ownership is not None
    assert (ownership.revision, ownership.inbox, ownership.door) == (2, inbox[0], door[1])
    assert (ownership.dispatched, ownership.next_due_ms) == (outbox, NOW + 5)


def test_of_racing_engines_one_gets_the_partition(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda name: store.acquire(0, f"engine-{name}", 60_000), range(8)))
    assert sum(ownership is not None for ownership in taken) == 1


def test_engines_know_each_other(store: Store) -> None:
    store.heartbeat_engine("b", 60_000)
    assert store.heartbeat_engine("a", 60_000) == ["a", "b"]


def test_an_engine_that_is_silent_is_forgotten(store: Store) -> None:
    store.heartbeat_engine("gone", -1)
    assert store.heartbeat_engine("a", 60_000) == ["a"]


def test_door_positions_are_known_for_every_partition(store: Store) -> None:
    own(store, 2).commit(door="5-1")
    assert store.door_positions() == {0: START, 1: START, 2: "5-1", 3: START}


def test_figures_of_a_partition(store: Store) -> None:
    store.append_records(0, [b"1", b"2"])
    owner = own(store, 0, "a")
    owner.commit(counters={"events": 2}, timers={("i", "t"): 5}, outbox=[b"c"], attempts={"k": (b"p", 9)})
    info = store.partition_info(0)
    assert (info.owner, info.epoch, info.revision) == ("a", owner.epoch, 1)
    assert (info.inbox_length, info.inbox_lag, info.outbox_length) == (2, 2, 1)
    assert (info.timers, info.attempts, info.counters) == (1, 1, {"events": 2})
