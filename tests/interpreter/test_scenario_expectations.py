"""Scenarios run in virtual time, and each kind of expectation is held against what came."""

import pytest
from scenario_world import PAID, ran, ran_one
from stepwell_interpreter.scenarios.results import ScenarioResult

ALL_OF_IT = """{
      status: succeeded, output: {id: o-1, cents: 50}, path: [Reserve, Payment, Large, Done],
      state: {reservation: {cents: 50}}, elapsed: PT5M,
      values: {$.state.payment.data.id: o-1, $.output.cents: 50, $.status: succeeded},
      activities: {stock.reserve: [{order: o-1}], stock.release: 0}}"""


def differing(result: ScenarioResult) -> list[tuple[str, str, str]]:
    return [(each.what, each.expected, each.got) for each in result.differences]


def test_a_scenario_whose_every_expectation_is_met_passes() -> None:
    result = ran_one(ALL_OF_IT)
    assert (result.verdict, result.explanation()) == ("passed", result.explanation())
    assert result.elapsed_ms == 300_000


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("{status: failed}", ("status", "failed", "succeeded")),
        ("{output: {id: o-1, cents: 51}}", ("output.cents", "51", "50")),
        ("{output: {id: o-1}}", ("output.cents", "(nothing)", "50")),
        ("{error: OrderFailed}", ("error", '"OrderFailed"', "null")),
        ("{state: {reservation: {cents: '50'}}}", ("state.reservation.cents", '"50"', "50")),
        ("{state: {nothing: 1}}", ("state.nothing", "1", "(nothing)")),
        ("{values: {$.output.cents: 7}}", ("$.output.cents", "7", "50")),
        ("{values: {$.output.euros: 7}}", ("$.output.euros", "7", "(nothing)")),
        ("{elapsed: PT6M}", ("elapsed", "PT6M", "PT5M")),
        ("{elapsed: {atMost: PT1M}}", ("elapsed", "at most PT1M", "PT5M")),
        ("{elapsed: {atLeast: PT1H}}", ("elapsed", "at least PT1H", "PT5M")),
        ("{activities: {stock.reserve: 2}}", ("calls of stock.reserve", "2", '1: {"order":"o-1"}')),
        (
            "{activities: {stock.reserve: [{order: x}]}}",
            ("input of stock.reserve, call 1.order", '"x"', '"o-1"'),
        ),
        ("{waits: [Payment]}", ("waits", "Payment", "nothing is waited for")),
    ],
)
def test_what_is_not_as_expected_is_told(expect: str, difference: tuple[str, str, str]) -> None:
    result = ran_one(expect)
    assert result.verdict == "failed"
    assert differing(result) == [difference]


def test_the_state_is_a_subset_unless_it_is_asked_to_be_exact() -> None:
    assert ran_one("{state: {reservation: {kept: k-1}}}").verdict == "passed"
    exact = ran_one("{state: {reservation: {kept: k-1, cents: 50}}, exactState: true}")
    assert [each.what for each in exact.differences] == ["state.payment"]


def test_a_difference_has_the_place_of_its_expectation() -> None:
    [result] = ran(
        f"  - name: one{PAID}    expect:\n      status: succeeded\n      output: {{id: o-1, cents: 7}}\n"
    )
    [difference] = result.differences
    assert (difference.line, difference.column) == (9, 32)
    assert difference.pointer == "/tests/0/expect/output/cents"
    assert "order.tests.yaml:9:32: output.cents is not as expected" in result.explanation()


@pytest.mark.parametrize(
    "path",
    [
        "[Reserve, ..., Done]",
        "[...]",
        "[..., Large, ..., Done]",
        "[Reserve, ..., Payment, Large, Done, ...]",
    ],
)
def test_dots_in_a_path_are_any_states(path: str) -> None:
    assert ran_one(f"{{path: {path}}}").verdict == "passed"


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("[Reserve, Large, Done]", "after Reserve: expected Large, got Payment"),
        ("[Reserve, Payment, Large]", "after Large: expected the end, got Done"),
        ("[Reserve, Payment, Large, Done, Failed]", "after Done: expected Failed, got the end"),
        ("[Payment, ...]", "at the start: expected Payment, got Reserve"),
        ("[..., Undo, ...]", "after Done: expected Undo, got the end"),
    ],
)
def test_a_wrong_path_tells_where_it_departed(path: str, note: str) -> None:
    result = ran_one(f"{{path: {path}}}")
    [difference] = result.differences
    assert difference.note == note
    assert difference.got == "Reserve → Payment → Large → Done"


