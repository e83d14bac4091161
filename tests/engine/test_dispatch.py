"""Jobs as the dispatcher writes them, read by RQ itself."""

from datetime import UTC, datetime

import pytest
from redis import Redis
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from rq.utils import utcformat
from stepwell_engine.dispatch import JOB_FUNCTION, Job, RqDispatcher, ended_job, rq_time
from stepwell_store.batches import Entry
from stepwell_store.embedded import EmbeddedServer
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore
from store_batches import own


def test_rq_reads_a_job_as_one_of_its_own(server_url: str, namespace: str) -> None:
    client: Redis = open_redis(server_url)
    token = f"{namespace}-token"
    before = datetime.now(UTC)
    RqDispatcher(client, namespace).enqueue([Job(3, token, "default", timeout_ms=1_500, what="act for run")])
    job = RqJob.fetch(token, connection=client, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == (JOB_FUNCTION, [namespace, 3, token], {})
    assert (job.origin, job.description, job.timeout) == (f"{namespace}-default", "act for run", 62)
    assert job.created_at is not None
    assert job.enqueued_at is not None
    assert before <= job.created_at == job.enqueued_at <= datetime.now(UTC)
    assert client.lrange(f"rq:queue:{namespace}-default", 0, -1) == [token.encode()]
    client.delete(f"rq:job:{token}", f"rq:queue:{namespace}-default")
    client.srem("rq:queues", f"rq:queue:{namespace}-default")
    client.close()


def test_jobs_that_have_ended_in_hand_are_forgotten_with_the_commit_that_was_applied_and_no_others(
    own_server: EmbeddedServer, namespace: str
) -> None:
    client: Redis = open_redis(own_server.url)
    store = RedisStore(client, namespace, partitions=4)
    own(store, 2).commit()  # the server has the script from now on
    dispatcher = RqDispatcher(client, namespace)
    ended = [(b"one", b"hands of a"), (b"two", b"hands of b"), (b"three", b"hands of b")]
    for id, hands in ended:
        client.hset(f"rq:job:{id.decode()}", "data", "-")
        client.rpush(hands, id, "other")
    jobs = [Job(0, f"new-{number}", "default") for number in range(2)]
    former, owner = own(store), own(store)
    [stale] = store.lane().commit([former.batch(handing=dispatcher.handing(jobs, ended))]).wait()
    assert (stale.status, client.exists("rq:job:one", "rq:job:two", "rq:job:three")) == ("stale", 3)
    [taken] = store.lane().commit([owner.batch(handing=dispatcher.handing(jobs, ended))]).wait()
    assert (taken.status, taken.is_handed) == ("committed", True)
    assert sorted(client.keys("rq:job:*")) == [b"rq:job:new-0", b"rq:job:new-1"]
    assert client.lrange(f"rq:queue:{namespace}-default", 0, -1) == [b"new-0", b"new-1"]
    assert client.lrange("hands of a", 0, -1) == [b"other"]
    assert client.lrange("hands of b", 0, -1) == [b"other", b"other"]
    store.close()


def test_the_hands_of_a_worker_may_have_any_name() -> None:
    assert ended_job(Entry("1-0", {b"r": b"{}", b"h": b"token hands of a"})) == (b"token", b"hands of a")


def test_more_than_a_script_takes_does_not_go_with_a_commit(
    own_server: EmbeddedServer, namespace: str
) -> None:
    client: Redis = open_redis(own_server.url)
    dispatcher = RqDispatcher(client, namespace)
    job, ended = Job(0, "job", "default"), (b"job", b"hands")
    assert dispatcher.handing([job] * 1_000, [ended] * 1_000) is not None
    assert dispatcher.handing([job] * 1_001, []) is None
    assert dispatcher.handing([], [ended] * 1_001) is None
    client.close()


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_a_time_is_written_as_rq_writes_it(microsecond: int) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, microsecond, UTC)
    assert rq_time(moment) == utcformat(moment)
