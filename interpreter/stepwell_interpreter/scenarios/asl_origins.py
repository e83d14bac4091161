"""Where the values of an Amazon States Language document come from: the input, or the output of a task.

A state's input is what the state before it gave on; that is followed back through paths, templates, variables and
results to what a scenario gives. An origin is exact where the value there is the value read, else it only bears on it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stepwell_interpreter.asl.intrinsic_syntax import Call, parse_intrinsic
from stepwell_interpreter.asl.intrinsics import intrinsic_or_path
from stepwell_interpreter.asl.jsonata_syntax import inner_text, is_jsonata, parse_jsonata
from stepwell_interpreter.asl.path_syntax import Query, parse_path
from stepwell_interpreter.asl.syntax import JSONATA, AslSyntax
from stepwell_interpreter.failures import pointer_to
from stepwell_interpreter.scenarios.asl_graph import AslGraph, Entry, State
from stepwell_interpreter.scenarios.asl_places import (
    DATA,
    ERROR,
    INPUT,
    RESULT,
    AslPlace,
    Read,
    place_of_node,
    place_of_query,
    reads_of,
)
from stepwell_interpreter.scenarios.flows import INPUT as GIVEN
from stepwell_interpreter.scenarios.flows import Members, Source
from stepwell_interpreter.scenarios.placing import JSON_TEXT

DEEPEST: Final = 250
MOST_FOLLOWED: Final = 4_000
"""Places that are followed back for the sake of one: a large document has many ways to each of its states."""
SELECTED: Final = "selected"
"""The root of what a ResultSelector has made of the result."""

_PATHS: Final = frozenset({"InputPath", "OutputPath"})

Found = tuple[Source, Members, bool]
"""Whose value, which member of it, and whether it is exact."""


class AslOrigins:
    """Follows places of one document back."""

    def __init__(self, graph: AslGraph) -> None:
        self.graph = graph
        self._seen: set[tuple[Any, ...]] = set()
        self._writers: dict[str, list[tuple[State, Any, AslPlace]]] = {}
        for state in graph.states.values():
            self._note_writers(state)

    def of(self, place: AslPlace, state: State) -> list[Found]:
        """The origins of what a state sees at a place."""
        self._seen.clear()
        return list(dict.fromkeys(self._from(place, state, True, 0)))

    @property
    def followed(self) -> int:
        """How many places were followed for the last one."""
        return len(self._seen)

    # -- places --------------------------------------------------------------------------------------------

    def _from(self, place: AslPlace, state: State, exact: bool, depth: int) -> Iterator[Found]:
        here = (place, state.machine, state.name, exact)
        if depth > DEEPEST or here in self._seen or len(self._seen) > MOST_FOLLOWED:
            return
        self._seen.add(here)
        root, rest = place[0], place[1:]
        match root:
            case "$":
                path = state.body.get("InputPath", "$")
                yield from self._from_path(path, rest, state, (INPUT,), exact, depth)
            case "input":
                yield from self._from_input(rest, state, exact, depth)
            case "context":
                yield from self._from_context(rest, state, exact, depth)
            case "variable" if rest:
                for writer, template, data in self._writers.get(str(rest[0]), ()):
                    yield from self._from_template(template, rest, writer, data, exact, depth)
            case "result":
                yield from self._from_result(rest, state, exact, depth)
            case "selected" if "ResultSelector" in state.body:
                yield from self._from_template(
                    state.body["ResultSelector"], rest, state, (RESULT,), exact, depth
                )
            case "selected":
                yield from self._from((RESULT, *rest), state, exact, depth + 1)
            case "error":
                yield Source("error", state.machine, state.name), rest, exact
            case _:
                return

    def _from_input(self, members: Members, state: State, exact: bool, depth: int) -> Iterator[Found]:
        if self.graph.starts(state):
            holder = self.graph.holder(state.machine)
            if holder is None:
                yield GIVEN, members, exact
            elif holder.kind == "Map":
                yield from self._from_item(members, holder, exact, depth)
            else:
                yield from self._from_effective(members, holder, exact, depth)
        for entry in self.graph.entries.get((state.machine, state.name), ()):
            yield from self._from_output(members, entry, exact, depth)

    def _from_context(self, members: Members, state: State, exact: bool, depth: int) -> Iterator[Found]:
        if members[:2] == ("Execution", "Input"):
            yield GIVEN, members[2:], exact
        if members[:3] == ("Map", "Item", "Value"):
            at = state if state.kind == "Map" else self._map_around(state)
            if at is not None:
                yield from self._from_raw_item(members[3:], at, exact, depth)

    def _map_around(self, state: State) -> State | None:
        holder = self.graph.holder(state.machine)
        while holder is not None and holder.kind != "Map":
            holder = self.graph.holder(holder.machine)
        return holder

    # -- what states are given, and give -------------------------------------------------------------------

    def _from_effective(self, members: Members, state: State, exact: bool, depth: int) -> Iterator[Found]:
        """What goes into the work of a state: its Parameters or Arguments, else its input."""
        template = state.body.get("Arguments" if state.language == JSONATA else "Parameters")
        if template is not None:
            yield from self._from_template(template, members, state, (DATA,), exact, depth)
        else:
            root = INPUT if state.language == JSONATA else DATA
            yield from self._from((root, *members), state, exact, depth + 1)

    def _from_item(self, members: Members, state: State, exact: bool, depth: int) -> Iterator[Found]:
        """What an iteration of a Map begins with."""
        if "ItemBatcher" in state.body:
            if members[:1] == ("Items",):
                yield from self._from_raw_item(members[2:], state, exact, depth)
            return
        for key in ("ItemSelector", "Parameters"):
            if key in state.body:
                yield from self._from_template(state.body[key], members, state, (DATA,), exact, depth)
                return
        yield from self._from_raw_item(members, state, exact, depth)

    def _from_raw_item(self, members: Members, state: State, exact: bool, depth: int) -> Iterator[Found]:
        if "ItemReader" in state.body:
            yield Source("output", state.machine, state.name), (0, *members), exact
        elif state.language == JSONATA and "Items" in state.body:
            yield from self._from_template(state.body["Items"], (0, *members), state, (INPUT,), exact, depth)
        else:
            path = state.body.get("ItemsPath", "$")
            root = (INPUT,) if state.language == JSONATA else (DATA,)
            yield from self._from_path(path, (0, *members), state, root, exact, depth)

    def _from_result(self, members: Members, state: State, exact: bool, depth: int) -> Iterator[Found]:
        match state.kind:
            case "Task":
                yield Source("output", state.machine, state.name), members, exact
            case "Parallel" if members:
                inner = pointer_to(state.pointer, "Branches", members[0])
                yield from self._from_ends(inner, members[1:], exact, depth)
            case "Map" if members:
                key = "ItemProcessor" if "ItemProcessor" in state.body else "Iterator"
                yield from self._from_ends(pointer_to(state.pointer, key), members[1:], exact, depth)
            case "Pass" if "Result" in state.body:
                return
            case "Pass":
                yield from self._from_effective(members, state, exact, depth)
            case "Choice" | "Wait" | "Succeed":
                root = INPUT if state.language == JSONATA else DATA
                yield from self._from((root, *members), state, exact, depth + 1)
            case _:
                return

    def _from_ends(self, machine: str, members: Members, exact: bool, depth: int) -> Iterator[Found]:
        for state in self.graph.ends_of(machine):
            yield from self._from_output(members, Entry(state, "done", state.body), exact, depth)

    def _from_output(self, members: Members, entry: Entry, exact: bool, depth: int) -> Iterator[Found]:
        """What a state gives on by one of its ways."""
        state = entry.source
        if state.language == JSONATA:
            if "Output" in entry.way:
                yield from self._from_template(entry.way["Output"], members, state, (INPUT,), exact, depth)
            elif entry.how == "catch":
                yield from self._from((ERROR, *members), state, exact, depth + 1)
            else:
                yield from self._from_result(members, state, exact, depth)
            return
        if state.kind in ("Choice", "Wait", "Succeed") and not _PATHS & set(state.body):
            yield from self._from((INPUT, *members), state, exact, depth + 1)
            return
        result = ERROR if entry.how == "catch" else SELECTED
        after: Members = members
        if entry.how != "catch":
            output = _members_of(state.body.get("OutputPath", "$"))
            if output is None:
                return
            after = (*output, *members)
        target = _members_of(entry.way.get("ResultPath", "$"))
        if target is not None and after[: len(target)] == target:
            yield from self._from((result, *after[len(target) :]), state, exact, depth + 1)
            return
        if target is not None and target[: len(after)] == after:
            yield from self._from((result,), state, False, depth + 1)
        yield from self._from((INPUT, *after), state, exact, depth + 1)

    # -- expressions ---------------------------------------------------------------------------------------

    def _from_template(
        self, template: Any, members: Members, state: State, data: AslPlace, exact: bool, depth: int
    ) -> Iterator[Found]:
        """Into a template along the members, to the expression that stands there. `data` is the place of its `$`."""
        if isinstance(template, Mapping):
            if not members:
                return
            name = members[0]
            if state.language != JSONATA and f"{name}.$" in template:
                yield from self._from_path(template[f"{name}.$"], members[1:], state, data, exact, depth)
            elif name in template:
                yield from self._from_template(template[name], members[1:], state, data, exact, depth)
        elif isinstance(template, list) and members and isinstance(members[0], int):
            if members[0] < len(template):
                inner = template[members[0]]
                yield from self._from_template(inner, members[1:], state, data, exact, depth)
        elif state.language == JSONATA and is_jsonata(template):
            try:
                tree = parse_jsonata(inner_text(template)).tree
            except AslSyntax:
                return  # an accepted definition has none
            yield from self._from_node(tree, members, state, exact, depth)

    def _from_path(
        self, text: Any, members: Members, state: State, data: AslPlace, exact: bool, depth: int
    ) -> Iterator[Found]:
        """From a JSONPath or an intrinsic function's call."""
        if not isinstance(text, str):
            return
        try:
            if intrinsic_or_path(text) == "intrinsic":
                yield from self._from_call(parse_intrinsic(text), members, state, data, exact, depth)
                return
            read = place_of_query(parse_path(text), data)
        except AslSyntax:
            return
        yield from self._from_read(read, members, state, exact, depth)

    def _from_read(
        self, read: Read, members: Members, state: State, exact: bool, depth: int
    ) -> Iterator[Found]:
        place = (*read.place, *members) if read.whole else read.place
        yield from self._from(place, state, exact and read.whole, depth + 1)

    def _from_call(
        self, call: Call, members: Members, state: State, data: AslPlace, exact: bool, depth: int
    ) -> Iterator[Found]:
        if call.name == "StringToJson" and len(call.arguments) == 1:
            members = (JSON_TEXT, *members)
        kept = call.name in ("JsonMerge", "StringToJson")
        for argument in call.arguments:
            if isinstance(argument, Call):
                inner = members if kept else ()
                yield from self._from_call(argument, inner, state, data, exact and kept, depth + 1)
            elif isinstance(argument, Query):
                read = place_of_query(argument, data)
                if kept:
                    yield from self._from_read(read, members, state, exact, depth)
                else:
                    yield from self._from(read.place, state, False, depth + 1)

    def _from_node(
        self, node: Any, members: Members, state: State, exact: bool, depth: int
    ) -> Iterator[Found]:
        """From a JSONata expression: paths, objects, lists, `$merge`, `? :`; of others what they read."""
        read = place_of_node(node) if node.type in ("path", "variable") else None
        if read is not None:
            yield from self._from_read(read, members, state, exact, depth)
            return
        for inner, rest in _inside(node, members):
            yield from self._from_node(inner, rest, state, exact, depth + 1)
        if not _taken_apart(node):
            for each, _, _ in reads_of(node):
                yield from self._from(each.place, state, False, depth + 1)

    def _note_writers(self, state: State) -> None:
        ways: list[tuple[Any, AslPlace]] = [(state.body.get("Assign"), (SELECTED,))]
        ways += [(rule.get("Assign"), (DATA,)) for rule in state.body.get("Choices") or ()]
        ways += [(catch.get("Assign"), (ERROR,)) for catch in state.body.get("Catch") or ()]
        for assign, data in ways:
            for written in assign if isinstance(assign, Mapping) else ():
                name = written if state.language == JSONATA else written.removesuffix(".$")
                self._writers.setdefault(name, []).append((state, assign, data))


