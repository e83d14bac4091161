"""JSONPath beyond plain members: wildcards, slices, unions, descendants and filters. RFC 9535 is the rule.

jsonpath-ng reads the text; what it accepts beyond the RFC (regular expressions, arithmetic, sorting, `where`,
bare words) is refused, and the tree is walked here, because its own walk has no bound and other semantics:
here a query visits at most `MOST_STEPS` values, runs no pattern of a user's, and never changes what it reads.
Not offered, since jsonpath-ng does not read it: function extensions, mixed unions ([0, 'a']), a literal left
of an operator.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jsonpath_ng import Child, Descendants, Fields, Index, Root, Slice, This
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.filter import And, Expression, Filter, Or
from jsonpath_ng.ext.parser import ExtendedJsonPathLexer, ExtendedJsonPathParser
from jsonpath_ng.jsonpath import Wildcard

from stepwell_interpreter.extent import within_extent
from stepwell_interpreter.failures import DATA_LIMIT_EXCEEDED, CompileProblem, StateFailure, did_you_mean
from stepwell_interpreter.scope import MISSING, ROOTS, Scope
from stepwell_interpreter.values import comparable, same

MOST_STEPS: Final = 200_000
"""Values one evaluation may visit before it fails with States.DataLimitExceeded."""

_DEEPEST_BRACKETS = 12
_MOST_TOKENS = 200
_REFUSED_TOKENS = {
    "NAMED_OPERATOR": "a back-quoted operator",
    "SORT_DIRECTION": "sorting",
    "WHERE": "the word `where` (as a member's name write ['where'])",
    "WHERENOT": "the word `wherenot` (as a member's name write ['wherenot'])",
    "+": "arithmetic",
    "-": "arithmetic (a member's name with a leading - goes in quotes)",
    "/": "arithmetic",
    "|": "a union by |",
    "&": "a single &",
    "~": "~",
}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(slots=True)
class _Budget:
    left: int

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            cause = f"a path visits more than {MOST_STEPS} values; make it more specific"
            raise StateFailure(DATA_LIMIT_EXCEEDED, cause)


_Select = Callable[[Any, Scope, _Budget], list[Any]]
_Test = Callable[[Any, Scope, _Budget], bool]
Query = Callable[[Any, Scope], list[Any]]


def compile_query(rest: str, text: str) -> Query:
    """A query of what follows a plain path: `rest` begins at the first segment that is not plain.

    The result takes the value the plain part found (or MISSING) and gives all matches in document order.
    Raises CompileProblem naming `text`; at run time StateFailure where the bound is passed.
    """
    tree = _parsed(rest, text)
    if _singular(tree):
        raise _bad(text, "has a member's name that needs quotes: ['name']")
    segments = _segments(tree, text)

    def query(start: Any, scope: Scope) -> list[Any]:
        budget = _Budget(MOST_STEPS)
        found = [] if start is MISSING else _walk([start], segments, scope, budget)
        scope.spend(MOST_STEPS - budget.left)
        # `..*` finds the same parts again and again, each inside of those around it.
        return within_extent(found) if len(found) > 1 else found

    return query


def _parsed(rest: str, text: str) -> Any:
    _check_brackets(rest, text)
    try:
        tokens = list(ExtendedJsonPathLexer().tokenize("$" + rest))
        _check_tokens(tokens, text)
        return ExtendedJsonPathParser().parse_token_stream(iter(tokens))
    except (JSONPathError, ValueError) as error:
        raise _bad(text, f"is not a JSONPath: {str(error).strip()}") from error


def _check_brackets(rest: str, text: str) -> None:
    """Bounds the parser's recursion, and refuses escapes that jsonpath-ng reads otherwise than the RFC."""
    depth = deepest = 0
    quote = ""
    escaped = False
    for letter in rest:
        if escaped:
            escaped = False
            if letter not in "\\'\"/":
                raise _bad(text, f"uses the escape \\{letter}, which only a path of plain members may")
        elif quote:
            escaped = letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[(":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "])":
            depth -= 1
    if deepest > _DEEPEST_BRACKETS:
        raise _bad(text, f"nests brackets deeper than {_DEEPEST_BRACKETS}")


