"""What the store's tests write: commits of one partition in a row, and small stored values."""

from dataclasses import dataclass
from typing import Any

import orjson
from stepwell_schemas.catalog import StoredDefinition
from stepwell_store.batches import Commit, CommitResult, Loaded, Wanted
from stepwell_store.protocol import RequestedStart, StartReceipt, Store

NOW = 1_750_000_000_000
DAY = 24 * 60 * 60 * 1000
OWNER = "engine-a"


@dataclass
class Owner:
    """An engine's hold on a partition: makes commits that fit, one after the other."""

    store: Store
    partition: int
    epoch: int
    revision: int
    inbox: str
    door: str

    def batch(self, **values: Any) -> Commit:
        """The next commit, not yet sent."""
        defaults: dict[str, Any] = {"time_ms": NOW, "inbox": self.inbox, "door": self.door}
        token = f"{self.epoch}-{self.revision}"
        return Commit(
            partition=self.partition,
            epoch=self.epoch,
            revision=self.revision,
            token=token,
            **{**defaults, **values},
        )

    def commit(self, **values: Any) -> CommitResult:
        """Commit the values; they must be taken."""
        batch = self.batch(**values)
        [result] = self.store.commit([batch])
        assert result.status == "committed"
        self.revision += 1
        self.inbox, self.door = batch.inbox, batch.door
        return result

    def load(self, now_ms: int = NOW, **wanted: Any) -> Loaded:
        """What the partition has of these."""
        [loaded] = self.store.load([Wanted(self.partition, **wanted)], now_ms)
        return loaded


def own(store: Store, partition: int = 0, owner: str = OWNER) -> Owner:
    """Take a partition that is free."""
    ownership = store.acquire(partition, owner, 60_000)
    assert ownership is not None
    return Owner(store, partition, ownership.epoch, ownership.revision, ownership.inbox, ownership.door)


def request_start(
    store: Store, partition: int, instance: str, fingerprint: str, record: bytes
) -> StartReceipt:
    """One start by request."""
    (receipt,) = store.request_starts([RequestedStart(partition, instance, fingerprint, record)])
    assert isinstance(receipt, StartReceipt)
    return receipt


def instance_json(
    id: str,
    status: str = "running",
    definition: str = "d",
    device: str | None = None,
    created_ms: int = NOW,
) -> bytes:
    """A stored instance, as far as the store looks inside."""
    return orjson.dumps(
        {"id": id, "status": status, "definition": definition, "device": device, "created_ms": created_ms}
    )


def definition(
    version: str = "1.0.0", hash: str = "h1", id: str = "d", created_ms: int = NOW
) -> StoredDefinition:
    """A published definition."""
    return StoredDefinition(
        id=id, version=version, hash=hash, document={"id": id}, source=f"id: {id}\n", created_ms=created_ms
    )
