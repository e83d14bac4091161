"""`stepwell.testing`: paths are read, activity functions are called as a worker calls them, modules are known."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from stepwell.testing import MockRefused, NoDefinition, SimulationError, check, simulate
from stepwell.testing import test_state as run_state
from stepwell_schemas.catalog import ActivityDescription

from stepwell import ActivityContext, NonRetryable, activity

DOCUMENT = """\
id: flow
version: 1.0.0
startAt: A
states:
  A: {type: task, activity: shop.reserve, input: {count: $.input.count}, retry: [], resultPath: $.state.a, end: true}
"""


@activity("shop.reserve")
def reserve(count: int) -> dict[str, int]:
    """Reserves so many."""
    if count > 9:
        raise NonRetryable("TooMany", "nine at most")
    return {"reserved": count}


@activity("shop.later")
async def later(count: int) -> int:
    """The same, asynchronously."""
    return count


@activity("shop.contextual")
def contextual(count: int, context: ActivityContext) -> None:
    """Wants what a simulation does not have."""


def run(function: Any, count: Any = 2) -> Any:
    """The workflow with a function for its task."""
    return simulate(DOCUMENT, {"count": count}, tasks={"A": function})


def test_activity_function_is_called_with_its_arguments() -> None:
    assert run(reserve).output == {"reserved": 2}
    assert run([later]).output == 2


def test_activity_error_keeps_its_name() -> None:
    result = run(reserve, 10)
    assert (result.error, result.cause) == ("TooMany", "nine at most")


def test_input_that_does_not_fit_an_activity_fails_the_task() -> None:
    assert run(reserve, "two").error == "InvalidInput"


def test_activity_that_wants_a_context_is_refused() -> None:
    with pytest.raises(MockRefused, match="give a function of the input instead"):
        run(contextual)


def test_definition_is_read_from_its_path(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(DOCUMENT, encoding="utf-8")
    for given in (file, str(file)):
        assert simulate(given, {"count": 1}, tasks={"A": {"output": 1}}).output == 1
        [problem] = check(given, ["shop.other"]).errors
        assert (problem.code, problem.file, problem.line) == ("unknown-activity", str(file), 5)


def test_path_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(MockRefused, match="No such file"):
        simulate(tmp_path / "none.yaml", {})


def _module() -> ModuleType:
    return sys.modules[__name__]


@pytest.mark.parametrize(
    "activities",
    [["shop.reserve"], [ActivityDescription(name="shop.reserve")], [reserve], [_module()], _module()],
    ids=["name", "description", "function", "modules", "module"],
)
def test_activities_are_known_by_name_description_function_or_module(activities: Any) -> None:
    assert check(DOCUMENT, activities).accepted
    assert not check(DOCUMENT.replace("shop.reserve", "shop.reserv"), activities).accepted


def test_input_of_an_activity_is_checked_where_its_function_is_known() -> None:
    wrong = DOCUMENT.replace("count: $.input.count", "cuont: 1")
    assert check(wrong).accepted
    assert not check(wrong, [reserve]).accepted


def test_problems_of_a_document_have_no_lines() -> None:
    [problem] = check(
        {"id": "flow", "version": "1.0.0", "startAt": "A", "states": {"B": {"type": "succeed"}}}
    ).errors[:1]
    assert (problem.line, problem.column) == (None, None)
    assert problem.pointer == "/startAt"


def test_built_in_activities_are_always_known() -> None:
    assert check(
        DOCUMENT.replace("shop.reserve", "device.events").replace("input: {count: $.input.count}, ", ""), []
    ).accepted


def test_a_text_is_no_list_of_activities() -> None:
    with pytest.raises(MockRefused, match="activities is a list of names"):
        check(DOCUMENT, activities="shop.reserve")


@pytest.mark.parametrize("given", [None, 5, [], object(), {"type": "task", "x": object()}])
def test_what_is_no_state_is_refused(given: Any) -> None:
    with pytest.raises(MockRefused):
        run_state(given, {})


@pytest.mark.parametrize("given", [None, 3, ["a.yaml"], object()])
@pytest.mark.parametrize("function", [check, simulate, run_state])
def test_what_can_be_no_definition_is_a_type_error_that_says_what_can_be(function: Any, given: Any) -> None:
    with pytest.raises(NoDefinition, match=r"dict.*text \(str or bytes\).*path") as caught:
        function(given)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, SimulationError)
    assert ("None" if given is None else type(given).__name__) in str(caught.value)


def test_a_child_that_can_be_no_definition_is_a_type_error_too() -> None:
    with pytest.raises(TypeError, match="not None"):
        simulate(DOCUMENT, {"count": 1}, tasks={"A": {"output": 1}}, workflows={"child": cast("Any", None)})


def test_a_failed_scenario_of_the_definition_is_a_problem() -> None:
    failing = (
        DOCUMENT
        + "tests:\n  - {name: wrong, input: {count: 1}, tasks: {A: {output: 1}}, expect: {status: failed}}\n"
    )
    report = check(failing)
    assert (report.accepted, [problem.code for problem in report.errors]) == (False, ["test-failed"])