def _check_tokens(tokens: list[Any], text: str) -> None:
    if len(tokens) > _MOST_TOKENS:
        raise _bad(text[:60], f"has {len(tokens)} parts, allowed are {_MOST_TOKENS}")
    before = None
    for token in tokens:
        kind = token.type
        if kind in _REFUSED_TOKENS:
            raise _bad(text, f"uses {_REFUSED_TOKENS[kind]}, which is not RFC 9535")
        if kind == "FILTER_OP" and token.value in ("=", "=~"):
            raise _bad(text, f"uses `{token.value}`; allowed: == != < <= > >=")
        if before == "FILTER_OP" and kind == "ID" and not getattr(token, "quoted", False):
            raise _bad(text, f"compares with the bare word {token.value}; write '{token.value}'")
        before = kind


# -- selectors -----------------------------------------------------------------------------------------------


def _segments(node: Any, text: str) -> list[_Select]:
    match node:
        case Root() | This():
            return []
        case Child():
            return [*_segments(node.left, text), *_following(node.right, text)]
        case Descendants():
            first, *others = _following(node.right, text)
            return [*_segments(node.left, text), _descending(first), *others]
        case _:
            return [_selector(node, text)]


def _following(node: Any, text: str) -> list[_Select]:
    segments = _segments(node, text)
    if not segments:
        raise _bad(text, "has $ or @ in its middle")
    return segments


def _selector(node: Any, text: str) -> _Select:
    match node:
        case Fields():
            return _named(tuple(node.fields))
        case Index():
            return _indexed(tuple(node.indices))
        case Slice():
            return _sliced(slice(node.start, node.end, node.step))
        case Wildcard():
            return _children
        case Filter():
            return _filtered(_all_of([_test(part, text) for part in node.expressions]))
        case _:
            raise _bad(text, "is not a JSONPath that is known here")


def _walk(nodes: list[Any], segments: list[_Select], scope: Scope, budget: _Budget) -> list[Any]:
    for segment in segments:
        found: list[Any] = []
        for node in nodes:
            hits = segment(node, scope, budget)
            budget.spend(1 + len(hits))
            found += hits
        nodes = found
    return nodes


def _named(names: tuple[str, ...]) -> _Select:
    def select(node: Any, scope: Scope, budget: _Budget) -> list[Any]:
        return [node[name] for name in names if name in node] if isinstance(node, Mapping) else []

    return select


def _indexed(indices: tuple[int, ...]) -> _Select:
    def select(node: Any, scope: Scope, budget: _Budget) -> list[Any]:
        if not isinstance(node, list):
            return []
        return [node[index] for index in indices if -len(node) <= index < len(node)]

    return select


def _sliced(part: slice) -> _Select:
    def select(node: Any, scope: Scope, budget: _Budget) -> list[Any]:
        return node[part] if isinstance(node, list) and part.step != 0 else []

    return select


def _children(node: Any, scope: Scope, budget: _Budget) -> list[Any]:
    if isinstance(node, list):
        return node
    return list(node.values()) if isinstance(node, Mapping) else []


def _filtered(test: _Test) -> _Select:
    def select(node: Any, scope: Scope, budget: _Budget) -> list[Any]:
        candidates = _children(node, scope, budget)
        budget.spend(len(candidates))
        return [value for value in candidates if test(value, scope, budget)]

    return select


def _descending(select: _Select) -> _Select:
    def descend(node: Any, scope: Scope, budget: _Budget) -> list[Any]:
        found: list[Any] = []
        pending = [node]
        while pending:
            at = pending.pop()
            hits = select(at, scope, budget)
            budget.spend(1 + len(hits))
            found += hits
            pending += reversed(_children(at, scope, budget))
        return found

    return descend


