"""Cyclic garbage: when it is looked for in an engine, and that the engine itself makes none."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from engine_world import LISTENER, World
from stepwell_engine import execution
from stepwell_engine.collecting import FEW, MANY, WORTH, calm_collector
from stepwell_engine.turn import Turn
from stepwell_interpreter.decide import decide


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collecting() -> Iterator[None]:
    """The collector of this process as it was."""
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.callbacks[:] = callbacks
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def push_to_three(world: World, type: str) -> None:
    for number in range(3):
        world.push(f"device-{number}", type)
    assert world.run() == 3


@pytest.mark.usefixtures("collecting")
def test_looks_that_find_nothing_become_seldom_and_often_again_when_there_is_garbage() -> None:
    calm_collector()
    gc.disable()
    for _ in range(MANY // WORTH + 1):
        Ring()
    gc.collect(0)
    assert gc.get_threshold() == (FEW, 20, 50)
    seen = []
    for _ in range(10):
        gc.collect(0)
        seen.append(gc.get_threshold()[0])
    assert seen == sorted(seen)
    assert seen[0] > FEW
    assert seen[-1] == MANY


@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("broken", ["nothing", "one instance", "every try"])
def test_a_turn_goes_with_its_batch_whatever_has_failed_in_it(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    caplog.set_level("CRITICAL", logger="stepwell.engine")  # what is captured holds tracebacks
    if broken != "nothing":
        request.getfixturevalue("replaceable")

    def failing(*given: Any) -> Any:
        if broken == "every try" or given[1].device == "device-1":
            raise RuntimeError("made to fail")
        return decide(*given)

    def failing_too(*given: Any) -> Any:
        raise RuntimeError("and this, too")

    world = World(partitions=1)
    world.deploy(LISTENER)
    push_to_three(world, "Begin")
    if broken != "nothing":
        monkeypatch.setattr(execution, "decide", failing)
    if broken == "every try":
        monkeypatch.setattr("stepwell_engine.quarantine.set_apart", failing_too)
    gc.collect()
    gc.disable()
    push_to_three(world, "Tick")
    assert not [value for value in gc.get_objects() if isinstance(value, Turn)]
