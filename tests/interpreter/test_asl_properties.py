"""Any small state machine, in either language, runs to an end, to the same bytes each time, within bounds."""

from collections.abc import Iterator
from itertools import count, cycle
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepwell_interpreter.decide import decide, obligations
from stepwell_interpreter.draft import MAX_STATE_BYTES
from stepwell_interpreter.simulation.simulate import Simulation, simulate
from stepwell_interpreter.simulation.world import Applied
from stepwell_schemas.instance import TERMINAL
from stepwell_schemas.instance import from_wire as instance_from_wire
from stepwell_schemas.instance import to_wire as instance_to_wire
from stepwell_schemas.records import from_wire, to_wire

State = dict[str, Any]

LAMBDA = "arn:aws:lambda:us-east-1:111111111111:function:work"
INVOKE = "arn:aws:states:::lambda:invoke"
ACTIVITY = "arn:aws:states:us-east-1:111111111111:activity:work"
CALLBACK = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
RESOURCES = (LAMBDA, INVOKE, ACTIVITY, CALLBACK)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([1.5, 1e300, "", "a", "é", "$.x", "{%"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "n", "l"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PATHS = st.sampled_from(
    [
        "$",
        "$.a",
        "$.n",
        "$.l",
        "$.l[0]",
        "$..a",
        "$.l[*]",
        "$$.Execution.Input",
        "$$.State.Name",
        "$$.Map.Item.Index",
    ]
)
INTRINSICS = st.sampled_from(
    [
        "States.UUID()",
        "States.Format('{}-{}', $.a, $.n)",
        "States.MathAdd($.n, 2)",
        "States.Array($.a, 1)",
        "States.MathRandom(1, 9)",
        "States.ArrayGetItem($.l, 0)",
        "States.StringToJson('[1')",
        "States.JsonToString($)",
    ]
)
JSONATA = st.sampled_from(
    [
        "{% $states.input %}",
        "{% $states.input.a %}",
        "{% $states.input.n + 1 %}",
        "{% $states.input.l[0] %}",
        "{% $uuid() %}",
        "{% $random() %}",
        "{% $states.context.State.Name & 'x' %}",
        "{% $states.input.l.($ * 2) %}",
        "{% $count($states.input.l) %}",
        "{% $v_S0 %}",
    ]
)
CAUGHT = ("{% $states.errorOutput %}", "{% $states.input %}")
ERRORS = st.sampled_from(
    ["States.ALL", "Boom", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout", "States.Runtime"]
)
OUTCOMES: tuple[State, ...] = (
    {"output": {"a": 1, "n": 2, "l": [1, {"a": 3}]}},
    {"output": None},
    {"output": "text", "after": 3},
    {"error": "Boom", "cause": "it broke"},
    {"error": "Boom"},
    {"timed_out": True},
    {"lost": True},
    {"output": "x" * 300_000},
)


class Machines:
    """Draws machines whose states have names of their own and lead forwards only."""

    def __init__(self, draw: st.DrawFn, language: str) -> None:
        self.draw = draw
        self.jsonata = language == "JSONata"
        self.names = (f"S{number}" for number in count())
        self.tasks: list[str] = []

    def machine(self, depth: int) -> State:
        names = [next(self.names) for _ in range(self.draw(st.integers(1, 3)))]
        states: dict[str, State] = {}
        for number, name in enumerate(names):
            later = names[number + 1 :]
            state = self.state(name, depth, later)
            if state["Type"] not in ("Fail", "Succeed", "Choice"):
                state |= {"Next": later[0]} if later else {"End": True}
            states[name] = state
        return {"StartAt": names[0], "States": states}

    def state(self, name: str, depth: int, later: list[str]) -> State:
        kinds = ["Pass", "Pass", "Task", "Task", "Wait"] + (["Choice"] if later else ["Succeed", "Fail"])
        kinds += ["Parallel", "Map", "Map"] if depth else []
        kind = self.draw(st.sampled_from(kinds))
        state: State = {"Type": kind, **getattr(self, f"_{kind.lower()}")(name, depth, later)}
        if kind not in ("Fail", "Choice"):
            state |= self._data(kind)
        if kind not in ("Fail", "Succeed") and self.draw(st.booleans()):
            state["Assign"] = self._assign(f"v_{name}")
        if kind in ("Task", "Parallel", "Map"):
            state |= self._errors(later)
        return state

    def _assign(self, variable: str) -> State:
        if self.jsonata:
            return {variable: self.draw(JSONATA | VALUES.filter(lambda value: value != "{%"))}
        return self.draw(st.sampled_from([{f"{variable}.$": self.draw(PATHS)}, {variable: 1}]))

    def _data(self, kind: str) -> State:
        draw = self.draw
        data: State = {}
        if self.jsonata:
            if draw(st.booleans()):
                data["Output"] = {"a": draw(JSONATA), "n": 1} if draw(st.booleans()) else draw(JSONATA)
            if kind == "Task" and draw(st.booleans()):
                data["Arguments"] = {"a": draw(JSONATA)}
            return data
        if draw(st.integers(0, 3)) == 0:
            data["InputPath"] = draw(st.none() | PATHS)
        if draw(st.integers(0, 3)) == 0:
            data["OutputPath"] = draw(st.none() | PATHS)
        if kind in ("Pass", "Task", "Parallel", "Map") and draw(st.booleans()):
            data["ResultPath"] = draw(st.sampled_from([None, "$", "$.r", "$.a.b"]))
        if kind in ("Pass", "Task") and draw(st.booleans()):
            data["Parameters"] = {"a.$": draw(PATHS | INTRINSICS), "l": [1, 2], "n": 1}
        return data

    def _errors(self, later: list[str]) -> State:
        rules: State = {}
        if self.draw(st.booleans()):
            rules["Retry"] = [
                {
                    "ErrorEquals": [self.draw(ERRORS)],
                    "MaxAttempts": self.draw(st.integers(0, 2)),
                    "JitterStrategy": "FULL",
                }
            ]
        if self.draw(st.booleans()) and later:
            rule: State = {"ErrorEquals": [self.draw(ERRORS)], "Next": self.draw(st.sampled_from(later))}
            if self.jsonata:
                rule["Output"] = self.draw(st.sampled_from(CAUGHT))
            else:
                rule["ResultPath"] = self.draw(st.sampled_from([None, "$", "$.error", "$.a.error"]))
            rules["Catch"] = [rule]
        return rules

    def _pass(self, name: str, depth: int, later: list[str]) -> State:
        return {} if self.jsonata or self.draw(st.booleans()) else {"Result": self.draw(VALUES)}

    def _task(self, name: str, depth: int, later: list[str]) -> State:
        self.tasks.append(name)
        limits: State = {"TimeoutSeconds": 60} | (
            {"HeartbeatSeconds": 20} if self.draw(st.booleans()) else {}
        )
        return {"Resource": self.draw(st.sampled_from(RESOURCES)), **limits}

    def _wait(self, name: str, depth: int, later: list[str]) -> State:
        if self.jsonata:
            return {"Seconds": self.draw(st.sampled_from([0, 2, "{% $states.input.n %}"]))}
        return self.draw(
            st.sampled_from([{"Seconds": 2}, {"SecondsPath": "$.n"}, {"Timestamp": "2020-01-01T00:00:00Z"}])
        )

    def _choice(self, name: str, depth: int, later: list[str]) -> State:
        if self.jsonata:
            rule: State = {
                "Condition": self.draw(st.sampled_from(["{% $states.input.n > 1 %}", "{% $v_S0 = 1 %}"]))
            }
        else:
            rule = {
                "Variable": self.draw(PATHS.filter(lambda path: ".." not in path and "*" not in path)),
                **self.draw(st.sampled_from([{"IsPresent": True}, {"NumericEquals": 1}])),
            }
        default = {"Default": later[-1]} if self.draw(st.booleans()) else {}
        return {"Choices": [{**rule, "Next": later[0]}], **default}

    def _succeed(self, name: str, depth: int, later: list[str]) -> State:
        return {}

    def _fail(self, name: str, depth: int, later: list[str]) -> State:
        return self.draw(st.sampled_from([{}, {"Error": "Boom"}, {"Error": "Boom", "Cause": "told so"}]))

    def _parallel(self, name: str, depth: int, later: list[str]) -> State:
        return {"Branches": [self.machine(depth - 1) for _ in range(self.draw(st.integers(1, 3)))]}

    def _map(self, name: str, depth: int, later: list[str]) -> State:
        inner = self.machine(depth - 1)
        state: State = {"ItemProcessor": inner, "MaxConcurrency": self.draw(st.integers(0, 2))}
        if self.draw(st.booleans()):
            inner["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
            state["ToleratedFailureCount"] = self.draw(st.integers(0, 3))
        if self.jsonata:
            return {**state, "Items": self.draw(st.sampled_from([[1, 2, 3], [], "{% $states.input.l %}"]))}
        return {**state, "ItemsPath": self.draw(st.sampled_from(["$.l", "$.l[0]", "$", "$.r"]))}


@st.composite
def machines(draw: st.DrawFn) -> tuple[State, list[str]]:
    """A definition and its tasks."""
    language = draw(st.sampled_from(["JSONPath", "JSONata"]))
    drawn = Machines(draw, language)
    return {"QueryLanguage": language, **drawn.machine(2)}, drawn.tasks


def run(
    definition: State, tasks: list[str], value: Any, outcomes: list[State]
) -> tuple[Simulation, list[Applied]]:
    """Run a definition whose tasks come to the outcomes in turn; and what was applied."""
    turns: Iterator[State] = cycle(outcomes)
    applied: list[Applied] = []
    given = {name: [next(turns) for _ in range(60)] for name in tasks}
    result = simulate(
        definition,
        value,
        tasks=given,
        resources={CALLBACK: "queue.send", INVOKE: "work", LAMBDA: "work", ACTIVITY: "work"},
        observers=[applied.append],
    )
    return result, applied


INPUTS = st.fixed_dictionaries(
    {}, optional={"a": VALUES, "n": st.integers(-1, 3), "l": st.lists(VALUES, max_size=3)}
)
GIVEN = (machines(), INPUTS, st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4))
SLOW = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@SLOW
@given(*GIVEN)
def test_every_machine_comes_to_an_end_and_tells_it_last(
    drawn: tuple[State, list[str]], value: State, outcomes: list[State]
) -> None:
    result, applied = run(*drawn, value, outcomes)
    assert result.status in ("SUCCEEDED", "FAILED", "TIMED_OUT")
    assert result.history[-1]["type"].startswith("Execution")
    assert [event["id"] for event in result.history] == list(range(1, len(result.history) + 1))
    assert all(event["previousEventId"] < event["id"] for event in result.history)
    for each in applied:
        after = each.decision.instance
        if after.status not in TERMINAL:
            assert obligations(after), "it waits for nothing"


@SLOW
@given(*GIVEN)
def test_an_instance_that_is_stored_between_records_replays_to_the_same_bytes(
    drawn: tuple[State, list[str]], value: State, outcomes: list[State]
) -> None:
    _, applied = run(*drawn, value, outcomes)
    stored: bytes | None = None
    for each in applied:
        before = each.before if stored is None else instance_from_wire(orjson.loads(stored))
        record = from_wire(orjson.loads(orjson.dumps(to_wire(each.record))))
        again = decide(each.program, before, record)
        for found, wanted in ((again.trace, each.decision.trace), (again.commands, each.decision.commands)):
            assert orjson.dumps(found) == orjson.dumps(wanted)
        stored = orjson.dumps(instance_to_wire(again.instance))
        assert stored == orjson.dumps(instance_to_wire(each.decision.instance))
        assert len(stored) <= 8 * MAX_STATE_BYTES
