"""Translates an ASL document to a native one that does the same, or says what of it the native dialect cannot do.

The same document always gives the same translation. Differences that are no loss: an invalid path fails with
States.ParameterPathFailure wherever it stands, and causes are told in Stepwell's words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell_interpreter.asl.path_syntax import Indices, Query, parse_path
from stepwell_interpreter.asl.syntax import AslSyntax
from stepwell_interpreter.asl.translate_states import (
    Place,
    State,
    effective,
    finish,
    translate_choice,
    translate_fail,
    translate_pass,
    translate_succeed,
    translate_task,
    translate_wait,
)
from stepwell_interpreter.asl.translate_values import Source, Untranslatable
from stepwell_interpreter.asl.validate_graph import all_machines, inner_machines
from stepwell_interpreter.asl.validate_map import is_distributed
from stepwell_interpreter.failures import pointer_to

NO_TIMEOUT_SECONDS = 99_999_999
"""What a task without a timeout has in AWS; the native default is much shorter."""

_SIMPLE = {
    "Task": translate_task,
    "Pass": translate_pass,
    "Wait": translate_wait,
    "Choice": translate_choice,
    "Succeed": translate_succeed,
    "Fail": translate_fail,
}
_UNFAILING = ("Pass", "Wait", "Succeed")
_NO_COUNTERPART = (
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "MaxConcurrencyPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
)


@dataclass(frozen=True, slots=True)
class Loss:
    """What cannot be said in the native dialect, and where it stands (a JSON pointer)."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Translation:
    """`document` is there only where nothing is lost."""

    document: dict[str, Any] | None
    lost: list[Loss] = field(default_factory=list)


def translate_asl(
    document: Mapping[str, Any],
    id: str,
    version: str,
    resources: Mapping[str, str] | None = None,
) -> Translation:
    """The native document of a validated ASL document. `resources` maps as in an upload."""
    work = _Translator(resources or {})
    if document.get("QueryLanguage") == "JSONata":
        return Translation(None, [Loss("/QueryLanguage", "JSONata is not translated")])
    data = "$.state.data"
    start, states = work.machine(document, "", data, "$.input")
    if work.lost:
        return Translation(None, work.lost)
    configuration: dict[str, Any] = {"taskTimeout": NO_TIMEOUT_SECONDS}
    if "TimeoutSeconds" in document:
        configuration["timeout"] = document["TimeoutSeconds"]
    made: dict[str, Any] = {"id": id, "version": version}
    if isinstance(document.get("Comment"), str):
        made["description"] = document["Comment"]
    return Translation({**made, "configuration": configuration, "startAt": start, "states": states})


