"""Attempts: one worker at a time, results once, nothing for what is not wanted."""

from concurrent.futures import ThreadPoolExecutor

from stepwell_store.batches import START
from stepwell_store.protocol import Claim, Store
from store_batches import NOW, Owner, own

LEASE = 10_000


def waiting(store: Store, *tokens: str, deadline_ms: int = NOW + 60_000) -> Owner:
    owner = own(store)
    owner.commit(attempts={token: (b"payload of " + token.encode(), deadline_ms) for token in tokens})
    return owner


def inbox(store: Store) -> list[bytes]:
    found = store.read(None, {0: START}, 100, None).inboxes.get(0, [])
    return [entry.fields[b"r"] for entry in found]


def test_a_claim_gives_the_payload(store: Store) -> None:
    waiting(store, "t")
    assert store.claim(0, "t", "worker one", NOW, LEASE) == b"payload of t"
    assert store.claims(0, ["t", "none"]) == {"t": Claim("worker one", NOW, NOW)}
    assert store.claims(0, []) == {}


def test_an_attempt_that_is_not_wanted_cannot_be_claimed(store: Store) -> None:
    owner = waiting(store, "t")
    owner.commit(attempts={"t": None})
    assert store.claim(0, "t", "w", NOW, LEASE) is None
    assert store.claim(0, "never", "w", NOW, LEASE) is None


def test_a_second_worker_is_refused_while_the_lease_lasts(store: Store) -> None:
    waiting(store, "t")
    store.claim(0, "t", "first", NOW, LEASE)
    assert store.claim(0, "t", "second", NOW + LEASE - 1, LEASE) is None
    assert store.claim(0, "t", "second", NOW + LEASE, LEASE) == b"payload of t"
    assert store.claims(0, ["t"]) == {"t": Claim("second", NOW + LEASE, NOW + LEASE)}


def test_claiming_again_after_a_lost_reply_keeps_the_start(store: Store) -> None:
    waiting(store, "t")
    store.claim(0, "t", "w", NOW, LEASE)
    assert store.claim(0, "t", "w", NOW + 50, LEASE) == b"payload of t"
    assert store.claims(0, ["t"])["t"].started_ms == NOW


def test_of_racing_workers_one_gets_the_attempt(store: Store) -> None:
    waiting(store, "t")
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda name: store.claim(0, "t", f"w{name}", NOW, LEASE), range(8)))
    assert sum(payload is not None for payload in taken) == 1


def test_extending_moves_the_lease_and_only_a_sign_moves_the_heartbeat(store: Store) -> None:
    waiting(store, "t")
    store.claim(0, "t", "w x", NOW, LEASE)
    assert store.extend(0, "t", "w x", NOW + 5_000, LEASE, sign=False)
    assert store.claims(0, ["t"])["t"] == Claim("w x", NOW, NOW)
    assert store.due_attempts(0, NOW + 14_999, 10) == []
    assert store.extend(0, "t", "w x", NOW + 6_000, LEASE, sign=True)
    assert store.claims(0, ["t"])["t"] == Claim("w x", NOW, NOW + 6_000)


def test_extending_is_refused_to_others_and_for_what_is_cancelled(store: Store) -> None:
    owner = waiting(store, "t")
    assert not store.extend(0, "t", "w", NOW, LEASE, sign=False)
    store.claim(0, "t", "w", NOW, LEASE)
    assert not store.extend(0, "t", "other", NOW, LEASE, sign=False)
    owner.commit(attempts={"t": None})
    assert not store.extend(0, "t", "w", NOW, LEASE, sign=False)
    assert store.claims(0, ["t"]) == {}


def test_a_reported_result_reaches_the_inbox_once(store: Store) -> None:
    waiting(store, "t")
    store.claim(0, "t", "w x", NOW, LEASE)
    first = store.report(0, "t", b"done", NOW, 5_000)
    assert store.report(0, "t", b"done", NOW, 5_000) == first
    assert inbox(store) == [b"done"]


def test_a_reported_attempt_is_neither_claimed_nor_extended_again(store: Store) -> None:
    waiting(store, "t")
    store.claim(0, "t", "w", NOW, LEASE)
    store.report(0, "t", b"done", NOW, 5_000)
    assert store.claim(0, "t", "w", NOW + 1, LEASE) is None
    assert store.claim(0, "t", "other", NOW + 99_000, LEASE) is None
    assert not store.extend(0, "t", "w", NOW, LEASE, sign=True)


def test_a_report_puts_the_lease_off(store: Store) -> None:
    waiting(store, "t")
    store.claim(0, "t", "w", NOW, 1_000)
    store.report(0, "t", b"done", NOW + 900, 5_000)
    assert store.due_attempts(0, NOW + 5_899, 10) == []
    assert [due.token for due in store.due_attempts(0, NOW + 5_900, 10)] == ["t"]


def test_a_result_nobody_waits_for_still_reaches_the_inbox(store: Store) -> None:
    store.report(0, "unknown", b"late", NOW, 5_000)
    assert inbox(store) == [b"late"]
    assert store.partition_info(0).attempts == 0
    assert store.due_attempts(0, NOW + 10_000, 10) == []


def test_due_attempts_come_oldest_first_with_their_claims(store: Store) -> None:
    owner = waiting(store, "b", deadline_ms=NOW + 20)
    owner.commit(attempts={"a": (b"A", NOW + 10), "c": (b"C", NOW + 30)})
    store.claim(0, "b", "w", NOW, 20)
    due = store.due_attempts(0, NOW + 20, 10)
    assert [(d.token, d.payload, d.claim) for d in due] == [
        ("a", b"A", None),
        ("b", b"payload of b", Claim("w", NOW, NOW)),
    ]
    assert [d.token for d in store.due_attempts(0, NOW + 99, 1)] == ["a"]


def test_a_queued_attempt_gets_a_later_deadline(store: Store) -> None:
    owner = waiting(store, "t", deadline_ms=NOW + 10)
    owner.commit(deadlines={"t": NOW + 500, "unknown": NOW})
    assert store.due_attempts(0, NOW + 499, 10) == []
    assert [d.token for d in store.due_attempts(0, NOW + 500, 10)] == ["t"]


def test_a_claim_in_the_meantime_beats_the_later_deadline(store: Store) -> None:
    owner = waiting(store, "t", deadline_ms=NOW + 10)
    store.claim(0, "t", "w", NOW, 100)
    owner.commit(deadlines={"t": NOW + 60_000})
    assert [d.token for d in store.due_attempts(0, NOW + 100, 10)] == ["t"]


def test_a_deadline_never_moves_back(store: Store) -> None:
    owner = waiting(store, "t", deadline_ms=NOW + 1_000)
    owner.commit(deadlines={"t": NOW + 10})
    assert store.due_attempts(0, NOW + 999, 10) == []


def test_an_attempt_set_again_is_unclaimed(store: Store) -> None:
    owner = waiting(store, "t")
    store.claim(0, "t", "w", NOW, LEASE)
    owner.commit(attempts={"t": (b"again", NOW + 60_000)})
    assert store.claims(0, ["t"]) == {}
    assert store.claim(0, "t", "other", NOW, LEASE) == b"again"


def test_all_pending_attempts(store: Store) -> None:
    waiting(store, "a", "b")
    assert store.attempts(0) == {"a": b"payload of a", "b": b"payload of b"}
    assert store.attempts(1) == {}
