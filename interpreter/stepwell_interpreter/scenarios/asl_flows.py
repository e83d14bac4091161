"""The flows of an Amazon States Language document, as `Flows` tells those of a native one."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from stepwell_interpreter.asl.intrinsic_syntax import Call, Literal, parse_intrinsic
from stepwell_interpreter.asl.intrinsics import intrinsic_or_path
from stepwell_interpreter.asl.jsonata_functions import function_names
from stepwell_interpreter.asl.jsonata_syntax import inner_text, is_jsonata, parse_jsonata
from stepwell_interpreter.asl.path_syntax import Query, parse_path
from stepwell_interpreter.asl.syntax import JSONATA, AslSyntax
from stepwell_interpreter.scenarios.asl_graph import AslGraph, State
from stepwell_interpreter.scenarios.asl_origins import AslOrigins, Found
from stepwell_interpreter.scenarios.asl_places import AslPlace, place_of_query, reads_of
from stepwell_interpreter.scenarios.flows import Origin, Reading, Rules
from stepwell_interpreter.scenarios.jsonata_conditions import jsonata_formula, literals_in
from stepwell_interpreter.scenarios.jsonpath_conditions import jsonpath_formula
from stepwell_interpreter.scenarios.solving import Place

NUMBER: Final = "number"
LIST: Final = "items"
TEXT: Final = "text"
TIMESTAMP: Final = "timestamp"
TRUTH: Final = "boolean"
JSON_TEXT: Final = "json"

_NOT_READ: Final = frozenset(
    {
        "ItemProcessor",
        "Iterator",
        "Branches",
        "Result",
        "Comment",
        "Choices",
        "Catch",
        "Next",
        "Type",
        "Resource",
    }
)
_TAKEN: Final = frozenset({"InputPath", "OutputPath", "ResultPath"})
_KEYS: Final = {
    "ItemsPath": LIST,
    "Items": LIST,
    "Timestamp": TIMESTAMP,
    "TimestampPath": TIMESTAMP,
    **{
        f"{name}{path}": NUMBER
        for name in (
            "Seconds",
            "TimeoutSeconds",
            "HeartbeatSeconds",
            "MaxConcurrency",
            "ToleratedFailureCount",
            "ToleratedFailurePercentage",
            "MaxItemsPerBatch",
            "MaxInputBytesPerBatch",
            "MaxItems",
        )
        for path in ("", "Path")
    },
}
_KINDS: Final = {"String": TEXT, "Numeric": NUMBER, "Boolean": TRUTH, "Timestamp": TIMESTAMP}
_ARGUMENTS: Final = {
    **dict.fromkeys(("MathAdd", "MathRandom", "ArrayRange"), NUMBER),
    **dict.fromkeys(("ArrayPartition", "ArrayContains", "ArrayGetItem", "ArrayLength", "ArrayUnique"), LIST),
    "StringToJson": JSON_TEXT,
}
_SECOND_NUMBER: Final = frozenset({"ArrayPartition", "ArrayGetItem"})
_OPERATORS: Final = {
    **dict.fromkeys(("+", "-", "*", "/", "%", ".."), NUMBER),
    **dict.fromkeys(("<", "<=", ">", ">="), NUMBER),
    "in": LIST,
    "&": TEXT,
}
_LISTS: Final = [
    "count",
    "sum",
    "max",
    "min",
    "average",
    "map",
    "filter",
    "reduce",
    "sort",
    "append",
    "reverse",
    "distinct",
    "join",
    "zip",
    "single",
]
_NUMBERS: Final = [
    "abs",
    "floor",
    "ceil",
    "round",
    "power",
    "sqrt",
    "formatNumber",
    "formatBase",
    "fromMillis",
]
_FUNCTIONS: Final = {
    **dict.fromkeys(_LISTS, LIST),
    **dict.fromkeys(_NUMBERS, NUMBER),
    "toMillis": TIMESTAMP,
    "parse": JSON_TEXT,
    "not": TRUTH,
    "number": "digits",
}


class AslFlows:
    """The flows of one document. `machines` are the pointers of what holds states; `spend` counts work."""

    def __init__(
        self,
        document: Mapping[str, Any],
        machines: list[str],
        spend: Callable[[int], None] = lambda units: None,
    ) -> None:
        self._spend = spend
        self.graph = AslGraph(document, machines)
        self._origins = AslOrigins(self.graph)
        self._known: dict[tuple[Place, str, str], list[Found]] = {}

    def rules(self) -> Iterator[Rules]:
        """The rules of every choice."""
        for state in self.graph.states.values():
            if state.kind == "Choice":
                formula = jsonata_formula if state.language == JSONATA else jsonpath_formula
                found = tuple(formula(rule) for rule in state.body.get("Choices") or ())
                yield Rules(state.machine, state.name, found)

    def readings(self) -> Iterator[Reading]:
        """Every place that a state reads and that must be there for it."""
        for state in self.graph.states.values():
            for place, key in (*_read_by(state.body, state), *_read_by_rules(state)):
                yield Reading(place, state.machine, state.name, key)
            if state.kind == "Map" and not {"ItemsPath", "Items", "ItemReader"} & set(state.body):
                root = "input" if state.language == JSONATA else "$"
                yield Reading((root,), state.machine, state.name, LIST)

    def origins(self, place: Place, machine: str, state: str) -> list[Origin]:
        """Where the value at a place comes from."""
        return [
            (source, members) for source, members, exact in self._followed(place, machine, state) if exact
        ]

    def spoken(self) -> Iterator[Any]:
        """The literals of expressions that compute values."""
        for state in self.graph.states.values():
            if state.kind != "Choice":
                yield from _spoken(state.body, state)

    def influences(self, place: Place, machine: str, state: str) -> list[Origin]:
        """What bears on the value at a place without being it."""
        found = self._followed(place, machine, state)
        return [(source, members) for source, members, exact in found if not exact and members]

    def _followed(self, place: Place, machine: str, state: str) -> list[Found]:
        key = (place, machine, state)
        if key not in self._known:
            assert isinstance(place, tuple)
            at = self.graph.states.get((machine, state))
            self._known[key] = [] if at is None else self._origins.of(place, at)
            self._spend(1 + self._origins.followed)
        return self._known[key]


def _read_by(value: Any, state: State, key: str = "", data: str = "$") -> Iterator[tuple[AslPlace, str]]:
    """The places that the fields of a state read, and what for. `data` is the root of `$`."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name in _NOT_READ and not key:
                continue
            root = "input" if name in _TAKEN else "result" if name in ("ResultSelector", "Assign") else data
            if state.language != JSONATA and not _is_path(name):
                if isinstance(part, Mapping | list):
                    yield from _read_by(part, state, key or name, root)
            elif name not in ("OutputPath", "ResultPath"):
                yield from _read_by(part, state, _KEYS.get(name, key or name), root)
    elif isinstance(value, list):
        for part in value:
            yield from _read_by(part, state, key, data)
    elif isinstance(value, str):
        yield from _read_by_text(value, state, key, data)


