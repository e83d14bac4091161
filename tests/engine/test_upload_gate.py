"""An upload whose `tests:` do not hold is refused, with the difference; one whose tests hold is stored."""

from scenario_world import ORDER, PAID
from stepwell_engine.catalog import check, compile_stored, publish
from stepwell_schemas.catalog import ActivityDescription
from stepwell_store.memory_store import MemoryStore


def store() -> MemoryStore:
    made = MemoryStore("gate", 1)
    names = ("stock.reserve", "stock.release", "pack", "tell")
    made.publish_activities([ActivityDescription(name=name) for name in names])
    return made


def with_tests(expect: str) -> str:
    return f"{ORDER}tests:\n  - name: paid{PAID}    expect: {expect}\n"


def test_a_definition_whose_tests_hold_is_published_and_runs() -> None:
    outcome = publish(store(), with_tests("{status: succeeded}"), now_ms=1)
    assert [str(problem) for problem in outcome.problems] == []
    assert outcome.stored is not None
    assert compile_stored(outcome.stored).id == "order"


def test_a_definition_whose_tests_fail_is_refused_and_not_stored() -> None:
    there = store()
    outcome = publish(there, with_tests("{status: failed}"), now_ms=1, file="order.yaml")
    assert outcome.stored is None
    [problem] = outcome.problems
    assert (problem.code, problem.file, problem.pointer) == ("test-failed", "order.yaml", "/tests/0/name")
    assert "expected  failed" in problem.message
    assert there.definitions() == {}


def test_a_check_without_upload_runs_the_tests_too() -> None:
    stored, problems = check(store(), with_tests("{path: [Reserve, Done]}"))
    assert stored is None
    assert "after Reserve: expected Done, got Payment" in problems[0].message
