"""A batch whose devices and instances are not remembered: one question to the store brings all of it."""

from typing import Any

import pytest
from engine_world import LISTENER, World


def test_a_cold_batch_asks_the_store_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(partitions=1)
    world.deploy(LISTENER)
    names = [f"device-{number}" for number in range(20)]
    for name in names:
        world.push(name, "Begin")
    world.run()
    world.engine.drain()
    asked: list[str] = []
    load = world.store.load

    def noted(*given: Any) -> Any:
        asked.append("load")
        return load(*given)

    monkeypatch.setattr(world.store, "load", noted)
    for one in ("instance", "device"):
        monkeypatch.setattr(
            world.store, one, lambda *given, one=one: pytest.fail(f"{one}{given} read singly")
        )
    for name in names:
        world.push(name, "Tick")
    cold = world.another_engine("two")
    assert cold.step(block_ms=0) == len(names)
    assert asked == ["load"]
    monkeypatch.undo()
    world.run(cold)
    assert [instance.revision for instance in world.instances()] == [2] * len(names)
