"""What must hold at every single call of the store, told by what was asked and answered: not what the store checks.

`ObservedStore` is the memory store with someone looking on; `findings` holds a line for everything that is wrong.
"""

from collections import defaultdict
from collections.abc import Sequence

from stepwell_engine.dispatch import Job
from stepwell_engine.intake import order
from stepwell_store.batches import Commit, CommitResult
from stepwell_store.memory_store import MemoryStore


class ObservedStore(MemoryStore):
    """Looks on while engines commit, trim and hand out, and while workers claim."""

    findings: list[str]
    pushed: list[bytes]
    """Every event in the order of the door, repeats included."""

    def observe(self) -> None:
        """Begin to look on."""
        self.findings, self.pushed = [], []
        self._applied: dict[int, list[str]] = defaultdict(list)
        self._promised: set[str] = set()
        """Tokens of all attempts that were ever committed."""
        self._leases: dict[str, tuple[str, int]] = {}

    def append_events(self, events: Sequence[bytes], replay: bool = False) -> list[str]:
        self.pushed += events
        return super().append_events(events, replay)

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        return [self._commit(commit) for commit in commits]

    def _commit(self, commit: Commit) -> CommitResult:
        part, applied = self._parts[commit.partition], self._applied[commit.partition]
        epoch, revision = part.epoch, part.revision
        inbox, door = part.inbox_position, part.door_position
        (result,) = super().commit([commit])
        where = f"partition {commit.partition}, revision {revision}"
        if result.status == "stale":
            self._expect(commit.token not in applied[-1:], f"{where}: the last commit, repeated, is refused")
        elif part.revision != revision:
            self._expect(commit.epoch == epoch, f"{where}: an owner of epoch {commit.epoch} wrote in {epoch}")
            self._expect(commit.token not in applied, f"{where}: a commit was applied twice")
            self._expect(order(commit.inbox) >= order(inbox), f"{where}: the inbox's position went back")
            self._expect(order(commit.door) >= order(door), f"{where}: the door's position went back")
            applied.append(commit.token)
            for token, attempt in commit.attempts.items():
                self._leases.pop(token, None)
                if attempt is not None:
                    self._promised.add(token)
        return result

    def trim_door(self, before: str) -> None:
        least = min((part.door_position for part in self._parts), key=order)
        self._expect(order(before) <= order(least), f"the door is trimmed to {before}, but {least} is needed")
        super().trim_door(before)

    def claim(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int) -> bytes | None:
        payload = super().claim(partition, token, worker, now_ms, lease_ms)
        if payload is not None:
            holder, until_ms = self._leases.get(token, (worker, 0))
            holds = holder != worker and until_ms > now_ms
            self._expect(not holds, f"{worker} claims {token}, which {holder} holds")
            self._leases[token] = worker, now_ms + lease_ms
        return payload

    def extend(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int, sign: bool) -> bool:
        is_extended = super().extend(partition, token, worker, now_ms, lease_ms, sign)
        if is_extended:
            holder, _ = self._leases.get(token, (worker, 0))
            self._expect(holder == worker, f"{worker} extends {token}, which {holder} holds")
            self._leases[token] = worker, now_ms + lease_ms
        return is_extended

    def handed_out(self, jobs: Sequence[Job]) -> None:
        """These go to the queue now."""
        for job in jobs:
            self._expect(job.token in self._promised, f"job {job.token} left before its commit was durable")

    def _expect(self, holds: bool, finding: str) -> None:
        if not holds:
            self.findings.append(finding)
