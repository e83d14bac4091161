"""Attempts in memory: what a worker takes, keeps and reports, and what its owner finds overdue."""

import threading
from collections.abc import Callable, Sequence

from stepwell_store.memory_partition import MemoryClaim, MemoryPartition
from stepwell_store.protocol import Claim, DueAttempt


class MemoryWorkers:
    """The part of `MemoryStore` that workers call."""

    _changed: threading.Condition
    _parts: list[MemoryPartition]
    _clock: Callable[[], int]

    def claim(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int) -> bytes | None:
        with self._changed:
            part = self._parts[partition]
            payload, held = part.attempts.get(token), part.claims.get(token)
            if payload is None or (held is not None and held.reported is not None):
                return None
            if held is None or held.worker != worker:
                if held is not None and part.deadlines[token] > now_ms:
                    return None
                part.claims[token] = MemoryClaim(worker, now_ms, now_ms)
            part.deadlines[token] = now_ms + lease_ms
            return payload

    def extend(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int, sign: bool) -> bool:
        with self._changed:
            part = self._parts[partition]
            held = part.claims.get(token)
            if token not in part.attempts or held is None or held.worker != worker or held.reported:
                return False
            part.deadlines[token] = now_ms + lease_ms
            if sign:
                held.sign_ms = now_ms
            return True

    def report(self, partition: int, token: str, record: bytes, now_ms: int, grace_ms: int) -> str:
        with self._changed:
            part = self._parts[partition]
            held = part.claims.get(token)
            if held is not None and held.reported is not None:
                return held.reported
            position = self._to_inbox(part, record)
            if token in part.attempts:
                part.deadlines[token] = now_ms + grace_ms
            if held is not None:
                held.reported = position
            return position

    def claim_many(
        self, attempts: Sequence[tuple[int, str]], worker: str, now_ms: int, lease_ms: int
    ) -> list[bytes | None]:
        return [self.claim(partition, token, worker, now_ms, lease_ms) for partition, token in attempts]

    def unclaim(self, attempts: Sequence[tuple[int, str]], worker: str, now_ms: int, grace_ms: int) -> None:
        with self._changed:
            for partition, token in attempts:
                part = self._parts[partition]
                held = part.claims.get(token)
                if held is not None and held.worker == worker and held.reported is None:
                    del part.claims[token]
                    if token in part.attempts:
                        part.deadlines[token] = now_ms + grace_ms

    def report_many(self, reports: Sequence[tuple[int, str, bytes]], now_ms: int, grace_ms: int) -> list[str]:
        return [
            self.report(partition, token, record, now_ms, grace_ms) for partition, token, record in reports
        ]

    def claims(self, partition: int, tokens: Sequence[str]) -> dict[str, Claim]:
        with self._changed:
            held = self._parts[partition].claims
            return {token: held[token].public() for token in tokens if token in held}

    def due_attempts(self, partition: int, now_ms: int, limit: int) -> list[DueAttempt]:
        with self._changed:
            part = self._parts[partition]
            due = sorted((at, token) for token, at in part.deadlines.items() if at <= now_ms)[:limit]
            return [self._due(part, token) for _, token in due]

    def attempts(self, partition: int) -> dict[str, bytes]:
        with self._changed:
            return dict(self._parts[partition].attempts)

    def _to_inbox(self, part: MemoryPartition, record: bytes) -> str:
        position = part.inbox.append({b"r": record}, self._clock())
        self._changed.notify_all()
        return position

    @staticmethod
    def _due(part: MemoryPartition, token: str) -> DueAttempt:
        held = part.claims.get(token)
        return DueAttempt(token, part.attempts[token], None if held is None else held.public())