LARGE = PAID.replace("cents: 50}}", "cents: 5000}}, Pack: {output: 1}, Tell: {output: 1, after: PT3S}")


def test_branches_are_expected_by_their_names() -> None:
    path = "[..., Both, {pack: [Pack], tell: [Tell]}, Done]"
    assert ran_one(f"{{path: {path}, elapsed: PT5M3S}}", LARGE).verdict == "passed"


def test_a_wrong_state_in_a_branch_is_told_with_the_branch() -> None:
    result = ran_one("{path: [..., Both, {pack: []}, Done]}", LARGE)
    [difference] = result.differences
    assert difference.note == "at the start in Both, pack: expected the end, got Pack"


def test_a_wait_that_is_open_where_the_scenario_stops_can_be_expected() -> None:
    waiting = PAID.replace("PT5M, type", "PT2H, type") + "    until: PT10M\n"
    wanted = "{status: running, waits: [{state: Payment, event: Paid, match: {id: o-1}}]}"
    assert ran_one(wanted, waiting).verdict == "passed"
    other = ran_one("{waits: [{event: Paid, match: {id: o-2}}]}", waiting)
    assert differing(other) == [
        ("waits", 'a state waits for Paid with {"id":"o-2"}', 'Payment waits for Paid with {"id":"o-1"}')
    ]


def test_no_wait_can_be_expected() -> None:
    waiting = PAID.replace("PT5M, type", "PT2H, type") + "    until: PT10M\n"
    assert [each.what for each in ran_one("{waits: []}", waiting).differences] == ["waits"]


def test_time_passes_in_no_time() -> None:
    result = ran_one("{status: failed, error: OrderFailed, elapsed: PT1H}", PAID.replace("PT5M", "PT2H"))
    assert result.verdict == "passed"


def test_outcomes_of_a_list_are_used_up_in_order() -> None:
    given = PAID.replace("{output: {kept", "[{error: Busy, times: 2}, {output: {kept").replace(
        "50}}}", "50}}]}"
    )
    assert ran_one("{status: succeeded, activities: {stock.reserve: 3}}", given).verdict == "passed"


def test_an_outcome_that_stands_alone_serves_every_try() -> None:
    given = PAID.replace("{output: {kept: k-1, cents: 50}}", "{error: Busy, cause: nope}")
    result = ran_one("{status: failed, activities: {stock.reserve: 3}}", given)
    assert result.verdict == "passed"


def test_a_task_without_an_outcome_fails_the_scenario_and_says_what_to_give() -> None:
    result = ran_one(
        "{status: succeeded}",
        PAID.replace("tasks:", "comment: none\n    tasks:").replace("Reserve:", "Pack:"),
    )
    assert result.verdict == "failed"
    assert "state Reserve runs activity stock.reserve" in result.explanation()


def test_a_start_event_starts_the_instance_as_the_engine_would() -> None:
    given = PAID.replace("input: {id: o-1}", "start: {type: Seen, data: {id: o-1}}")
    assert ran_one("{status: succeeded, output: {id: o-1, cents: 50}}", given).verdict == "passed"


def test_a_start_event_that_starts_nothing_says_why() -> None:
    given = PAID.replace("input: {id: o-1}", "start: {type: Seen, data: {}}")
    assert "$.event.data.id" in ran_one("{status: succeeded}", given).explanation()


def test_a_scenario_without_expectations_must_come_to_an_end() -> None:
    [good] = ran(f"  - name: one{PAID}")
    assert good.verdict == "passed"
    [stuck] = ran(f"  - name: one{PAID}    until: PT1M\n")
    assert (stuck.verdict, stuck.status) == ("failed", "running")


def test_a_skipped_scenario_is_not_run() -> None:
    [result] = ran(f"  - name: one{PAID}    skip: later\n    expect: {{status: failed}}\n")
    assert (result.verdict, result.notes, result.records) == ("skipped", ("later",), 0)


def test_error_and_cause_may_have_stars() -> None:
    given = PAID.replace("PT5M", "PT2H")
    assert ran_one("{error: Order*, cause: '*undone'}", given).verdict == "passed"
    assert ran_one("{error: order*}", given).verdict == "failed"


def test_a_failure_tells_how_it_ended_and_the_path() -> None:
    text = ran_one("{status: succeeded}", PAID.replace("PT5M", "PT2H")).explanation()
    assert "path taken: Reserve → Payment → Undo → Failed" in text
    assert "it ended:   failed by OrderFailed: it was undone" in text


def test_running_scenarios_twice_gives_the_same_results() -> None:
    text = f"  - name: one{PAID}  - name: two{LARGE}"
    assert ran(text) == ran(text)
