"""What the engine does with results that are told and not written."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from activities.hands_bench import Bench, number, worker_of
from activities.told_results import (
    accept_with_a_clock_behind,
    bytes_written,
    kill_and_start,
    open_bench,
    outcome_of,
)
from end_to_end.process import wait_until
from stepwell_activities.attempt import parse_attempt
from stepwell_activities.hands import Shown
from stepwell_activities.registry import publish as publish_activities
from stepwell_activities.watching import QueueWatcher
from stepwell_engine.catalog import publish
from stepwell_engine.loop import Engine
from stepwell_store.batches import START
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.errors import StoreUnavailable
from stepwell_store.redis_lane import RedisLane

WORKFLOW = """
id: two
version: 1.0.0
startAt: A
states:
  A: {type: task, activity: number, input: {n: 1}, resultPath: null, next: B}
  B: {type: task, activity: number, input: {n: 2}, end: true}
"""


class Followed:
    """An engine that a test leads step by step, and two workflows of one partition."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.store = bench, bench.store
        self.hands = bench.hands("one")
        self.engine = Engine(bench.store, bench.dispatcher, "engine", handing=bench.dispatcher.handing)
        publish_activities(bench.runtimes[-1].runner.registry, bench.store)
        assert publish(bench.store, WORKFLOW, now_ms=0).problems == []

    def record(self, key: str) -> bytes:
        """What asks for a workflow in partition 0."""
        about = {"instance": f"two~{key}~0", "definition": "two", "version": None}
        return orjson.dumps({"op": "start", **about, "input": {}})

    def status(self, key: str) -> str | None:
        stored = self.store.instance(0, f"two~{key}~0")
        return None if stored is None else orjson.loads(stored)["status"]

    def next_in_hand(self, watcher: QueueWatcher) -> Shown:
        found: list[Shown] = []

        def is_shown() -> bool:
            self.engine.step(1)
            found.extend(filter(None, [watcher.wait(0.001)]))
            return bool(found)

        wait_until(is_shown, 30, "a job is in hand")
        return found[0]

    def forgets(self) -> bool:
        """One more round of the engine; whether nothing is in hand any more."""
        self.engine.step(1)
        return not self.bench.in_hand(self.hands)


def last_given(bench: Bench, partition: int = 0) -> str:
    found: Any = bench.connection.xinfo_stream(f"{{{bench.namespace}:{partition}}}:inbox")
    return str(found["last-generated-id"].decode())


def test_the_engine_applies_what_is_told_and_forgets_the_job_in_the_same_commit(
    durable_server: EmbeddedServer, namespace: str
) -> None:
    bench = open_bench(durable_server, namespace)
    followed = Followed(bench)
    bench.store.append_records(0, [followed.record("x")])
    told: list[str] = []
    with QueueWatcher(bench.connection, [bench.queue], followed.hands) as watcher:
        for number in (1, 2):
            shown = followed.next_in_hand(watcher)
            assert shown.hand is not None
            assert parse_attempt(shown.payload).input == {"n": number}
            before = bytes_written(bench.connection)
            assert shown.hand.finish(outcome_of(shown, b"%d" % number)) is True
            assert bytes_written(bench.connection) == before
            assert bench.in_hand(followed.hands) == [shown.id]
            told.append(shown.id)
            wait_until(followed.forgets, 30, "the job is forgotten")
            assert not bench.connection.exists(*(f"rq:job:{token}" for token in told))
    assert followed.status("x") == "succeeded"
    before_it = last_given(bench)
    kill_and_start(durable_server)
    assert followed.status("x") == "succeeded"
    assert last_given(bench) == before_it
    bench.store.close()
    bench.close()


@pytest.mark.parametrize("same", [False, True])
def test_what_is_accepted_while_the_engine_repeats_its_commit_to_a_server_that_has_forgotten_the_result_is_applied(
    durable_server: EmbeddedServer, namespace: str, monkeypatch: pytest.MonkeyPatch, signals: None, same: bool
) -> None:
    bench = open_bench(durable_server, namespace)
    followed = Followed(bench)
    bench.store.append_records(0, [followed.record("x")])
    with QueueWatcher(bench.connection, [bench.queue], followed.hands) as watcher:
        shown = followed.next_in_hand(watcher)
    assert shown.hand is not None
    followed.engine.step(1)
    assert shown.hand.finish(outcome_of(shown)) is True
    [told] = bench.store.read(None, {0: START}, 10, None).inboxes[0]
    commit = RedisLane.commit
    sent: list[Any] = []

    def killed_before(lane: RedisLane, commits: Any) -> Any:
        if not sent:
            kill_and_start(durable_server)
            accept_with_a_clock_behind(bench, told.id, followed.record("y"), same)
        sent.append(commits)
        return commit(lane, commits)

    monkeypatch.setattr(RedisLane, "commit", killed_before)
    worker = worker_of(bench, number)

    def both_succeed() -> bool:
        with suppress(StoreUnavailable):
            followed.engine.step(1)
        followed.hands.put_back()
        worker.work(burst=True)
        return (followed.status("x"), followed.status("y")) == ("succeeded", "succeeded")

    wait_until(both_succeed, 30, "both workflows succeed")
    assert [one.unwritten for one in sent[0]] == [(told.id, told.fields[b"h"])]
    bench.store.close()
    bench.close()
