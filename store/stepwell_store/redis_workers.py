"""Attempts on Redis: what a worker takes, keeps and reports, and what its owner finds overdue."""

from collections.abc import Sequence

from stepwell_store.errors import CorruptValue
from stepwell_store.protocol import Claim, DueAttempt
from stepwell_store.redis_link import Call, Linked


class RedisWorkers(Linked):
    """The part of `RedisStore` that workers call."""

    def claim(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int) -> bytes | None:
        keys = self._attempt_keys(partition)
        payload: bytes | None = self._link.script("claim", keys, token, worker, now_ms, now_ms + lease_ms)
        return payload

    def extend(self, partition: int, token: str, worker: str, now_ms: int, lease_ms: int, sign: bool) -> bool:
        keys = self._attempt_keys(partition)
        return bool(
            self._link.script("extend", keys, token, worker, now_ms, now_ms + lease_ms, "1" if sign else "0")
        )

    def report(self, partition: int, token: str, record: bytes, now_ms: int, grace_ms: int) -> str:
        keys = [*self._attempt_keys(partition), self._keys.of(partition, "inbox")]
        position: bytes = self._link.script("report", keys, token, record, now_ms + grace_ms)
        return position.decode()

    def claim_many(
        self, attempts: Sequence[tuple[int, str]], worker: str, now_ms: int, lease_ms: int
    ) -> list[bytes | None]:
        return self._link.run(
            [
                Call("claim", self._attempt_keys(partition), (token, worker, now_ms, now_ms + lease_ms))
                for partition, token in attempts
            ]
        )

    def unclaim(self, attempts: Sequence[tuple[int, str]], worker: str, now_ms: int, grace_ms: int) -> None:
        self._link.run(
            [
                Call("unclaim", self._attempt_keys(partition), (token, worker, now_ms + grace_ms))
                for partition, token in attempts
            ]
        )

    def report_many(self, reports: Sequence[tuple[int, str, bytes]], now_ms: int, grace_ms: int) -> list[str]:
        positions = self._link.run(
            [
                Call(
                    "report",
                    [*self._attempt_keys(partition), self._keys.of(partition, "inbox")],
                    (token, record, now_ms + grace_ms),
                )
                for partition, token, record in reports
            ]
        )
        return [position.decode() for position in positions]

    def claims(self, partition: int, tokens: Sequence[str]) -> dict[str, Claim]:
        if not tokens:
            return {}
        key = self._keys.of(partition, "claims")
        found = self._link.command("HMGET", key, *tokens)
        return {
            token: _read_claim(key, value)
            for token, value in zip(tokens, found, strict=True)
            if value is not None
        }

    def due_attempts(self, partition: int, now_ms: int, limit: int) -> list[DueAttempt]:
        keys = [self._keys.of(partition, name) for name in ("deadlines", "attempts", "claims")]
        flat = self._link.script("due_attempts", keys, now_ms, limit)
        return [
            DueAttempt(token.decode(), payload, _read_claim(keys[2], claim) if claim else None)
            for token, payload, claim in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]

    def attempts(self, partition: int) -> dict[str, bytes]:
        found = self._link.command("HGETALL", self._keys.of(partition, "attempts"))
        return {token.decode(): payload for token, payload in found.items()}

    def _attempt_keys(self, partition: int) -> list[str]:
        return [self._keys.of(partition, name) for name in ("attempts", "claims", "deadlines")]


def _read_claim(key: str, value: bytes) -> Claim:
    try:
        started, sign, _, worker = value.decode().split(" ", 3)
        return Claim(worker, int(started), int(sign))
    except ValueError as error:
        raise CorruptValue(key, f"{value!r} is not a claim") from error