class _Translator:
    """Goes through the machines; every branch and iteration keeps its value at a place of its own."""

    def __init__(self, resources: Mapping[str, str]) -> None:
        self.lost: list[Loss] = []
        self.resources = resources
        self.places = 0

    def machine(
        self, document: Mapping[str, Any], pointer: str, data: str, begin: Any
    ) -> tuple[str, dict[str, State]]:
        """The first state and all states; `begin` is the template of the value the machine begins with."""
        place = Place(data, "", self.resources, taken=set(document["States"]))
        place.end = place.name("End")
        start = place.name("Start")
        place.states[start] = {"type": "pass", "set": {data: begin}, "next": document["StartAt"]}
        for name, state in document["States"].items():
            self._state(name, state, pointer_to(pointer, "States", name), place)
        if any(state.get("next") == place.end for state in place.states.values()):
            place.states[place.end] = {"type": "succeed", "output": data}
        return start, place.states

    def _state(self, name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
        place.states[name] = {}  # its helpers stand behind it
        try:
            if "Assign" in state:
                raise Untranslatable(pointer_to(pointer, "Assign"), "variables are not translated")
            if state.get("QueryLanguage") == "JSONata":
                raise Untranslatable(pointer_to(pointer, "QueryLanguage"), "JSONata is not translated")
            simple = _SIMPLE.get(state["Type"])
            if simple is not None:
                simple(name, state, pointer, place)
            elif state["Type"] == "Parallel":
                self._parallel(name, state, pointer, place)
            else:
                self._map(name, state, pointer, place)
        except Untranslatable as problem:
            self.lost.append(Loss(problem.pointer or pointer, problem.message))
        except AslSyntax as problem:
            self.lost.append(Loss(pointer, problem.message))

    def _parallel(self, name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
        begin = effective(state, pointer, place)
        branches = {}
        for index, branch in enumerate(state["Branches"]):
            where = pointer_to(pointer, "Branches", index)
            start, states = self.machine(branch, where, self._place(), begin)
            branches[f"b{index}"] = {"startAt": start, "states": states}
        made: State = {"type": "parallel", "branches": branches}
        where = pointer_to(pointer, "ResultSelector")
        selector: Any = [f"$.result.b{index}" for index in range(len(branches))]
        if "ResultSelector" in state:
            selector = _select(state["ResultSelector"], where)
        finish(name, made, state, pointer, place, selector)

    def _map(self, name: str, state: Mapping[str, Any], pointer: str, place: Place) -> None:
        for each in _NO_COUNTERPART:
            if each in state:
                raise Untranslatable(pointer_to(pointer, each), "has no counterpart that does just the same")
        inner = next(inner for _, inner in inner_machines(state, ()))
        if not is_distributed(state) and not _unfailing(inner):
            raise Untranslatable(
                pointer,
                "a failed item fails an inline Map with its own error, here with "
                "States.ExceedToleratedFailureThreshold",
            )
        base = Source(place.data).path(state.get("InputPath", "$"), pointer_to(pointer, "InputPath"))
        items = Source(base).path(state.get("ItemsPath", "$"), pointer_to(pointer, "ItemsPath"))
        begin: Any = "$.item"
        for each in ("ItemSelector", "Parameters"):
            if each in state:
                begin = Source(base, item=True, moved=True).template(state[each], pointer_to(pointer, each))
        key = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        start, states = self.machine(inner, pointer_to(pointer, key), self._place(), begin)
        made: State = {"type": "map", "items": items, "startAt": start, "states": states}
        if state.get("MaxConcurrency"):
            made["maxConcurrency"] = state["MaxConcurrency"]
        made |= _tolerance(state, pointer)
        selector: Any = "$.result"
        if "ResultSelector" in state:
            selector = Source("$.result").template(
                state["ResultSelector"], pointer_to(pointer, "ResultSelector")
            )
        finish(name, made, state, pointer, place, selector)

    def _place(self) -> str:
        self.places += 1
        return f"$.state.data{self.places}"


def _tolerance(state: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    count, percent = state.get("ToleratedFailureCount"), state.get("ToleratedFailurePercentage")
    if count is not None and percent is not None:
        where = pointer_to(pointer, "ToleratedFailureCount")
        raise Untranslatable(where, "a map tolerates either a count or a percentage")
    if count is not None:
        return {"tolerate": {"count": count}}
    return {} if percent is None else {"tolerate": {"percent": percent}}


def _select(selector: Any, pointer: str) -> dict[str, Any]:
    """Of a Parallel: ASL's result is a list, the native one an object by the branches' names."""
    made: dict[str, Any] = {}
    for key, value in selector.items():
        where = pointer_to(pointer, key)
        if key.endswith(".$"):
            made[key.removesuffix(".$")] = _selected(value, where)
        elif _constant(value):
            made |= Source("$.result").template({key: value}, pointer)
        else:
            raise _unselected(where)
    return made


def _selected(value: str, pointer: str) -> str:
    query = parse_path(value) if value.startswith("$") else None
    first = query.segments[0] if query is not None and query.segments else None
    if query is None or query.root != "$" or not query.definite or not isinstance(first, Indices):
        raise _unselected(pointer)
    if first.indices[0] < 0:
        raise _unselected(pointer)
    rest = Query(query.text, "$", query.segments[1:])
    return Source(f"$.result.b{first.indices[0]}").query(rest, pointer)


def _unselected(pointer: str) -> Untranslatable:
    return Untranslatable(pointer, "only parts of one branch's result ($[0].x) can be selected")


def _constant(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(not key.endswith(".$") and _constant(inner) for key, inner in value.items())
    return all(_constant(inner) for inner in value) if isinstance(value, list) else True


def _unfailing(machine: Mapping[str, Any]) -> bool:
    return all(
        state["Type"] in _UNFAILING for _, each in all_machines(machine) for state in each["States"].values()
    )
