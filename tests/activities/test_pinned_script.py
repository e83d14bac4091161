"""A script on a connection of its own: what it answers, what it raises, and what becomes of its connection."""

import signal
import threading
from types import FrameType

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from stepwell_activities.pinned_script import PinnedScript
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import CorruptValue, StoreError, StoreUnavailable
from stepwell_store.open import open_redis

COUNT = "redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) return {KEYS[1], ARGV[1], #ARGV}"


def connections(client: Redis) -> set[str]:
    """Who is connected, but for the one that asks."""
    own = client.client_id()
    return {one["id"] for one in client.client_list() if one["id"] != str(own)}


def test_it_runs_with_its_keys_and_arguments_on_a_server_that_did_not_know_it(
    connection: Redis, namespace: str
) -> None:
    connection.script_flush()
    script = PinnedScript(connection, COUNT)
    for number in (1, 2, 3):
        if number == 3:
            connection.script_flush()
        assert script([namespace], [b"n", 5]) == [namespace.encode(), b"n", 2]
        assert connection.hget(namespace, "n") == b"%d" % (5 * number)
    script.close()
    connection.delete(namespace)


def test_it_keeps_one_connection_and_opens_another_after_it_was_closed(own_server: EmbeddedServer) -> None:
    with open_redis(own_server.url) as watcher, open_redis(own_server.url) as client:
        script = PinnedScript(client, "return 1")
        before = connections(watcher)
        assert script([], []) == script([], []) == 1
        [first] = connections(watcher) - before
        script.close()
        script.close()
        assert script([], []) == 1
        [second] = connections(watcher) - before
        assert second != first
        script.close()


def test_what_the_server_answers_with_an_error_is_raised_and_the_connection_stays(
    own_server: EmbeddedServer,
) -> None:
    with open_redis(own_server.url) as watcher, open_redis(own_server.url) as client:
        watcher.rpush("k", "v")
        script = PinnedScript(client, COUNT)
        before = connections(watcher)
        with pytest.raises(CorruptValue, match="holds another type") as caught:
            script(["k"], ["n", 1])
        assert isinstance(caught.value.__cause__, ResponseError)
        [first] = connections(watcher) - before
        assert script(["other"], ["n", 1]) == [b"other", b"n", 2]
        assert connections(watcher) - before == {first}
        with pytest.raises(StoreError, match=r"(?i)unknown"):
            PinnedScript(client, "return redis.call('NOSUCH')")([], [])


def test_a_broken_line_is_told_and_the_next_call_has_another(own_server: EmbeddedServer) -> None:
    with open_redis(own_server.url) as other, open_redis(own_server.url) as client:
        script = PinnedScript(client, "return redis.call('INCR', 'n')")
        assert script([], []) == 1
        other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(StoreUnavailable):
            script([], [])
        assert script([], []) == 2, "and nothing was repeated by itself"


def test_a_call_that_a_signal_breaks_off_leaves_no_answer_for_the_next(own_server: EmbeddedServer) -> None:
    class BrokenOff(BaseException):
        pass

    def break_off(number: int, frame: FrameType | None) -> None:
        raise BrokenOff

    with open_redis(own_server.url) as other, open_redis(own_server.url) as client:
        script = PinnedScript(client, "return ARGV[1]")
        assert script([], ["first"]) == b"first"
        other.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        before = signal.signal(signal.SIGALRM, break_off)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(BrokenOff):
                script([], ["second"])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            other.execute_command("CLIENT", "UNPAUSE")
        assert script([], ["third"]) == b"third"


def test_threads_take_turns(connection: Redis) -> None:
    script = PinnedScript(connection, "return ARGV[1]")
    found: dict[int, list[bytes]] = {}

    def ask(number: int) -> None:
        found[number] = [script([], [number]) for _ in range(200)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [b"%d" % number] * 200 for number in range(4)}
    script.close()
