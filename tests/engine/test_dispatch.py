"""Jobs as the dispatcher writes them, read by RQ itself."""

from datetime import UTC, datetime

import pytest
from redis import Redis
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from rq.utils import utcformat
from stepwell_engine.dispatch import JOB_FUNCTION, Job, RqDispatcher, rq_time
from stepwell_store.open import open_redis


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


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_a_time_is_written_as_rq_writes_it(microsecond: int) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, microsecond, UTC)
    assert rq_time(moment) == utcformat(moment)
