"""What only the Redis store can get wrong: namespaces, layouts, forgotten scripts, a server that refuses."""

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from importlib.resources import files

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from stepwell_store.batches import START, Wanted
from stepwell_store.commit_packing import LEDGER_SEPARATOR
from stepwell_store.compression import MARK, compressed, compressed_small
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import CorruptValue, LayoutMismatch, StoreError, StoreUnavailable
from stepwell_store.keys import LAYOUT_VERSION, Keys, is_known_key
from stepwell_store.open import open_redis
from stepwell_store.protocol import InstanceFilter, RequestedStart
from stepwell_store.redis_link import SCRIPTS
from stepwell_store.redis_store import RedisStore
from store_batches import NOW, definition, instance_json, own, request_start


@pytest.fixture
def client(server_url: str) -> Iterator[Redis]:
    with open_redis(server_url) as opened:
        yield opened


def test_two_namespaces_do_not_meet(redis_store: RedisStore, server_url: str, namespace: str) -> None:
    other = RedisStore(open_redis(server_url), f"{namespace}-2", partitions=4)
    redis_store.append_events([b"1"])
    redis_store.publish_definition(definition())
    redis_store.place_all([("i", 2)])
    owner = own(redis_store)
    owner.commit(instances={"i": instance_json("i")}, index=[("i", "d", None, "running", NOW)], dead=[b"x"])
    assert other.door_length() == 0
    assert other.definitions() == {}
    assert other.locate_all(["i"]) == [None]
    assert other.instances(InstanceFilter(), ["d"], 10, None) == ([], None)
    assert other.dead_letters(10, None) == ([], None)
    assert own(other).epoch == 1
    other.close()