# -- filters -------------------------------------------------------------------------------------------------


def _all_of(tests: list[_Test]) -> _Test:
    return lambda node, scope, budget: all(test(node, scope, budget) for test in tests)


def _any_of(tests: list[_Test]) -> _Test:
    return lambda node, scope, budget: any(test(node, scope, budget) for test in tests)


def _test(node: Any, text: str) -> _Test:
    match node:
        case And():
            return _all_of([_test(part, text) for part in node.operands])
        case Or():
            return _any_of([_test(part, text) for part in node.operands])
        case _:
            return _existence(node, text) if node.op in (None, "!") else _comparison(node, text)


def _existence(node: Expression, text: str) -> _Test:
    find = _inner(node.target, text)
    wanted = node.op is None
    return lambda value, scope, budget: bool(find(value, scope, budget)) is wanted


def _comparison(node: Expression, text: str) -> _Test:
    if not _singular(node.target):
        raise _bad(text, "compares a part that can match many; compare single members")
    left = _inner(node.target, text)
    right: _Select
    if isinstance(node.value, Child | Root | This):
        right = _inner(node.value, text)
    else:
        constant = [node.value]

        def right(value: Any, scope: Scope, budget: _Budget) -> list[Any]:
            return constant

    holds = _HOLDS[node.op]

    def test(value: Any, scope: Scope, budget: _Budget) -> bool:
        return holds(left(value, scope, budget), right(value, scope, budget))

    return test


def _inner(node: Any, text: str) -> _Select:
    """A query inside a filter: from the current value (@) or from the root ($)."""
    start = node
    names: list[Any] = []
    while isinstance(start, Child | Descendants):
        names.append(start.right)
        start = start.left
    if isinstance(start, This):
        segments = _segments(node, text)
        return lambda value, scope, budget: _walk([value], segments, scope, budget)
    if not isinstance(start, Root):
        raise _bad(text, "has a filter whose left side is not a path; write it as @.member == value")
    first = names[-1] if names else None
    if not _singular(node) or not isinstance(first, Fields) or first.fields[0] not in ROOTS:
        word = str(first.fields[0]) if isinstance(first, Fields) else "$"
        raise _bad(text, f"has a $-path in a filter that is not one plain value. {did_you_mean(word, ROOTS)}")
    root = first.fields[0]
    segments = _segments(node, text)[1:]

    def from_root(value: Any, scope: Scope, budget: _Budget) -> list[Any]:
        at = getattr(scope, root)
        return [] if at is MISSING else _walk([at], segments, scope, budget)

    return from_root


def _singular(node: Any) -> bool:
    while isinstance(node, Child):
        part = node.right
        single = (isinstance(part, Fields) and len(part.fields) == 1) or (
            isinstance(part, Index) and len(part.indices) == 1
        )
        if not single:
            return False
        node = node.left
    return isinstance(node, Root | This | Fields)


def _equal(left: list[Any], right: list[Any]) -> bool:
    """RFC 9535, 2.3.5.2.2: nothing equals nothing, and nothing else."""
    return same(left[0], right[0]) if left and right else not left and not right


def _ordering(name: str) -> Callable[[list[Any], list[Any]], bool]:
    compare = _ORDERED[name]
    takes_equal = name.endswith("=")

    def holds(left: list[Any], right: list[Any]) -> bool:
        if left and right and comparable(left[0], right[0]):
            return compare(left[0], right[0])
        return takes_equal and _equal(left, right)

    return holds


_HOLDS: dict[str, Callable[[list[Any], list[Any]], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    **{name: _ordering(name) for name in _ORDERED},
}


def _bad(text: str, what: str) -> CompileProblem:
    help = "A path looks like $.state.order.id or $.state.items[?@.count > 1].id"
    return CompileProblem("path-syntax", "", f"`{text}` {what}", help)