def _spoken(value: Any, state: State) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _NOT_READ:
                yield from _spoken(part, state)
    elif isinstance(value, list):
        for part in value:
            yield from _spoken(part, state)
    elif isinstance(value, str):
        try:
            if state.language == JSONATA and is_jsonata(value):
                yield from literals_in(parse_jsonata(inner_text(value)).tree)
            elif state.language != JSONATA and intrinsic_or_path(value) == "intrinsic":
                arguments = parse_intrinsic(value).arguments
                yield from (each.value for each in arguments if isinstance(each, Literal))
        except AslSyntax:
            return  # a text that is no expression


def _is_path(name: str) -> bool:
    return name.endswith((".$", "Path"))


def _read_by_text(text: str, state: State, key: str, data: str) -> Iterator[tuple[AslPlace, str]]:
    try:
        if state.language == JSONATA:
            if is_jsonata(text):
                yield from _read_by_expression(parse_jsonata(inner_text(text)).tree, key)
        elif intrinsic_or_path(text) == "intrinsic":
            yield from _read_by_call(parse_intrinsic(text), data)
        elif text.startswith("$"):
            yield _read_query(parse_path(text), key, data)
    except AslSyntax:
        return  # an accepted definition has none


def _read_query(query: Query, key: str, data: str) -> tuple[AslPlace, str]:
    read = place_of_query(query, (data,))
    return read.place, key if read.whole else LIST


def _read_by_call(call: Call, data: str) -> Iterator[tuple[AslPlace, str]]:
    for number, argument in enumerate(call.arguments):
        if isinstance(argument, Call):
            yield from _read_by_call(argument, data)
        elif isinstance(argument, Query):
            second = number > 0 and call.name in ("ArrayContains", *_SECOND_NUMBER)
            key = _ARGUMENTS.get(call.name, TEXT) if not second else NUMBER
            yield _read_query(argument, key, data)


def _read_by_rules(state: State) -> Iterator[tuple[AslPlace, str]]:
    for rule in state.body.get("Choices") or ():
        if state.language == JSONATA:
            yield from _read_by({key: rule[key] for key in rule if key != "Next"}, state)
        else:
            yield from _read_by_rule(rule)
            yield from _read_by({"Assign": rule.get("Assign") or {}}, state)
    for catch in state.body.get("Catch") or ():
        yield from _read_by(
            {key: catch[key] for key in ("Output", "Assign") if key in catch}, state, data="error"
        )


def _read_by_rule(rule: Mapping[str, Any]) -> Iterator[tuple[AslPlace, str]]:
    inner = [*rule.get("And", ()), *rule.get("Or", ()), *([rule["Not"]] if "Not" in rule else ())]
    for part in inner:
        yield from _read_by_rule(part)
    if "Variable" not in rule or "IsPresent" in rule:
        return
    operator = next((key for key in rule if key.startswith((*_KINDS, "Is"))), "")
    key = next((kind for word, kind in _KINDS.items() if operator.startswith(word)), TEXT)
    for text in (rule["Variable"], rule[operator] if operator.endswith("Path") else None):
        if isinstance(text, str):
            yield _read_query(parse_path(text), key, "$")


def _read_by_expression(tree: Any, key: str) -> Iterator[tuple[AslPlace, str]]:
    for read, node, around in reads_of(tree):
        if read.place[0] == "variable" and read.place[1] in function_names():
            continue
        called = getattr(getattr(around, "procedure", None), "value", None)
        if called == "exists" or node is getattr(around, "condition", None):
            continue  # it need not be there
        if not read.whole:
            yield read.place, LIST
        elif around is None:
            yield read.place, key
        elif called is not None:
            yield read.place, _FUNCTIONS.get(str(called), TEXT)
        elif around.type == "binary":
            yield read.place, _compared(around, _OPERATORS.get(around.value, TEXT))
        else:
            yield read.place, key if around.type == "condition" else TEXT


def _compared(node: Any, key: str) -> str:
    """A text where a comparison's other side is one."""
    sides = (getattr(node.lhs, "type", ""), getattr(node.rhs, "type", ""))
    if node.value in ("and", "or"):
        return TRUTH
    if "string" in sides and key == NUMBER:
        return TEXT
    return NUMBER if "number" in sides and key == TEXT else key
