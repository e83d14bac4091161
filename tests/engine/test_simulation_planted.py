"""The simulation finds what would be wrong with overlapping commits: each guard taken away is soon caught."""

from collections.abc import Callable

import pytest
from simulation import Simulation
from simulation_audit import Audit
from stepwell_engine.loop import Engine
from stepwell_engine.partition import Partition
from stepwell_engine.turn import Batch, Loader
from stepwell_store.protocol import Commit

SEEDS = range(40)


def is_caught() -> bool:
    """Whether a run of these seeds ends with a finding, or breaks."""
    for seed in SEEDS:
        try:
            if Audit(Simulation(seed).run()).findings():
                return True
        except (AssertionError, KeyError, IndexError, ValueError):
            return True
    return False


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


@pytest.mark.parametrize(
    "plant", [forgets_marks, reads_too_early, shrinks_too_early, goes_on_after_a_failure]
)
def test_a_guard_that_is_taken_away_is_missed(
    plant: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("CRITICAL", logger="stepwell.engine")
    plant(monkeypatch)
    assert is_caught()
