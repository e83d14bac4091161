"""Error names and how retries and catches take them; the messages' hints."""

import pytest
from stepwell_interpreter.failures import (
    MACHINE_ERRORS,
    CompileProblem,
    StateFailure,
    did_you_mean,
    matches_error,
    nearest,
    pointer_to,
)


@pytest.mark.parametrize("error", sorted(MACHINE_ERRORS - {"States.Runtime"} | {"PaymentRefused"}))
def test_a_name_takes_itself(error: str) -> None:
    assert matches_error(["Other", error], error)
    assert not matches_error(["Other"], error)


@pytest.mark.parametrize(
    ("error", "taken"),
    [
        ("PaymentRefused", True),
        ("States.Timeout", True),
        ("States.TaskFailed", True),
        ("States.Runtime", False),
        ("States.DataLimitExceeded", True),
    ],
)
def test_states_all_takes_all_but_what_ends_an_execution(error: str, taken: bool) -> None:
    assert matches_error(["States.ALL"], error) is taken


@pytest.mark.parametrize(
    ("error", "taken"),
    [("PaymentRefused", True), ("States.HeartbeatTimeout", True), ("States.Timeout", False)],
)
def test_task_failed_takes_all_but_a_timeout(error: str, taken: bool) -> None:
    assert matches_error(["States.TaskFailed"], error) is taken


@pytest.mark.parametrize("name", ["States.Runtime", "States.ALL", "States.TaskFailed"])
def test_nothing_takes_a_runtime_error(name: str) -> None:
    assert not matches_error([name], "States.Runtime")


def test_an_empty_list_takes_nothing() -> None:
    assert not matches_error([], "States.Timeout")


@pytest.mark.parametrize(
    ("word", "found"), [("orderID", "orderId"), ("oderId", "orderId"), ("zzz", None), ("ORDERID", "orderId")]
)
def test_the_nearest_name_is_found(word: str, found: str | None) -> None:
    assert nearest(word, ["orderId", "customer"]) == found


def test_a_hint_names_all_choices_where_none_is_near() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "Allowed: `a`, `b`."
    assert did_you_mean("zzz", [f"n{number}" for number in range(40)]).endswith("and more.")
    assert did_you_mean("zzz", []) == ""


def test_a_pointer_is_escaped() -> None:
    assert pointer_to("/a", "b/c~d", 0) == "/a/b~1c~0d/0"


def test_a_problem_can_be_seen_from_above() -> None:
    problem = CompileProblem("code", "/x", "message", "help").below("/states/A")
    assert (problem.code, problem.pointer, problem.message, problem.help) == (
        "code",
        "/states/A/x",
        "message",
        "help",
    )
    assert str(problem) == "/states/A/x: message"


def test_a_failure_says_its_name_and_cause() -> None:
    assert str(StateFailure("States.Timeout", "late")) == "States.Timeout: late"
