"""The simulation finds what is wrong: each guard taken away, one at a time, is caught within so many seeds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from simulation import Simulation
from simulation_audit import Audit
from stepwell_engine import alarms, intake, routing
from stepwell_engine.intake import Intake
from stepwell_engine.kept import KeptEvents
from stepwell_engine.loading import Loader
from stepwell_engine.loop import Engine
from stepwell_engine.partition import Partition
from stepwell_engine.turn import Batch
from stepwell_schemas.instance import Frame
from stepwell_store import memory_partition, memory_store
from stepwell_store.batches import Commit, CommitResult
from stepwell_store.memory_partition import MemoryClaim, MemoryPartition
from stepwell_store.memory_workers import MemoryWorkers
from stepwell_store.protocol import Alarm

WITHIN = 150
"""Seeds."""


def seeds_needed() -> int | None:
    """How many seeds it takes until a run ends with a finding, or breaks; None where none of them does."""
    for seed in range(WITHIN):
        try:
            if Audit(Simulation(seed).run()).findings():
                return seed + 1
        except (AssertionError, KeyError, IndexError, ValueError, TypeError):
            return seed + 1
    return None


# -- the commit ----------------------------------------------------------------------------------------------


def planted_commit(patch: pytest.MonkeyPatch, change: Callable[[MemoryPartition, Commit], None]) -> None:
    """The store's commit, with a check of it deceived."""
    real = memory_partition.apply_commit

    def planted(partition: MemoryPartition, commit: Commit, now_ms: int) -> CommitResult:
        deceived = replace(commit)
        change(partition, deceived)
        return real(partition, deceived, now_ms)

    patch.setattr(memory_store, "apply_commit", planted)


def epoch_unchecked(patch: pytest.MonkeyPatch) -> None:
    """A stale owner's commit is taken where its revision fits."""

    def change(partition: MemoryPartition, commit: Commit) -> None:
        commit.epoch = partition.epoch

    planted_commit(patch, change)


def revision_unchecked(patch: pytest.MonkeyPatch) -> None:
    """A commit of the owner is taken whatever was committed since."""

    def change(partition: MemoryPartition, commit: Commit) -> None:
        commit.revision = partition.revision

    planted_commit(patch, change)


def token_unchecked(patch: pytest.MonkeyPatch) -> None:
    """A commit that is sent again after a lost reply is not recognised."""

    def change(partition: MemoryPartition, commit: Commit) -> None:
        partition.result = None

    planted_commit(patch, change)


def door_unmoved(patch: pytest.MonkeyPatch) -> None:
    """The commit does not keep how far the door was read."""
    real = memory_partition._move_positions

    def planted(partition: MemoryPartition, commit: Commit) -> None:
        before = partition.door_position
        real(partition, commit)
        partition.door_position = before

    patch.setattr(memory_partition, "_move_positions", planted)


def inbox_unmoved(patch: pytest.MonkeyPatch) -> None:
    """The commit does not keep how far the inbox was read. (What was read is trimmed as well: both are taken away.)"""

    def planted(partition: MemoryPartition, commit: Commit) -> None:
        partition.door_position = commit.door
        if commit.dispatched is not None:
            partition.dispatched = commit.dispatched
            partition.outbox.trim_through(commit.dispatched)

    patch.setattr(memory_partition, "_move_positions", planted)


# -- the engine ----------------------------------------------------------------------------------------------


def dedupe_missing(patch: pytest.MonkeyPatch) -> None:
    """What came before comes again."""
    patch.setattr(routing, "_is_duplicate", lambda turn, key, replay: False)


def position_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Door entries are taken though their partition's position is beyond them."""
    patch.setattr(intake, "order", _order_of_the_door)
    patch.setattr(Intake, "collect", _without_positions(Intake.collect))


def _order_of_the_door(id: str) -> tuple[int, int]:
    ms, _, n = id.partition("-")
    return int(ms), int(n)


def _without_positions(collect: Callable[..., Any]) -> Callable[..., Any]:
    def planted(self: Intake, inbound: Any, owned: dict[int, Partition], now_ms: int) -> Any:
        doors = {number: partition.door for number, partition in owned.items()}
        for partition in owned.values():
            partition.door = self._door
        answer = collect(self, inbound, owned, now_ms)
        for number, partition in owned.items():
            partition.door = max(doors[number], partition.door, key=_order_of_the_door)
        return answer

    return planted


def attempt_token_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Any answer to an attempt's name counts."""

    def planted(draft: Any, attempt: str, token: str) -> Frame | None:
        frame = draft.frames.get(attempt.partition("/")[0])
        if frame is None or frame.work.get("attempt") is None:
            return None
        owned: Frame = draft.own(frame.id)
        return owned

    patch.setattr(import_module("stepwell_interpreter.decide"), "_attempt", planted)


