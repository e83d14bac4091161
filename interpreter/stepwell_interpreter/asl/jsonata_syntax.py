"""The text of a JSONata expression, parsed once: its tree, the variables it reads, and what AWS refuses in it.

The tree is the library's and is never changed after parsing, so all threads share it. Regular expressions are
compiled by re2: whatever the pattern, matching takes linear time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2
from jsonata.jexception import JException
from jsonata.parser import Parser
from jsonata.regex_engine import RegexFlags

from stepwell_interpreter.asl.jsonata_errors import error_text
from stepwell_interpreter.asl.syntax import (
    INVALID_JSONATA_EXPRESSION,
    UNSUPPORTED_JSONATA_EXPRESSION,
    AslSyntax,
)

LONGEST_EXPRESSION: Final = 16_384
DEEPEST_BRACKETS: Final = 64

Prefix = tuple[str, ...]

_LONGEST_PREFIX: Final = 3
_STRINGS: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_PLAIN: Final = re.compile(r"\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)", re.ASCII)
_WORDS: Final = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_ONE: Final = ("lhs", "rhs", "expression", "condition", "then", "_else", "procedure", "body")
_ONE_INNER: Final = ("pattern", "update", "delete")
_MANY: Final = ("steps", "expressions", "arguments")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed expression. `variables` are the names it reads that it does not bind itself."""

    text: str
    tree: Any
    variables: frozenset[str]
    members: tuple[str, ...] | None
    """Where the expression is a plain member path of a variable: the variable and the members."""
    reads: Mapping[str, frozenset[Prefix]]
    """Of each of its variables, the members it reads; with () among them, all."""


def is_jsonata(value: Any) -> bool:
    """Whether a value of a JSONata field is an expression: a text that begins `{%` and ends `%}`."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= 4


def inner_text(value: str) -> str:
    """The expression between `{%` and `%}`."""
    return value[2:-2].strip()


@lru_cache(maxsize=4096)
def parse_jsonata(text: str) -> Parsed:
    """The parsed form of an expression (without its `{% %}`). Raises AslSyntax with the parser's message."""
    _check_bounds(text)
    try:
        tree = Parser().parse(text, _compiled_regex)
        if "\\u" in text:
            _join_surrogates(tree)
        names = frozenset(_unbound(tree, frozenset()))
    except JException as error:
        raise _invalid(error_text(error)) from None
    except RecursionError:
        raise _invalid("The expression nests too deeply") from None
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        # the library's parser stumbles over some malformed texts instead of refusing them
        raise _invalid(f"Syntax error: {error}") from None
    plain = _PLAIN.fullmatch(text)
    members = None
    if plain is not None:
        members = (plain.group(1), *plain.group(2).split(".")[1:])
        members = None if _WORDS.intersection(members) else members
    return Parsed(text, tree, names, members, _reads(tree))


def unsupported_reference(parsed: Parsed) -> AslSyntax | None:
    """What AWS says of a name without `$` that stands where there is nothing to take it from."""
    name = next(_top_names(parsed.tree, True), None)
    if name is None:
        return None
    message = f"Reference to '{name}' at the top level is not supported."
    return AslSyntax(message, code=UNSUPPORTED_JSONATA_EXPRESSION)


def _invalid(message: str) -> AslSyntax:
    return AslSyntax(message, code=INVALID_JSONATA_EXPRESSION)


def _check_bounds(text: str) -> None:
    """Bounds the parser's work: its recursion follows brackets and operators."""
    if not text:
        raise _invalid("Unexpected end of expression")
    if len(text) > LONGEST_EXPRESSION:
        raise _invalid(f"An expression is at most {LONGEST_EXPRESSION} characters long")
    depth = 0
    for letter in _STRINGS.sub("", text):
        if letter in "([{":
            depth += 1
            if depth > DEEPEST_BRACKETS:
                raise _invalid(f"Brackets nest at most {DEEPEST_BRACKETS} deep")
        elif letter in ")]}":
            depth -= 1


def _compiled_regex(pattern: str, flags: RegexFlags) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not flags.case_insensitive
    # the library gives the m flag; in re2 it is written into the pattern
    source = f"(?m){pattern}" if flags.multiline else pattern
    try:
        return re2.compile(source, options=options)
    except re2.error as error:
        raise _invalid(f"The regular expression /{pattern}/ is not supported: {error}") from None