def test_what_is_written_over_lies_fast_and_what_stays_lies_small(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    one, two = instance_json("i") + b" " * 200, instance_json("i", status="failed") + b" " * 200
    texts = [
        b'{"n":%d,"type":"TaskSucceeded","padding":"5b343d9afe11353c24212a64fe745ac2"}' % n * 3
        for n in range(4)
    ]
    assert all(compressed(text)[:1] == MARK and compressed(text) != compressed_small(text) for text in texts)
    owner = own(redis_store)
    ledger, keys = [texts[0], texts[1]], Keys(namespace, redis_store.partitions)
    index = [("i", "d", None, "running", NOW)]
    owner.commit(
        instances={"i": one}, index=index, history={"i": texts[:2]}, accumulated={"d": [(1, texts[2])]}
    )
    assert client.hget(keys.of(0, "instances"), "i") == compressed_small(one)
    owner.commit(
        instances={"i": two}, history={"i": texts[2:]}, accumulated={"d": [(2, texts[3])]}, ledger=ledger
    )
    assert client.hget(keys.of(0, "instances"), "i") == compressed(two)
    assert client.lrange(keys.of(0, "history:i"), 0, -1) == [compressed_small(text) for text in texts]
    events = [b"%d %b" % (n, compressed_small(texts[n + 1])) for n in (1, 2)]
    assert client.lrange(keys.of(0, "events:d"), 0, -1) == events
    [(_, fields)] = client.xrange(keys.of(0, "ledger"))  # type: ignore[misc]  # not an async client
    assert fields == {b"e": compressed_small(LEDGER_SEPARATOR.join(ledger))}


def test_a_store_is_opened_again_as_it_was(redis_store: RedisStore, server_url: str, namespace: str) -> None:
    redis_store.append_events([b"1"])
    again = RedisStore(open_redis(server_url), namespace, partitions=4)
    assert again.door_length() == 1
    again.close()


def test_another_number_of_partitions_is_refused(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    with pytest.raises(LayoutMismatch, match="created with 4 partitions, and the settings say 8"):
        RedisStore(client, namespace, partitions=8)


def test_a_newer_layout_is_refused(client: Redis, namespace: str) -> None:
    client.hset(Keys(namespace, 4).layout, mapping={"version": LAYOUT_VERSION + 1, "partitions": 4})
    with pytest.raises(LayoutMismatch, match="written by a newer release"):
        RedisStore(client, namespace, partitions=4)


def test_a_store_without_partitions_is_refused(client: Redis, namespace: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RedisStore(client, namespace, partitions=0)


def test_forgotten_scripts_are_loaded_again_in_the_middle_of_a_pipeline(
    redis_store: RedisStore, client: Redis
) -> None:
    first, second = own(redis_store, 0), own(redis_store, 1)
    first.commit(devices={"dev": b"D"}, accumulated={"dev": [(1, b"e")]}, available={"dev": [1]})
    client.script_flush()
    results = redis_store.commit([first.batch(counters={"n": 1}), second.batch(counters={"n": 1})])
    assert [result.status for result in results] == ["committed", "committed"]
    assert [redis_store.partition_info(n).counters for n in (0, 1)] == [{"n": 1}, {"n": 1}]
    client.script_flush()
    [loaded] = redis_store.load([Wanted(0, devices=["dev"], available=["dev"], seen=[b"k"])], NOW)
    assert (loaded.devices, loaded.available) == ({"dev": b"D"}, {"dev": [(1, b"e")]})


def test_a_forgotten_script_is_given_again_where_it_is_asked_for_alone(
    redis_store: RedisStore, client: Redis
) -> None:
    for instance in ("first", "second"):
        client.script_flush()
        assert request_start(redis_store, 0, instance, "f", b"{}").status == "created"
        assert request_start(redis_store, 0, instance, "f", b"{}").status == "repeated"
    assert redis_store.partition_info(0).inbox_length == 2


def test_what_one_partition_refuses_is_not_the_others(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    keys = Keys(namespace, 4)
    for name in ("inbox", "instances"):
        client.set(keys.of(1, name), "of another type")
    client.script_flush()
    starts = [RequestedStart(number, f"i{number}", "f", b"{}") for number in range(3)]
    appended = redis_store.append_each([(number, b"r") for number in (0, 1, 2, 1)])
    read = redis_store.read_instances([(number, "i") for number in range(3)])
    for found in (redis_store.request_starts(starts), appended[:3], read):
        assert [isinstance(answer, CorruptValue) for answer in found] == [False, True, False]
    assert isinstance(appended[3], CorruptValue)
    assert [redis_store.partition_info(number).inbox_length for number in (0, 2)] == [2, 2]
    client.set(keys.of(1, "starts"), "of another type")
    reserved = redis_store.read_reservations([(number, f"i{number}") for number in range(3)])
    assert [reserved[0], reserved[2]] == ["f", "f"]
    alone = (redis_store.append_each([(1, b"r")]), redis_store.request_starts(starts[1:2]), reserved[1:2])
    for (answer,) in alone:
        assert isinstance(answer, CorruptValue)
        assert isinstance(answer.__cause__, ResponseError)


def test_many_are_written_in_one_transaction(redis_store: RedisStore, client: Redis) -> None:
    def transactions() -> int:
        return int(client.info("commandstats").get("cmdstat_exec", {"calls": 0})["calls"])

    redis_store.append_each([(0, b"known")])
    request_start(redis_store, 0, "known", "f", b"{}")
    before = transactions()
    redis_store.append_each([(0, b"a"), (1, b"b")])
    redis_store.request_starts([RequestedStart(number, "i", "f", b"{}") for number in range(2)])
    assert transactions() == before + 2
    redis_store.append_each([(0, b"a")])
    redis_store.request_starts([RequestedStart(0, "j", "f", b"{}")])
    assert transactions() == before + 2


def test_a_place_that_is_no_partition_is_named_and_the_others_are_found(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    placed = Keys(namespace, 4).placed
    client.hset(placed, mapping={"torn": "x", "beyond": "4", "good": "3"})
    for found in (
        redis_store.locate_all(["torn", "beyond", "good"]),
        redis_store.place_all([("torn", 0), ("beyond", 0), ("good", 0)]),
    ):
        assert [isinstance(home, CorruptValue) for home in found] == [True, True, False]
        assert found[2] == 3
    client.delete(placed)
    client.set(placed, "of another type")
    with pytest.raises(CorruptValue, match="another type"):
        redis_store.place_all([("good", 0)])


def test_a_busy_server_is_away_for_one_command_and_for_many(
    own_server: EmbeddedServer, namespace: str
) -> None:
    store = RedisStore(open_redis(own_server.url), namespace, partitions=4)
    store.append_each([(0, b"a"), (1, b"b")])
    with open_redis(own_server.url) as other, open_redis(own_server.url) as killer:
        other.config_set("busy-reply-threshold", 1)
        thread = threading.Thread(target=spin, args=(other,))
        thread.start()
        try:
            eventually_busy(killer)
            for records in ([(0, b"c")], [(0, b"c"), (1, b"d")]):
                told = refusals(store, records)
                assert {type(error) for error in told} == {StoreUnavailable}, told
        finally:
            killer.execute_command("SCRIPT", "KILL")
            thread.join(30)


def refusals(store: RedisStore, records: Sequence[tuple[int, bytes]]) -> list[object]:
    """What is told of each, or of all."""
    try:
        return list(store.append_each(records))
    except StoreError as error:
        return [error]


def spin(client: Redis) -> None:
    with contextlib.suppress(ResponseError):
        client.eval("while true do end", 0)


def eventually_busy(client: Redis) -> None:
    for _ in range(1_000):
        try:
            client.get("x")
        except ResponseError:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the server is not busy")


def test_a_key_of_another_type_is_named_as_corrupt(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    client.set(Keys(namespace, 4).of(0, "outbox"), "not a stream")
    with pytest.raises(CorruptValue, match="another type"):
        redis_store.outbox(0, START, 10)


def test_an_accumulator_that_cannot_be_read_does_not_keep_its_device_from_loading(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    keys = Keys(namespace, 4)
    record = b'{"dropped":1}'
    own(redis_store).commit(
        devices=dict.fromkeys(["typed", "garbled", "sound"], record), accumulated={"sound": [(2, b"e")]}
    )
    client.set(keys.accumulated(0, "typed"), "not a list")
    client.rpush(keys.accumulated(0, "garbled"), b"3 \x02not compressed", b"no number")
    [loaded] = redis_store.load([Wanted(0, devices=["typed", "garbled", "sound"])], NOW)
    assert loaded.devices == dict.fromkeys(["typed", "garbled", "sound"], record)
    assert loaded.oldest == {"sound": [(2, b"e")]}
    own(redis_store).commit(accumulated={"shorn": [(n, b"e") for n in (20, 21, 22)]})
    behind = {"typed": 1, "garbled": 2, "sound": 1, "shorn": 18}
    [loaded] = redis_store.load([Wanted(0, behind=behind)], NOW)
    assert {name: found for name, found in loaded.oldest.items() if found} == {"sound": [(2, b"e")]}


def test_large_accumulated_events_do_not_come_for_all_devices_at_once(redis_store: RedisStore) -> None:
    names = [f"d{number}" for number in range(40)]
    events = [(n, os.urandom(25_000)) for n in range(1, 6)]
    own(redis_store).commit(
        devices=dict.fromkeys(names, b'{"dropped":1}'), accumulated=dict.fromkeys(names, events)
    )
    [loaded] = redis_store.load([Wanted(0, devices=names)], NOW)
    assert loaded.devices.keys() == set(names)
    assert loaded.oldest == dict.fromkeys(names[:11], events[:4])
    [loaded] = redis_store.load([Wanted(0, behind=dict.fromkeys(names, 1))], NOW)
    assert {name: found for name, found in loaded.oldest.items() if found} == dict.fromkeys(
        names[:11], events[1:]
    )


def test_a_stored_definition_that_cannot_be_read_names_its_key(
    redis_store: RedisStore, client: Redis, namespace: str
) -> None:
    client.hset(Keys(namespace, 4).definition("d"), "1.0.0", "1 hash {}")
    with pytest.raises(CorruptValue, match=f"{namespace}:definition:d: not a stored definition"):
        redis_store.versions("d")


def test_a_server_without_memory_writes_nothing_and_says_so(
    own_server: EmbeddedServer, namespace: str
) -> None:
    store = RedisStore(open_redis(own_server.url), namespace, partitions=4)
    owner = own(store)
    with open_redis(own_server.url) as client:
        client.config_set("maxmemory", "1mb")
        with pytest.raises(StoreUnavailable, match="out of memory"):
            store.commit([owner.batch(instances={"i": b"{}"}, counters={"n": 1})])
        for refused in (lambda: store.append_events([b"1"]), store.ping):
            with pytest.raises(StoreUnavailable, match="out of memory"):
                refused()
        assert store.partition_info(0).revision == 0
        client.config_set("maxmemory", "0")
    assert store.commit([owner.batch(counters={"n": 1})])[0].status == "committed"
    store.close()


def test_a_server_that_is_gone_is_unavailable(own_server: EmbeddedServer, namespace: str) -> None:
    store = RedisStore(open_redis(own_server.url), namespace, partitions=4)
    own_server.stop()
    for refused in (store.ping, store.door_length, lambda: store.append_events([b"1"])):
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            refused()
    store.close()


def test_the_key_checker_knows_a_stranger() -> None:
    keys = Keys("n", 4)
    assert is_known_key(keys.history(0, "a:b"), "n")
    assert is_known_key(keys.events, "n")
    assert not is_known_key("{n:0}:histories:a", "n")
    assert not is_known_key("n:events:2", "n")
    assert not is_known_key("{m:0}:meta", "n")


def test_every_script_is_known_and_says_what_it_takes_and_gives() -> None:
    folder = {
        path.name.removesuffix(".lua"): path for path in files("stepwell_store").joinpath("lua").iterdir()
    }
    assert sorted(folder) == sorted(SCRIPTS)
    for path in folder.values():
        text = path.read_text(encoding="utf-8")
        assert all(word in text for word in ("-- KEYS", "-- Returns ")), path.name
