"""Places in the data of an Amazon States Language state, and scopes in which chosen values stand at them.

A place is a tuple that begins with its root: `$` (the effective input), `input` (the raw one), `context`, `result`,
`error`, or `variable` and its name; after it come the members.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stepwell_interpreter.asl.path_syntax import Indices, Names, Query
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.paths import Member
from stepwell_interpreter.scenarios.placing import JSON_TEXT, put
from stepwell_interpreter.scope import MISSING

AslPlace = tuple[Member, ...]
DATA: Final = "$"
INPUT: Final = "input"
CONTEXT: Final = "context"
RESULT: Final = "result"
ERROR: Final = "error"
VARIABLE: Final = "variable"

_STATES: Final = {"input": INPUT, "context": CONTEXT, "result": RESULT, "errorOutput": ERROR}
_MARKS: Final = ("predicate", "focus", "group", "index", "ancestor")
_INNER: Final = ("lhs", "rhs", "expression", "condition", "then", "_else", "procedure", "body")
_LISTS: Final = ("steps", "expressions", "arguments", "predicate", "stages")


@dataclass(frozen=True, slots=True)
class Read:
    """What is read of a place. `whole`: just what stands there, not something that is looked for in it."""

    place: AslPlace
    whole: bool = True


def place_of_query(query: Query, data: AslPlace = (DATA,)) -> Read:
    """The place of a JSONPath as far as it is definite. `data` is the place of its `$`."""
    members: list[Member] = []
    for segment in query.segments:
        if segment.descend:
            break
        if isinstance(segment, Names) and len(segment.names) == 1:
            members.append(segment.names[0])
        elif isinstance(segment, Indices) and len(segment.indices) == 1:
            members.append(segment.indices[0])
        else:
            break
    root = data
    if query.root == "$$":
        root = (CONTEXT,)
    elif query.root != "$":
        root = (VARIABLE, query.root[1:])
    return Read((*root, *members), len(members) == len(query.segments))


def place_of_node(node: Any) -> Read | None:
    """The place of a JSONata path or variable; None of another expression."""
    steps: list[Any] = list(getattr(node, "steps", None) or ()) if node.type == "path" else [node]
    first = steps[0]
    if first.type == "function" and len(steps) > 1:
        return _place_in_text(first, steps[1:])
    name = str(first.value) if first.type == "variable" else ""
    if not name or name == "$" or _marked(first) or getattr(first, "stages", None):
        return None
    members, whole = _names_of(steps[1:])
    whole = whole and not getattr(node, "group", None)
    if name != "states":
        return Read((VARIABLE, name, *members), whole)
    if not members or members[0] not in _STATES:
        return None
    return Read((_STATES[str(members[0])], *members[1:]), whole)


def reads_of(node: Any) -> Iterator[tuple[Read, Any, Any]]:
    """Every place that an expression reads, its node, and the node around it (an operator or a call), if any."""
    pending: list[tuple[Any, Any]] = [(node, None)]
    while pending:
        at, around = pending.pop()
        read = place_of_node(at) if getattr(at, "type", None) in ("path", "variable") else None
        if read is not None:
            yield read, at, around
        steps = list(getattr(at, "steps", None) or ())
        pending += [(child, at) for child in children(at) if read is None or child is not (steps or [at])[0]]


def children(node: Any) -> Iterator[Any]:
    """The nodes right inside a node."""
    for name in _INNER:
        child = getattr(node, name, None)
        if hasattr(child, "type"):
            yield child
    for name in _LISTS:
        for child in getattr(node, name, None) or ():
            inner = getattr(child, "expr", None)
            yield child if inner is None else inner
    for pair in getattr(node, "lhs_object", None) or ():
        yield from pair


def scope_with(places: Sequence[AslPlace], values: Sequence[Any]) -> AslScope:
    """A scope that has these values at these places, and nothing else."""
    roots: dict[str, Any] = {}
    for (root, *members), value in sorted(zip(places, values, strict=False), key=lambda pair: len(pair[0])):
        if value is not MISSING or members:
            roots[str(root)] = put(roots.get(str(root), {}), members, value)
    context = roots.get(CONTEXT, {})
    variables: Mapping[str, Any] = roots.get(VARIABLE, {})
    return AslScope(
        state="",
        entered=0,
        data=roots.get(DATA, {}),
        input=roots.get(INPUT, {}),
        variables=lambda: variables,
        context=lambda: context,
        now_ms=0,
        seed="",
        result=roots.get(RESULT, {}),
        error=roots.get(ERROR, {}),
    )


def _place_in_text(call: Any, steps: Sequence[Any]) -> Read | None:
    """The place of `$parse(place).name`."""
    if getattr(call.procedure, "value", None) != "parse" or len(call.arguments) != 1 or _marked(call):
        return None
    argument = call.arguments[0]
    inner = place_of_node(argument) if argument.type in ("path", "variable") else None
    if inner is None or not inner.whole:
        return None
    members, whole = _names_of(steps)
    return Read((*inner.place, JSON_TEXT, *members), whole)


def _names_of(steps: Sequence[Any]) -> tuple[list[Member], bool]:
    """The names and indices that steps begin with, and whether that is all of them."""
    members: list[Member] = []
    for step in steps:
        if step.type != "name" or _marked(step):
            return members, False
        members.append(str(step.value))
        index = _index(step)
        if index is None and getattr(step, "stages", None):
            return members, False
        if index is not None:
            members.append(index)
    return members, True


def _marked(step: Any) -> bool:
    return any(getattr(step, mark, None) for mark in _MARKS)


def _index(step: Any) -> int | None:
    stages = list(getattr(step, "stages", None) or ())
    expression = getattr(stages[0], "expr", None) if len(stages) == 1 else None
    value = getattr(expression, "value", None) if getattr(expression, "type", None) == "number" else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
