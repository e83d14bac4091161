"""The API with the engine over a real server: the same answers as in memory, replies over its channels."""

from api_world import api, cloud_event, eventually, world
from stepwell_store.open import open_redis
from stepwell_store.redis_store import RedisStore


def test_a_workflow_is_started_looked_at_signalled_and_listed(redis_store: RedisStore) -> None:
    with world(redis_store) as client:
        started = client.post("/workflows", {"type": "waiting", "device": "d1", "instanceId": "mine"}).json()
        assert started["status"] == "running"
        assert client.get("/workflows/mine").json()["openWaits"][0]["event"] == "Paid"
        second = client.post("/workflows", {"type": "waiting", "device": "d1"})
        assert (second.status_code, second.json()["instanceId"]) == (409, "mine")
        raised = client.post("/workflows/mine/events/Paid", {"amount": 1})
        assert raised.json()["disposition"] == "consumed"
        assert client.get("/workflows?status=succeeded").json()["items"][0]["instanceId"] == "mine"
        assert len(client.get("/workflows/mine/history").json()["items"]) == 2
        assert client.get("/health/ready").status_code == 200


def test_events_end_in_a_disposition_and_unknown_ones_in_a_dead_letter(redis_store: RedisStore) -> None:
    with world(redis_store) as client:
        client.post("/events", [cloud_event("1"), cloud_event("2", type="Unheard")])
        letter = eventually(lambda: client.get("/dead-letters").json()["items"])[0]
        assert client.get("/events/2").json()["disposition"] == "deadLettered"
        assert client.get("/events/1").json()["disposition"] == "started"
        client.post(f"/dead-letters/{letter['id']}/replay", {"event": cloud_event("2")})
        eventually(lambda: client.get("/events/2").json()["disposition"] == "buffered")
        assert client.get("/devices/sensor-7/events").json()["items"][1]["id"] == "2"


def test_a_server_without_memory_is_429_and_takes_events_again_after(
    redis_store: RedisStore, server_url: str
) -> None:
    server = open_redis(server_url)
    limit = server.config_get("maxmemory")["maxmemory"] or 0
    with api(redis_store) as client:
        try:
            server.config_set("maxmemory", 1)
            answer = client.post("/events", cloud_event("1"))
        finally:
            server.config_set("maxmemory", limit)
        assert answer.status_code == 429
        assert "out of memory" in answer.json()["detail"]
        assert client.post("/events", cloud_event("1")).status_code == 202