def _join_surrogates(tree: Any) -> None:
    """The library reads `\\ud83d\\ude00` as two letters; in JSON they are one. Done before the tree is shared."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(getattr(node, "value", None), str):
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        pending.extend(_children(node))


# -- walking the tree ----------------------------------------------------------------------------------------


def _children(node: Any) -> Iterator[Any]:
    for name in (*_ONE, *_ONE_INNER):
        child = getattr(node, name, None)
        if child is not None:
            yield child
    for name in _MANY:
        yield from getattr(node, name, None) or ()
    for pair in getattr(node, "lhs_object", None) or ():
        yield from pair
    yield from _inner_context(node)


def _inner_context(node: Any) -> Iterator[Any]:
    """What is evaluated with an item of the node as its context: predicates, groups, orders."""
    for stage in (*(getattr(node, "predicate", None) or ()), *(getattr(node, "stages", None) or ())):
        if getattr(stage, "expr", None) is not None:
            yield stage.expr
    for term in getattr(node, "terms", None) or ():
        yield term.expression
    group = getattr(node, "group", None)
    if group is not None:
        for pair in getattr(group, "lhs_object", None) or ():
            yield from pair


def _unbound(node: Any, bound: frozenset[str]) -> Iterator[str]:
    """The variables that a tree reads and does not bind itself."""
    kind = getattr(node, "type", None)
    if kind == "variable":
        name = str(node.value)
        if name and name != "$" and name not in bound:
            yield name
    elif kind == "bind":
        yield from _unbound(node.rhs, bound)
        return
    elif kind == "lambda":
        bound = bound | {str(argument.value) for argument in node.arguments}
        yield from _unbound(node.body, bound)
        return
    elif kind == "block":
        for expression in node.expressions:
            yield from _unbound(expression, bound)
            bound = bound | set(_bindings(expression))
        return
    for step in getattr(node, "steps", None) or ():
        bound = bound | {str(name) for name in (getattr(step, "focus", None), _index_name(step)) if name}
    for child in _children(node):
        yield from _unbound(child, bound)


def _index_name(step: Any) -> Any:
    found = getattr(step, "index", None)
    if found:
        return found
    stages = getattr(step, "stages", None) or ()
    return next((stage.value for stage in stages if getattr(stage, "type", None) == "index"), None)


def _bindings(node: Any) -> Iterator[str]:
    """The variables that a statement of a block binds for those after it."""
    if getattr(node, "type", None) == "bind":
        yield str(node.lhs.value)
        yield from _bindings(node.rhs)


def _reads(tree: Any) -> dict[str, frozenset[Prefix]]:
    """Of each variable, the members that are read: (("input", "order"), ...), or ((),) for all of it."""
    found: dict[str, set[Prefix]] = {}
    pending = [tree]
    whole = False
    while pending:
        node = pending.pop()
        kind = getattr(node, "type", None)
        steps: list[Any] = list(getattr(node, "steps", None) or ())
        whole = whole or kind == "parent"
        if kind == "variable":
            found.setdefault(str(node.value), set()).add(())
        if len(steps) > 1 and _is_plain(steps[0], "variable"):
            found.setdefault(str(steps[0].value), set()).add(_prefix(steps))
            pending.extend(child for child in _children(node) if child is not steps[0])
        else:
            pending.extend(_children(node))
    # the parent operator (%) reaches members that no path names
    return {name: frozenset({()} if whole else prefixes) for name, prefixes in found.items()}


def _prefix(steps: list[Any]) -> Prefix:
    """The names a path begins with after its variable, as far as it surely goes to one member by each."""
    names: list[str] = []
    for step in steps[1 : 1 + _LONGEST_PREFIX]:
        if getattr(step, "type", None) != "name":
            break
        names.append(str(step.value))
        if not _is_plain(step, "name"):
            break
    return tuple(names)


def _is_plain(step: Any, kind: str) -> bool:
    marks = ("predicate", "stages", "focus", "group", "index", "ancestor")
    return getattr(step, "type", None) == kind and not any(getattr(step, mark, None) for mark in marks)


def _top_names(node: Any, top: bool) -> Iterator[str]:
    """The names that stand at the top level, where an expression of Step Functions has no context."""
    kind = getattr(node, "type", None)
    if kind == "name" and top:
        yield str(node.value)
    if kind == "path":
        steps: list[Any] = list(node.steps)
        yield from _top_names(steps[0], top)
        for inner in (*steps[1:], *_inner_context(node)):
            yield from _top_names(inner, False)
        return
    inside = list(_inner_context(node))
    inside += [child for name in _ONE_INNER if (child := getattr(node, name, None)) is not None]
    for child in _children(node):
        within = any(child is other for other in inside)
        yield from _top_names(child, top and not within)