def _members_of(path: Any) -> Members | None:
    """The members of a reference path; None for `null`, and for what is more than one."""
    if not isinstance(path, str):
        return None
    try:
        return parse_path(path).members
    except AslSyntax:
        return None


def _inside(node: Any, members: Members) -> Iterator[tuple[Any, Members]]:
    """The expressions that a member of an expression's value may come from, and what is left of the members."""
    kind = node.type
    if kind == "unary" and node.value == "{":
        for key, value in node.lhs_object:
            if members and key.type == "string" and key.value == members[0]:
                yield value, members[1:]
    elif kind == "unary" and node.value == "[":
        if members and isinstance(members[0], int) and members[0] < len(node.expressions):
            yield node.expressions[members[0]], members[1:]
    elif kind == "condition":
        for inner in (node.then, node._else):
            if inner is not None:
                yield inner, members
    elif kind == "block" and len(node.expressions) == 1:
        yield node.expressions[0], members
    elif _parses(node):
        yield node.arguments[0], (JSON_TEXT, *members)
    elif _merges(node):
        for inner in reversed(node.arguments[0].expressions):
            yield inner, members


def _taken_apart(node: Any) -> bool:
    """Whether all that bears on a member of the value is inside."""
    return (node.type == "unary" and node.value in ("{", "[")) or _merges(node) or _parses(node)


def _parses(node: Any) -> bool:
    return bool(
        node.type == "function"
        and getattr(node.procedure, "value", None) == "parse"
        and len(node.arguments) == 1
    )


def _merges(node: Any) -> bool:
    if node.type != "function" or getattr(node.procedure, "value", None) != "merge" or not node.arguments:
        return False
    first = node.arguments[0]
    return bool(first.type == "unary" and first.value == "[")
