"""Lowering of each type of ASL state to its step."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepwell_schemas.instance import Frame

from stepwell_interpreter.asl.amounts import seconds_of, wait_moment, wait_seconds
from stepwell_interpreter.asl.expressions import (
    Evaluate,
    Language,
    compile_assign,
    compile_choice_rule,
    compile_input_path,
    compile_output_path,
    compile_path,
    compile_payload,
    compile_result_path,
    compile_value,
)
from stepwell_interpreter.asl.flow import AslFlow, Assignments, CatchFlow
from stepwell_interpreter.asl.lower_map import lower_map
from stepwell_interpreter.asl.lower_task import lower_task
from stepwell_interpreter.asl.lowering import Lowering, fixed
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.values import shown
from stepwell_interpreter.conditions import Condition
from stepwell_interpreter.draft import Draft
from stepwell_interpreter.failures import RUNTIME, pointer_to
from stepwell_interpreter.program import (
    CatchRule,
    ChoiceRule,
    ChoiceStep,
    FailStep,
    ParallelStep,
    PassStep,
    RetryRule,
    Step,
    SucceedStep,
    WaitStep,
)

State = Mapping[str, Any]
Common = dict[str, Any]


def lower_state(
    name: str, state: State, pointer: str, language: Language, lowering: Lowering, *, told: bool
) -> Step:
    """The step of a state. Raises AslSyntax where an expression is none (the validator has found it before)."""
    common: Common = {
        "name": name,
        "next": state.get("Next"),
        "retry": tuple(_retry(rule) for rule in state.get("Retry", ())),
        "catch": tuple(_catch(rule, number, language) for number, rule in enumerate(state.get("Catch", ()))),
        "data": flow_of(state, language, told=told),
    }
    return _KINDS[state["Type"]](state, pointer, language, lowering, common)


def flow_of(state: State, language: Language, *, told: bool) -> AslFlow:
    """The data steps that a state lists."""
    kind = state["Type"]
    jsonata = language == "JSONata"
    assign = compile_assign(state["Assign"], language) if "Assign" in state else None
    flow: dict[str, Any] = {"assign": assign, "jsonata": jsonata, "told": told}
    flow["passes"] = kind in ("Choice", "Wait", "Succeed") or (jsonata and kind == "Pass")
    if jsonata:
        if "Output" in state:
            flow["output"] = compile_payload(state["Output"], "Output", language)
        if "Arguments" in state:
            flow["payload"] = compile_payload(state["Arguments"], "Arguments", language)
    else:
        flow |= _paths(state, kind, language)
    if kind == "Task":
        resource: str = state["Resource"]
        flow["resource"] = resource if ":::" not in resource else None
    return AslFlow(**flow)


def _paths(state: State, kind: str, language: Language) -> dict[str, Any]:
    flow: dict[str, Any] = {}
    if state.get("InputPath", "$") != "$":
        flow["input_path"] = compile_input_path(state["InputPath"])
    if state.get("OutputPath", "$") != "$":
        flow["output_path"] = compile_output_path(state["OutputPath"])
    if state.get("ResultPath", "$") != "$":
        flow["result_path"] = compile_result_path(state["ResultPath"])
    if "ResultSelector" in state:
        flow["selector"] = compile_payload(state["ResultSelector"], "ResultSelector", language)
    if "Parameters" in state and kind != "Map":
        flow["payload"] = compile_payload(state["Parameters"], "Parameters", language)
    return flow


def _retry(rule: State) -> RetryRule:
    longest = rule.get("MaxDelaySeconds")
    return RetryRule(
        errors=tuple(rule["ErrorEquals"]),
        max_attempts=int(rule.get("MaxAttempts", 3)),  # 3.0 is a whole number to Step Functions
        interval=fixed(rule.get("IntervalSeconds", 1)),
        coefficient=float(rule.get("BackoffRate", 2.0)),
        maximum=None if longest is None else fixed(longest),
        jitter="full" if str(rule.get("JitterStrategy", "NONE")).upper() == "FULL" else "none",
    )


def _catch(rule: State, number: int, language: Language) -> CatchRule:
    result_path = None
    if language == "JSONPath" and rule.get("ResultPath", "$") != "$":
        result_path = compile_result_path(rule["ResultPath"])
    flow = CatchFlow(
        result_path=result_path,
        output=_output(rule, f"Catch[{number}]", language),
        assign=_assign(rule, f"Catch[{number}]", language),
    )
    return CatchRule(tuple(rule["ErrorEquals"]), rule["Next"], None, flow)


def _pass(state: State, pointer: str, language: Language, lowering: Lowering, common: Common) -> PassStep:
    if "Result" in state:
        literal = state["Result"]
        return PassStep(**common, writes=(), result=lambda draft, frame: literal)
    flow: AslFlow = common["data"]
    step: PassStep

    def result(draft: Draft, frame: Frame) -> Any:
        return flow.begin(draft, frame, step)

    step = PassStep(**common, writes=(), result=result)
    return step


def _choice(state: State, pointer: str, language: Language, lowering: Lowering, common: Common) -> ChoiceStep:
    rules = []
    for number, rule in enumerate(state["Choices"]):
        place = pointer_to("", "Choices", number)
        holds = compile_choice_rule(rule, language, place)
        rules.append(
            ChoiceRule(
                _condition(holds, number), rule["Next"], _rule_flow(rule, number, common["data"], language)
            )
        )
    common["next"] = state.get("Default")
    return ChoiceStep(**common, rules=tuple(rules))


def _condition(holds: Callable[[AslScope], bool], number: int) -> Condition:
    def test(scope: Any, record: list[Any]) -> bool:
        result = holds(scope)
        record.append({"rule": number, "result": result})
        return result

    return Condition(test, ())


def _rule_flow(rule: State, number: int, flow: AslFlow, language: Language) -> AslFlow | None:
    """A rule that holds has its own Assign and Output; those of the state are for the default."""
    return AslFlow(
        passes=True,
        input_path=flow.input_path,
        output_path=flow.output_path,
        output=_output(rule, f"Choices[{number}]", language),
        assign=_assign(rule, f"Choices[{number}]", language),
        jsonata=flow.jsonata,
        told=flow.told,
    )


def _output(rule: State, place: str, language: Language) -> Evaluate | None:
    return compile_payload(rule["Output"], f"{place}/Output", language) if "Output" in rule else None


def _assign(rule: State, place: str, language: Language) -> Assignments | None:
    return compile_assign(rule["Assign"], language, f"{place}/Assign") if "Assign" in rule else None


def _wait(state: State, pointer: str, language: Language, lowering: Lowering, common: Common) -> WaitStep:
    duration = until = None
    if "Seconds" in state:
        duration = wait_seconds(compile_value(state["Seconds"], "Seconds", language, ["integer"]), "Seconds")
    elif "SecondsPath" in state:
        path = state["SecondsPath"]
        duration = wait_seconds(compile_path(path, "SecondsPath"), "SecondsPath", path)
    elif "Timestamp" in state:
        until = wait_moment(compile_value(state["Timestamp"], "Timestamp", language, ["string"]), "Timestamp")
    else:
        path = state["TimestampPath"]
        until = wait_moment(compile_path(path, "TimestampPath"), "TimestampPath", path)
    return WaitStep(**common, form="time", duration=duration, until=until)


def _succeed(
    state: State, pointer: str, language: Language, lowering: Lowering, common: Common
) -> SucceedStep:
    return SucceedStep(**common, output=None)


def _fail(state: State, pointer: str, language: Language, lowering: Lowering, common: Common) -> FailStep:
    return FailStep(**common, error=_text(state, "Error", language), cause=_text(state, "Cause", language))


def _text(state: State, field: str, language: Language) -> Callable[[Any], Any] | None:
    if f"{field}Path" in state:
        return _text_at(state[f"{field}Path"], f"{field}Path")
    return compile_value(state[field], field, language, ["string"]) if field in state else None


def _text_at(path: str, field: str) -> Evaluate:
    evaluate = compile_path(path, field)

    def text(scope: AslScope) -> str:
        value = evaluate(scope)
        if not isinstance(value, str):
            raise scope.failure(
                RUNTIME, f"The {field} parameter does not reference a string: {path} == {shown(value)}"
            )
        return value

    return text


def _parallel(
    state: State, pointer: str, language: Language, lowering: Lowering, common: Common
) -> ParallelStep:
    count = len(state["Branches"])
    return ParallelStep(
        **common,
        branches=tuple((str(number), pointer_to(pointer, "Branches", number)) for number in range(count)),
        policy="failFast",
        quorum=0,
        timeout=seconds_of(state, "TimeoutSeconds", language),
    )


_KINDS: Final[dict[str, Callable[..., Step]]] = {
    "Task": lower_task,
    "Wait": _wait,
    "Choice": _choice,
    "Parallel": _parallel,
    "Map": lower_map,
    "Pass": _pass,
    "Succeed": _succeed,
    "Fail": _fail,
}
