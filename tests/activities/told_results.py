"""What tests of told results share: a server that writes everything to disk, and one who applies as the engine does."""

import os
import signal
from typing import Any

from activities.hands_bench import Bench
from activity_world import new_token
from redis import Redis
from stepwell_activities.attempt import Outcome, now_ms, parse_attempt
from stepwell_activities.hands import Hands, Shown
from stepwell_engine.dispatch import ended_job
from stepwell_store.batches import START, Commit, Entry
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis
from stepwell_store.positions import parse_position
from stepwell_store.protocol import Store
from stepwell_store.redis_store import RedisStore


def open_bench(server: EmbeddedServer, namespace: str) -> Bench:
    return Bench(
        RedisStore(open_redis(server.url), namespace, partitions=4), open_redis(server.url), namespace
    )


def outcome_of(shown: Shown, output: bytes = b"7") -> Outcome:
    return Outcome(parse_attempt(shown.payload), now_ms(), output=output)


def told_result(bench: Bench, hands: Hands) -> tuple[str, Entry]:
    """A result told from these hands: the attempt's token, and the entry of the inbox."""
    token, shown, hand = bench.laid_in(hands)
    assert hand.finish(outcome_of(shown)) is True
    [told] = bench.store.read(None, {0: START}, 10, None).inboxes[0]
    return token, told


def apply_alone(bench: Bench, token: str, told: Entry) -> str:
    """One commit of just this told result, which ends its attempt. How it was answered."""
    owner = bench.store.acquire(0, "test", 60_000)
    assert owner is not None
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, told.id, START, attempts={token: None})
    change.unwritten = told.id, told.fields[b"h"]
    return bench.store.commit([change])[0].status


def bytes_written(connection: Redis) -> int:
    found: Any = connection.info("persistence")
    return int(found["aof_current_size"])


def apply(bench: Bench, *ended_attempts: str, forgets: bool = True) -> str:
    """As the engine does: everything in the inbox in one commit, which ends these attempts. Its last position."""
    store: Store = bench.store
    owner = store.acquire(0, "test", 60_000)
    assert owner is not None
    entries = store.read(None, {0: START}, 1_000, None).inboxes[0]
    told = [entry for entry in entries if b"h" in entry.fields]
    change = Commit(0, owner.epoch, owner.revision, new_token(), 1, entries[-1].id, START)
    change.unwritten = (told[0].id, told[0].fields[b"h"]) if told else None
    change.attempts = dict.fromkeys(ended_attempts)
    change.handing = bench.dispatcher.handing([], [ended_job(entry) for entry in told]) if forgets else None
    [result] = store.lane().commit([change]).wait()
    assert result.status == "committed"
    assert result.is_handed or not told or not forgets
    return entries[-1].id


def kill_and_start(server: EmbeddedServer) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    server.start()
    assert server.pid != pid


def accept_with_a_clock_behind(bench: Bench, told: str, record: bytes, same: bool) -> None:
    """As a server in partition 0 that has forgotten what it told: before that one's position, or at the `same`."""
    inbox = f"{{{bench.namespace}:0}}:inbox"
    found: Any = bench.connection.xinfo_stream(inbox)
    milliseconds, _, number = found["last-generated-id"].decode().partition("-")
    before = f"{milliseconds}-{int(number) + 1}"
    assert parse_position(before) < parse_position(told)
    bench.connection.xadd(inbox, {"r": record}, id=told if same else before)
