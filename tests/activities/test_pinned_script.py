"""A script on a connection of its own: what it answers, what it raises, and what becomes of its connection."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from redis import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError
from stepwell_activities.pinned_script import HOLD_SECONDS, PinnedScript
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


def one_connection(server: EmbeddedServer) -> Redis:
    """A client that has no more than one connection: who does not give it back keeps everybody else waiting."""
    from_url: Callable[..., Any] = BlockingConnectionPool.from_url
    return Redis(connection_pool=from_url(server.url, max_connections=1, timeout=0.05, protocol=2))


def test_it_keeps_its_connection_until_it_is_closed(own_server: EmbeddedServer) -> None:
    with open_redis(own_server.url) as watcher, one_connection(own_server) as client:
        script = PinnedScript(client, "return 1")
        before = connections(watcher)
        assert script([], []) == script([], []) == 1
        assert len(connections(watcher) - before) == 1
        with pytest.raises(Disconnected):
            client.ping()
        script.close()
        script.close()
        assert client.ping()
        assert script([], []) == 1
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


def test_a_line_that_breaks_is_told_and_the_next_call_has_another(own_server: EmbeddedServer) -> None:
    with open_redis(own_server.url) as other, one_connection(own_server) as client:
        script = PinnedScript(client, "return redis.call('INCR', 'n')")
        assert script([], []) == 1
        other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(StoreUnavailable):
            script([], [])
        assert client.ping(), "its connection is the pool's again"
        assert script([], []) == 2, "and nothing was repeated by itself"
        script.close()


def test_a_line_that_was_closed_while_it_was_not_needed_is_opened_anew_without_a_word(
    own_server: EmbeddedServer,
) -> None:
    now = [100.0]
    with open_redis(own_server.url) as other, one_connection(own_server) as client:
        script = PinnedScript(client, "return redis.call('INCR', 'n')", lambda: now[0])
        for number in range(1, 4):
            assert script([], []) == number
            other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            now[0] += HOLD_SECONDS
        script.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Disconnected])
def test_what_breaks_a_call_off_behind_its_question_leaves_no_answer_for_the_next(
    own_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    with open_redis(own_server.url) as other, one_connection(own_server) as client:
        script = PinnedScript(client, "return ARGV[1]")
        assert script([], ["first"]) == b"first"
        other.execute_command(
            "CLIENT", "PAUSE", 200, "ALL"
        )  # the answer comes when nobody waits for it any more
        send: Callable[..., None] = UnixDomainSocketConnection.send_packed_command

        def sent_and_broken_off(self: UnixDomainSocketConnection, *given: Any) -> None:
            monkeypatch.undo()
            send(self, *given)
            raise error

        monkeypatch.setattr(UnixDomainSocketConnection, "send_packed_command", sent_and_broken_off)
        with pytest.raises(StoreUnavailable if error is Disconnected else error):
            script([], ["second"])
        assert script([], ["third"]) == b"third"
        script.close()


def test_closing_raises_nothing(own_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_redis(own_server.url) as client:
        script = PinnedScript(client, "return 1")
        assert script([], []) == 1

        def refused(connection: Any) -> None:
            raise Disconnected("new credentials cannot be told")

        monkeypatch.setattr(client.connection_pool, "release", refused)
        script.close()


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
