"""An owner's lane: order, what is unanswered when the line breaks, scripts the server forgot, jobs within a commit."""

import pytest
from redis import Redis
from stepwell_store.batches import START, Handing, Wanted
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import StoreUnavailable
from stepwell_store.open import open_redis
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore
from store_batches import NOW, own

PUSH = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
return redis.call('RPUSH', ARGV[2], ARGV[3])
"""


def test_answers_come_in_the_order_in_which_was_asked(store: Store) -> None:
    owner = own(store)
    owner.commit()  # the server has the script from now on
    lane = store.lane()
    before = lane.load([Wanted(0, instances=["i"])], NOW)
    written = lane.commit([owner.batch(instances={"i": b"{}"})])
    after = lane.load([Wanted(0, instances=["i"])], NOW)
    lane.send()
    assert after.wait()[0].instances == {"i": b"{}"}
    assert before.wait()[0].instances == {}
    assert [result.status for result in written.wait()] == ["committed"]
    assert before.wait()[0].instances == {}
    lane.close()


def test_a_read_finds_what_was_appended_after_it_was_asked_for_and_before_it_was_sent(store: Store) -> None:
    lane = store.lane()
    pending = lane.read(START, {0: START}, 10, None)
    store.append_events([b"event"])
    [record] = store.append_records(0, [b"record"])
    inbound = pending.wait()
    assert [entry.fields for entry in inbound.door] == [{b"event": b"event"}]
    assert [entry.id for entry in inbound.inboxes[0]] == [record]
    lane.close()


def test_several_commits_stand_or_fall_one_by_one(store: Store) -> None:
    former, other = own(store, 0), own(store, 1)
    own(store, 0)
    lane = store.lane()
    stale, taken = lane.commit([former.batch(), other.batch(instances={"i": b"{}"})]).wait()
    assert (stale.status, taken.status) == ("stale", "committed")
    assert store.instance(1, "i") == b"{}"
    lane.close()


def test_of_the_batches_that_were_prepared_those_that_are_committed_are_applied(store: Store) -> None:
    kept, dropped, unprepared = own(store, 0), own(store, 1), own(store, 2)
    batches = [owner.batch(instances={"i": b"{}"}, handing=None) for owner in (kept, dropped, unprepared)]
    lane = store.lane()
    lane.prepare(batches[0])
    lane.prepare(batches[1])
    results = lane.commit([batches[0], batches[2]]).wait()
    assert [result.status for result in results] == ["committed", "committed"]
    assert [store.instance(number, "i") for number in range(3)] == [b"{}", None, b"{}"]
    lane.close()


def test_a_batch_that_was_prepared_on_a_line_that_broke_is_committed_on_the_next(store: Store) -> None:
    batch = own(store).batch(instances={"i": b"{}"})
    lane = store.lane()
    lane.prepare(batch)
    lane.close()
    assert [result.status for result in lane.commit([batch]).wait()] == ["committed"]
    assert store.instance(0, "i") == b"{}"
    lane.close()


def test_a_request_without_anything_to_ask_is_answered_at_once(store: Store) -> None:
    lane = store.lane()
    [loaded] = lane.load([Wanted(0)], NOW).wait()
    assert (loaded.instances, loaded.devices, loaded.seen) == ({}, {}, {})
    lane.close()


def test_after_closing_every_answer_that_is_owed_is_a_failure(store: Store) -> None:
    lane = store.lane()
    pending = lane.commit([own(store).batch(instances={"i": b"{}"})])
    lane.close()
    with pytest.raises(StoreUnavailable):
        pending.wait()


def test_a_broken_line_fails_all_that_is_unanswered_and_a_new_request_opens_another(
    own_server: EmbeddedServer, namespace: str
) -> None:
    store = RedisStore(open_redis(own_server.url), namespace, partitions=4)
    owner = own(store)
    lane = store.lane()
    lane.load([Wanted(0, instances=["i"])], NOW).wait()
    with open_redis(own_server.url) as other:
        other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    first, second = lane.commit([owner.batch()]), lane.load([Wanted(0, instances=["i"])], NOW)
    for pending in (second, first):
        with pytest.raises(StoreUnavailable):
            pending.wait()
    assert store.lane().commit([owner.batch()]).wait()[0].status == "committed"
    assert lane.load([Wanted(0, instances=["i"])], NOW).wait()[0].instances == {}
    store.close()


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_server_that_has_forgotten_the_scripts_is_given_them_again(
    own_server: EmbeddedServer, namespace: str, partitions: int
) -> None:
    store = RedisStore(open_redis(own_server.url), namespace, partitions=4)
    owners = [own(store, number) for number in range(partitions)]
    with open_redis(own_server.url) as client:
        client.script_flush()
    results = store.lane().commit([owner.batch(counters={"n": 1}) for owner in owners]).wait()
    assert [result.status for result in results] == ["committed"] * partitions
    assert [store.partition_info(number).counters for number in range(partitions)] == [{"n": 1}] * partitions
    store.close()


def test_jobs_go_out_with_the_commit_that_was_applied_and_not_with_a_stale_one(
    own_server: EmbeddedServer, namespace: str
) -> None:
    client: Redis = open_redis(own_server.url)
    store = RedisStore(client, namespace, partitions=4)
    own(store, 2).commit()  # the server has the script from now on
    former, other = own(store, 0), own(store, 1)
    owner = own(store, 0)

    def handing(name: str) -> Handing:
        return Handing(PUSH, [f"{namespace}-queue", name])

    stale, taken = store.lane().commit(
        [former.batch(outbox=[b"[]"], handing=handing("stale")), other.batch(outbox=[b"[]"], handing=handing("first"))]
    ).wait()  # fmt: skip
    assert (stale.is_handed, taken.is_handed) == (False, True)
    [alone] = store.lane().commit([owner.batch(outbox=[b"[]"], handing=handing("second"))]).wait()
    assert alone.is_handed
    assert client.lrange(f"{namespace}-queue", 0, -1) == [b"first", b"second"]
    store.close()


def test_a_commit_whose_jobs_cannot_go_out_with_it_is_applied_and_says_so(
    own_server: EmbeddedServer, namespace: str
) -> None:
    store = RedisStore(open_redis(own_server.url), namespace, partitions=4)
    batch = own(store).batch(outbox=[b"[]"], handing=Handing("return redis.call('NOSUCH')", []))
    [result] = store.lane().commit([batch]).wait()
    assert (result.status, result.is_handed, len(result.outbox)) == ("committed", False, 1)
    assert len(store.outbox(0, START, 10)) == 1
    store.close()