def claim_lease_unchecked(patch: pytest.MonkeyPatch) -> None:
    """A worker may claim what another holds."""

    def planted(
        self: Any, partition: int, token: str, worker: str, now_ms: int, lease_ms: int
    ) -> bytes | None:
        part = self._parts[partition]
        payload: bytes | None = part.attempts.get(token)
        held = part.claims.get(token)
        if payload is None or (held is not None and held.reported is not None):
            return None
        part.claims[token] = MemoryClaim(worker, now_ms, now_ms)
        part.deadlines[token] = now_ms + lease_ms
        return payload

    patch.setattr(MemoryWorkers, "claim", planted)


# -- the lane ------------------------------------------------------------------------------------------------


def jobs_leave_too_early(patch: pytest.MonkeyPatch) -> None:
    """Jobs are handed out when their commit is decided, not when it is confirmed."""
    apply = Engine._apply

    def planted(self: Engine, works: Any, now_ms: int) -> int:
        applied = apply(self, works, now_ms)
        for one in self._made:
            self._let_out(one, CommitResult("committed", None, ["0-0"] if one.batch.outbox else []))
        self._outgoing.hand_out()
        return applied

    patch.setattr(Engine, "_apply", planted)


def door_trimmed_too_early(patch: pytest.MonkeyPatch) -> None:
    """The door is trimmed by what was decided, not by what was committed."""

    def planted(self: Engine, now_ms: int) -> None:
        commit_idle(self, now_ms)
        if len(self.owned) == self.store.partitions:
            self.store.trim_door(min((one.door for one in self.owned.values()), key=intake.order))

    commit_idle = Engine._commit_idle
    patch.setattr(Engine, "_commit_idle", planted)


def forgets_marks(patch: pytest.MonkeyPatch) -> None:
    """The dedupe marks of the batch on its way are not looked at."""
    decided = Partition.decided

    def planted(self: Partition, commit: Commit, batch: Batch) -> None:
        decided(self, commit, batch)
        self._on_its_way = {}

    patch.setattr(Partition, "decided", planted)


def reads_too_early(patch: pytest.MonkeyPatch) -> None:
    """The store is read within a batch while the batch before is not confirmed."""
    patch.setattr(Loader, "__init__", lambda self, store, confirm: _fill(self, store))


def _fill(loader: Loader, store: object) -> None:
    loader._store = store
    loader._confirm = lambda: None
    loader.kept = KeptEvents()


def shrinks_too_early(patch: pytest.MonkeyPatch) -> None:
    """What is not in the store yet is dropped from the cache."""
    decided = Partition.decided

    def planted(self: Partition, commit: Commit, batch: Batch) -> None:
        decided(self, commit, batch)
        batch.forget_cold()

    patch.setattr(Partition, "decided", planted)


def goes_on_after_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What was decided on top of a commit that failed is kept."""
    forget = Engine._forget

    def planted(self: Engine) -> None:
        owned = dict(self.owned)
        forget(self)
        self.owned.update(owned)

    patch.setattr(Engine, "_forget", planted)


def alarms_not_set_anew(patch: pytest.MonkeyPatch) -> None:
    """An alarm that rings before its timer is due, since that has moved, is cleared."""
    due = alarms.due

    def planted(batch: Batch, rung: Sequence[Alarm], until_ms: int) -> list[alarms.FiringTimer]:
        found = due(batch, rung, until_ms)
        early = {(one.instance, one.slot) for one in rung} - {(one.instance, one.slot) for one in found}
        batch.writes.timers.update(dict.fromkeys(early))
        return found

    patch.setattr(alarms, "due", planted)


def early_alarms_fire(patch: pytest.MonkeyPatch) -> None:
    """An alarm that rings is taken for its timer, though that has moved."""
    due = alarms.due
    patch.setattr(alarms, "due", lambda batch, rung, until_ms: due(batch, rung, 1 << 60))


PLANTS = {
    "epoch": epoch_unchecked,
    "revision": revision_unchecked,
    "commit token": token_unchecked,
    "inbox position": inbox_unmoved,
    "door position": door_unmoved,
    "position of a partition": position_unchecked,
    "dedupe": dedupe_missing,
    "attempt token": attempt_token_unchecked,
    "lease of a claim": claim_lease_unchecked,
    "jobs held until confirmed": jobs_leave_too_early,
    "door kept until committed": door_trimmed_too_early,
    "marks on their way": forgets_marks,
    "reads after confirming": reads_too_early,
    "cache kept until confirmed": shrinks_too_early,
    "all dropped after a failure": goes_on_after_a_failure,
    "alarms set anew": alarms_not_set_anew,
    "alarms before their time": early_alarms_fire,
}


@pytest.mark.usefixtures("replaceable")
@pytest.mark.parametrize("guard", PLANTS)
def test_a_guard_that_is_taken_away_is_missed(
    guard: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", logger="stepwell.engine")
    PLANTS[guard](monkeypatch)
    needed = seeds_needed()
    assert needed is not None, f"{WITHIN} seeds do not find that the guard `{guard}` is missing"
