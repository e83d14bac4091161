"""The built-in `records.*` on SQLite and PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from activity_world import offer, reported
from postgresql import find_server, postgresql
from stepwell_activities.builtin import builtin_registry
from stepwell_activities.builtin.records import database
from stepwell_activities.job import perform
from stepwell_activities.runtime import Runtime, new_runtime
from stepwell_schemas.settings import Settings
from stepwell_store.memory_store import MemoryStore

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    programs = find_server()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here: its tests did not run")
    with postgresql(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def runtime(tmp_path: Path, request: pytest.FixtureRequest) -> Runtime:
    url = None if request.param == "sqlite" else request.getfixturevalue("server")
    settings = Settings(data_dir=tmp_path, records_url=url)
    return new_runtime(settings, MemoryStore("test", 4), builtin_registry())


@pytest.fixture
def call(runtime: Runtime) -> Call:
    """Run a built-in activity; its output, or (error, retryable)."""

    def call(activity: str, input: Any, **changes: Any) -> Any:
        [token] = offer(runtime.store, activity, input, **changes)
        perform(runtime, 0, token)
        record = reported(runtime.store)[-1]["record"]
        return record["output"] if "output" in record else (record["error"], record["retryable"])

    return call


def test_a_record_is_created_read_changed_and_deleted(call: Call) -> None:
    made = call("records.create", {"recordType": "lamp", "data": {"on": True}})
    assert made["revision"] == 1
    key = {"recordId": made["recordId"]}
    assert call("records.get", key) == made
    changed = call("records.update", {**key, "data": {"colour": "red"}})
    assert (changed["data"], changed["revision"]) == ({"on": True, "colour": "red"}, 2)
    assert call("records.update", {**key, "data": {}, "merge": False})["data"] == {}
    assert call("records.delete", key) == {**key, "deleted": True}
    assert call("records.get", key) == ("RecordNotFound", False)


def test_the_same_key_creates_one_record_and_gives_the_same_answer(call: Call) -> None:
    first = call("records.create", {"recordType": "lamp", "data": {"n": 1}}, idempotencyKey="k")
    again = call("records.create", {"recordType": "lamp", "data": {"n": 2}}, idempotencyKey="k")
    assert again == first


def test_the_same_key_changes_a_record_once(call: Call) -> None:
    key = {"recordId": call("records.create", {"recordType": "lamp"})["recordId"]}
    for _ in range(2):
        changed = call("records.update", {**key, "data": {"n": 1}}, idempotencyKey="u")
    assert changed["revision"] == 2
    assert call("records.get", key)["revision"] == 2


def test_deleting_what_is_not_there_is_no_error(call: Call) -> None:
    assert call("records.delete", {"recordId": "none"}) == {"recordId": "none", "deleted": False}


def test_a_chosen_id_that_is_taken_is_refused(call: Call) -> None:
    call("records.create", {"recordType": "lamp", "recordId": "a"}, idempotencyKey="1")
    taken = call("records.create", {"recordType": "lamp", "recordId": "a"}, idempotencyKey="2")
    assert taken == ("RecordExists", False)


def test_an_unexpected_revision_is_refused(call: Call) -> None:
    key = {"recordId": call("records.create", {"recordType": "lamp"})["recordId"]}
    assert call("records.update", {**key, "data": {}, "expectedRevision": 7}) == ("RecordChanged", False)


def test_an_unknown_key_in_the_input_is_refused(call: Call) -> None:
    assert call("records.create", {"recordtype": "lamp"}) == ("InvalidInput", False)


def test_delete_undoes_create() -> None:
    found = builtin_registry().get("records.delete")
    assert found is not None
    assert found.options.compensates == "records.create"


def test_tables_are_made_by_racing_threads_and_every_write_counts(tmp_path: Path) -> None:
    settings = Settings(records_url=f"sqlite:///{tmp_path / 'race.sqlite'}")
    store = MemoryStore("test", 4)
    runtimes = [new_runtime(settings, store, builtin_registry()) for _ in range(4)]
    tokens = offer(
        store, "records.create", {"recordType": "lamp", "recordId": "same"}, count=4, idempotencyKey="k"
    )
    threads = [
        threading.Thread(target=perform, args=(runtime, 0, token))
        for runtime, token in zip(runtimes, tokens, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    outputs = [entry["record"].get("output", entry["record"].get("cause")) for entry in reported(store)]
    assert len(outputs) == 4
    assert all(output == outputs[0] for output in outputs)
    with database(settings).connect() as connection:
        assert connection.exec_driver_sql("select count(*) from stepwell_records").scalar() == 1


def test_a_database_that_is_away_is_worth_a_retry(tmp_path: Path) -> None:
    settings = Settings(records_url=f"sqlite:///{tmp_path / 'no' / 'folder' / 'x.sqlite'}")
    runtime = new_runtime(settings, MemoryStore("test", 4), builtin_registry())
    [token] = offer(runtime.store, "records.get", {"recordId": "a"})
    perform(runtime, 0, token)
    record = reported(runtime.store)[-1]["record"]
    assert (record["error"], record["retryable"]) == ("DatabaseUnavailable", True)
