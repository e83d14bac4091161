"""From single states of ASL to native states that do the same, with helpers for what they have no field for.

The value that ASL hands from state to state is kept at one place below `$.state`, `data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell_interpreter.asl.resources import Integration, ResourceProblem, resolve
from stepwell_interpreter.asl.translate_conditions import condition
from stepwell_interpreter.asl.translate_values import Source, Untranslatable, literal, target
from stepwell_interpreter.failures import pointer_to

CAUGHT = "$.state.caught"
_FLOW = ("Type", "Comment", "Next", "End", "QueryLanguage")

State = dict[str, Any]


@dataclass(slots=True)
class Place:
    """The machine a state stands in: where its value is kept, how it ends, and the states made so far."""

    data: str
    end: str
    resources: Mapping[str, str]
    states: dict[str, State] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def name(self, wanted: str) -> str:
        """A name for a helper that no state has."""
        name, number = wanted[:120], 1
        while name in self.taken:
            number += 1
            name = f"{wanted[:116]} {number}"
        self.taken.add(name)
        return name

    def helper(self, wanted: str, state: State) -> str:
        """Add a helper; gives its name."""
        name = self.name(wanted)
        self.states[name] = state
        return name


def translate_task(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """A Task: an activity, or a child workflow."""
    arguments = state.get("Parameters")
    try:
        found = resolve(state["Resource"], place.resources, arguments)
    except ResourceProblem as problem:
        raise Untranslatable(pointer_to(pointer, "Resource"), problem.message) from None
    if "Credentials" in state:
        raise Untranslatable(pointer_to(pointer, "Credentials"), "roles of AWS have no counterpart")
    made: State = {"type": "task"}
    made |= {"workflow": found.workflow} if found.workflow is not None else {"activity": found.activity}
    source = _source(state, pointer, place)
    wrapped = _wrapper(found, state["Resource"], place)
    if wrapped is None:
        made["input"] = _effective(state, source, pointer)
        _result(made, state, pointer, place)
        after = _output(name, state, pointer, place)
    else:
        made["input"] = _wrapped_input(wrapped, arguments, source, pointer)
        _wrapped_result(wrapped, made, state, pointer, place)
        after = _flow_next(state, place)
    for theirs, ours in (("TimeoutSeconds", "timeout"), ("HeartbeatSeconds", "heartbeat")):
        if theirs in state:
            made[ours] = state[theirs]
        elif f"{theirs}Path" in state:
            made[ours] = source.path(state[f"{theirs}Path"], pointer_to(pointer, f"{theirs}Path"))
    _errors(name, made, state, pointer, place)
    place.states[name] = {**_comment(state), **made, "next": after}


def translate_pass(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """A Pass: a value that is set."""
    source = _source(state, pointer, place)
    if "Result" in state:
        if "Parameters" in state:
            raise Untranslatable(
                pointer_to(pointer, "Parameters"), "Result goes before Parameters; leave one out"
            )
        value = literal(state["Result"])
    else:
        value = _effective(state, source, pointer)
    written = _target(state, pointer, place)
    made: State = {"type": "pass"}
    if written is not None and value != written:
        made["set"] = {written: value}
    place.states[name] = {**_comment(state), **made, "next": _output(name, state, pointer, place)}


def translate_wait(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """A Wait for a time."""
    source = Source(place.data)
    made: State = {"type": "wait"}
    for theirs, ours in (("Seconds", "duration"), ("Timestamp", "timestamp")):
        if theirs in state:
            made[ours] = state[theirs]
        elif f"{theirs}Path" in state:
            made[ours] = source.path(state[f"{theirs}Path"], pointer_to(pointer, f"{theirs}Path"))
    made["next"] = _output(name, state, pointer, place)
    _after_input(name, state, pointer, place, {**_comment(state), **made})


def translate_choice(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """A Choice."""
    if "OutputPath" in state and state["OutputPath"] != "$":
        raise Untranslatable(pointer_to(pointer, "OutputPath"), "a choice passes its input on as it is")
    source = Source(place.data)
    rules = []
    for index, rule in enumerate(state["Choices"]):
        where = pointer_to(pointer, "Choices", index)
        if "Assign" in rule:
            raise Untranslatable(pointer_to(where, "Assign"), "variables are not translated")
        rules.append({**_comment(rule), **condition(rule, source, where), "next": rule["Next"]})
    made: State = {**_comment(state), "type": "choice", "choices": rules}
    if "Default" in state:
        made["default"] = state["Default"]
    _after_input(name, state, pointer, place, made)


def translate_succeed(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """A Succeed."""
    output = _through(place.data, state, ("InputPath", "OutputPath"), pointer)
    place.states[name] = {**_comment(state), "type": "succeed", "output": output}


def translate_fail(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """A Fail."""
    if "Error" not in state and "ErrorPath" not in state:
        raise Untranslatable(pointer, "a native fail without an error's name has States.TaskFailed for one")
    source = Source(place.data)
    made: State = {"type": "fail"}
    for theirs, ours in (("Error", "error"), ("Cause", "cause")):
        if theirs in state:
            made[ours] = literal(state[theirs])
        elif f"{theirs}Path" in state:
            made[ours] = source.value(state[f"{theirs}Path"], pointer_to(pointer, f"{theirs}Path"))
    place.states[name] = {**_comment(state), **made}


def finish(
    name: str, made: State, state: Mapping[str, Any], pointer: str, place: Place, selector: Any
) -> None:
    """What a Parallel or Map has besides its machines: result, errors and what follows."""
    written = _target(state, pointer, place)
    if written is not None:
        made["resultSelector"] = selector
    made["resultPath"] = written
    _errors(name, made, state, pointer, place)
    place.states[name] = {**_comment(state), **made, "next": _output(name, state, pointer, place)}


def effective(state: Mapping[str, Any], pointer: str, place: Place) -> Any:
    """The effective input of a state as a template, for the states inside it."""
    source = Source(_source(state, pointer, place).root, moved=True)
    return _effective(state, source, pointer)


def _source(state: Mapping[str, Any], pointer: str, place: Place) -> Source:
    path = state.get("InputPath", "$")
    if path is None:
        raise Untranslatable(
            pointer_to(pointer, "InputPath"), "null: give the state an empty Parameters instead"
        )
    return Source(Source(place.data).path(path, pointer_to(pointer, "InputPath")))


def _effective(state: Mapping[str, Any], source: Source, pointer: str) -> Any:
    if "Parameters" not in state:
        return source.root
    return source.template(state["Parameters"], pointer_to(pointer, "Parameters"))


def _target(state: Mapping[str, Any], pointer: str, place: Place) -> str | None:
    path = state.get("ResultPath", "$")
    return None if path is None else target(place.data, path, pointer_to(pointer, "ResultPath"))


def _result(made: State, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    if "ResultSelector" in state and state.get("ResultPath", "$") is not None:
        where = pointer_to(pointer, "ResultSelector")
        made["resultSelector"] = Source("$.result").template(state["ResultSelector"], where)
    made["resultPath"] = _target(state, pointer, place)


def _wrapper(found: Integration, resource: str, place: Place) -> str | None:
    """The field of the answer that an integration wraps a result in; None where the result comes as it is."""
    if found.pattern == "waitForTaskToken":
        raise Untranslatable(
            "", f"{resource}: the task token is handed out in another way; use callback: true"
        )
    if found.integration == "lambda:invoke":
        return "Payload"
    if found.workflow is not None and found.pattern == "sync:2":
        return "Output"
    if found.workflow is not None:
        raise Untranslatable("", f"{resource} answers with a description of the execution, which is AWS's")
    return None


def _wrapped_input(wrapper: str, arguments: Any, source: Source, pointer: str) -> Any:
    given = "Payload" if wrapper == "Payload" else "Input"
    where = pointer_to(pointer, "Parameters")
    if f"{given}.$" in arguments:
        return source.value(arguments[f"{given}.$"], pointer_to(where, f"{given}.$"))
    return source.template(arguments.get(given, {}), pointer_to(where, given))


def _wrapped_result(wrapper: str, made: State, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    """Only what is below the wrapping field has a counterpart: ResultSelector or OutputPath must take it out."""
    path = state.get("ResultPath", "$")
    if path is None:
        made["resultPath"] = None
        return
    if path == "$" and "ResultSelector" not in state and state.get("OutputPath") == f"$.{wrapper}":
        made["resultPath"] = place.data
        return
    if "ResultSelector" in state and state.get("OutputPath", "$") == "$":
        where = pointer_to(pointer, "ResultSelector")
        selected = Source("$.answer").template(state["ResultSelector"], where)
        made["resultSelector"] = _unwrapped(selected, f"$.answer.{wrapper}", where)
        made["resultPath"] = _target(state, pointer, place)
        return
    raise Untranslatable(pointer, f"AWS's answer holds more than the result; take OutputPath $.{wrapper}")


def _unwrapped(value: Any, prefix: str, pointer: str) -> Any:
    if isinstance(value, dict):
        return {key: _unwrapped(inner, prefix, pointer) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unwrapped(inner, prefix, pointer) for inner in value]
    if isinstance(value, str) and value.startswith("$.answer"):
        rest = value.removeprefix(prefix)
        if rest == value or (rest and rest[0] not in ".["):
            raise Untranslatable(pointer, "AWS's answer holds more than the result, which this selects")
        return f"$.result{rest}"
    return value


def _output(name: str, state: Mapping[str, Any], pointer: str, place: Place) -> str:
    """What follows; before it a helper where OutputPath takes a part."""
    after = _flow_next(state, place)
    if state.get("OutputPath", "$") == "$":
        return after
    value = _through(place.data, state, ("OutputPath",), pointer)
    return place.helper(f"{name} output", {"type": "pass", "set": {place.data: value}, "next": after})


def _after_input(name: str, state: Mapping[str, Any], pointer: str, place: Place, made: State) -> None:
    """The state itself, after a helper of its name where InputPath takes a part."""
    if state.get("InputPath", "$") == "$":
        place.states[name] = made
        return
    value = _through(place.data, state, ("InputPath",), pointer)
    inner = place.helper(f"{name} then", made)
    place.states[name] = {"type": "pass", "set": {place.data: value}, "next": inner}


def _through(data: str, state: Mapping[str, Any], fields: tuple[str, ...], pointer: str) -> Any:
    value: Any = data
    for each in fields:
        path = state.get(each, "$")
        if path is None:
            return {}
        value = Source(value).path(path, pointer_to(pointer, each))
    return value


def _flow_next(state: Mapping[str, Any], place: Place) -> str:
    following: str = state.get("Next", place.end)
    return following


def _errors(name: str, made: State, state: Mapping[str, Any], pointer: str, place: Place) -> None:
    made["retry"] = [_retrier(each) for each in state.get("Retry", [])]
    catchers = []
    for index, each in enumerate(state.get("Catch", [])):
        where = pointer_to(pointer, "Catch", index)
        if "Assign" in each:
            raise Untranslatable(pointer_to(where, "Assign"), "variables are not translated")
        catchers.append(_catcher(f"{name} caught {index + 1}", each, where, place))
    if catchers:
        made["catch"] = catchers


def _catcher(name: str, each: Mapping[str, Any], pointer: str, place: Place) -> dict[str, Any]:
    path = each.get("ResultPath", "$")
    errors = list(each["ErrorEquals"])
    if path is None:
        return {"errors": errors, "next": each["Next"]}
    error = {"Error": f"{CAUGHT}.error", "Cause": f"{CAUGHT}.cause"}
    written = target(place.data, path, pointer_to(pointer, "ResultPath"))
    helper = place.helper(name, {"type": "pass", "set": {written: error}, "next": each["Next"]})
    return {"errors": errors, "next": helper, "resultPath": CAUGHT}


def _retrier(each: Mapping[str, Any]) -> dict[str, Any]:
    made = {
        "errors": list(each["ErrorEquals"]),
        "maxAttempts": each.get("MaxAttempts", 3),
        "initialInterval": each.get("IntervalSeconds", 1),
        "backoffCoefficient": each.get("BackoffRate", 2.0),
    }
    if "MaxDelaySeconds" in each:
        made["maxInterval"] = each["MaxDelaySeconds"]
    if each.get("JitterStrategy") == "FULL":
        made["jitter"] = "full"
    return made


def _comment(state: Mapping[str, Any]) -> State:
    return {"comment": state["Comment"]} if "Comment" in state else {}
