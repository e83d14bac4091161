"""Discovery, and the mistakes it must name: wrong modules, names, options, duplicates."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from stepwell_activities import registry as registry_module
from stepwell_activities.builtin import builtin_registry
from stepwell_activities.decorator import activity
from stepwell_activities.errors import DiscoveryError, DuplicateActivity, InvalidActivity
from stepwell_activities.registry import Registry, discover, publish
from stepwell_store.memory_store import MemoryStore

SHIP = """
from stepwell import activity

@activity("{name}")
def ship(order: str) -> str:
    \"\"\"Ship an order.

    More of it.\"\"\"
    return order
"""


def module(folder: Path, stem: str, name: str) -> str:
    path = folder / f"{stem}.py"
    path.write_text(SHIP.format(name=name))
    return str(path)


@pytest.fixture(autouse=True)
def _modules_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_is_discovered(tmp_path: Path) -> None:
    registry = discover([module(tmp_path, "shipping_a", "orders.ship")], None)
    assert registry.names() == ["orders.ship"]
    found = registry.get("orders.ship")
    assert found is not None
    assert found.function(order="x") == "x"


def test_a_module_is_discovered_by_its_name(tmp_path: Path) -> None:
    module(tmp_path, "shipping_b", "orders.ship")
    sys.path.insert(0, str(tmp_path))
    assert discover(["shipping_b"], None).names() == ["orders.ship"]


@pytest.mark.parametrize("named", ["file", "module"])
def test_a_module_that_ends_the_process_is_a_failure_of_the_module(tmp_path: Path, named: str) -> None:
    file = tmp_path / f"ends_{named}.py"
    file.write_text("import sys\nsys.exit(0)\n")
    sys.path.insert(0, str(tmp_path))
    with pytest.raises(DiscoveryError, match=r"ends_\w+.*ends the process .*sys\.exit\(0\)"):
        discover([str(file) if named == "file" else file.stem], None)


def test_an_entry_point_that_ends_the_process_is_a_failure_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends_point.py").write_text("raise SystemExit\n")
    sys.path.insert(0, str(tmp_path))
    point = EntryPoint("odd", "ends_point", "stepwell.activities")
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [point])
    with pytest.raises(DiscoveryError, match=r"entry point 'odd = ends_point'.*ends the process"):
        discover()


def test_two_files_with_one_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    files = [module(tmp_path, "shipping_c", "orders.ship"), module(tmp_path, "shipping_d", "orders.ship")]
    with pytest.raises(DuplicateActivity) as caught:
        discover(files, None)
    assert "shipping_c.py:5" in str(caught.value) or "shipping_c.py:4" in str(caught.value)
    assert "shipping_d.py" in str(caught.value)


def test_the_same_module_named_twice_is_no_duplicate(tmp_path: Path) -> None:
    file = module(tmp_path, "shipping_e", "orders.ship")
    assert len(discover([file, file], None)) == 1


@pytest.mark.parametrize("name", ["no.such.module", "no/such/file.py"])
def test_a_module_that_is_not_there_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(DiscoveryError, match=name):
        discover([name], None)


def test_a_module_that_fails_is_an_error_that_names_it_and_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "broken_module.py"
    path.write_text("1 / 0")
    with pytest.raises(DiscoveryError, match=r"broken_module.py.*ZeroDivisionError"):
        discover([str(path)], None)
    assert "broken_module" not in sys.modules


def test_a_name_that_is_none_is_refused_saying_what_is_allowed() -> None:
    @activity("has spaces")
    def work() -> None: ...

    with pytest.raises(InvalidActivity, match=r"'has spaces'.*letters, digits"):
        Registry([work])


def test_a_wrong_retry_policy_is_refused() -> None:
    @activity("work", retry={"maxAttempts": "many"})
    def work() -> None: ...

    with pytest.raises(InvalidActivity, match="retry /maxAttempts"):
        Registry([work])


def test_a_wrong_queue_is_refused() -> None:
    @activity("work", queue="a b")
    def work() -> None: ...

    with pytest.raises(InvalidActivity, match="queue 'a b'"):
        Registry([work])


def test_descriptions_are_published_with_schemas_and_defaults(tmp_path: Path) -> None:
    @activity(
        "orders.undo", compensates="orders.ship", timeout=5, heartbeat=1, retry={"maxAttempts": 2}, queue="q"
    )
    def undo(order: str) -> str:
        """Undo it."""
        return order

    store = MemoryStore("test", 4)
    registry = discover([module(tmp_path, "shipping_f", "orders.ship")], None).include(Registry([undo]))
    publish(registry, store)
    described = store.activities()
    assert described["orders.ship"].description == "Ship an order."
    assert described["orders.ship"].input_schema is not None
    undo_described = described["orders.undo"]
    assert undo_described.compensates == "orders.ship"
    assert undo_described.timeout_seconds == 5
    assert undo_described.retry == {"maxAttempts": 2}
    assert registry.queues() == ["default", "q"]


def test_the_built_in_activities_are_all_there() -> None:
    assert builtin_registry().names() == [
        "device.clear",
        "device.events",
        "device.state",
        "http.request",
        "notify",
        "records.create",
        "records.delete",
        "records.get",
        "records.update",
        "workflow.validate",
    ]
