"""Paths: reading (`compile_path`) and writing (`compile_target`, `set_in`) of the instance's document.

A path of plain members and indices becomes direct look-ups and must find something; any other path gives a
list (see `queries`). Writing never changes the document it is given: it copies along the path only.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from stepwell_interpreter.failures import (
    PARAMETER_PATH_FAILURE,
    RESULT_PATH_MATCH_FAILURE,
    CompileProblem,
    StateFailure,
    did_you_mean,
    nearest,
    pointer_to,
)
from stepwell_interpreter.queries import compile_query
from stepwell_interpreter.scope import MISSING, ROOTS, Scope, place_of
from stepwell_interpreter.values import counted, described

LONGEST_PATH: Final = 1_024
MOST_MEMBERS: Final = 64

Member = str | int

# A member's name may hold "-", as jsonpath-ng has it; RFC 9535 wants quotes around such a name.
_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\-\u0080-\U0010ffff]*")
_SEGMENT = re.compile(
    rf"[ \t\r\n]*(?:\.({_NAME.pattern})"
    r"|\[[ \t\r\n]*(?:(-?(?:0|[1-9][0-9]{0,15}))|'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")[ \t\r\n]*\])"
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\", "'": "'", '"': '"'}
_HELP = "A path starts with one of " + " ".join(f"$.{root}" for root in ROOTS) + "."


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `members` begins with the root; it is None where the path is more than plain members.

    Calling it, or `resolve` (the same without a step between), gives what it finds in a scope: one value
    where it is `definite`, else a list. A definite path that finds nothing raises
    States.ParameterPathFailure.
    """

    text: str
    definite: bool
    root: str
    members: tuple[Member, ...] | None
    resolve: Callable[[Scope], Any]

    def __call__(self, scope: Scope) -> Any:
        return self.resolve(scope)

    def find(self, scope: Scope) -> Any:
        """Like a call, but MISSING where the path finds nothing, a list of none included."""
        start = getattr(scope, self.root)
        if self.members is not None:
            return find_members(start, self.members[1:])
        return MISSING if start is MISSING else self.resolve(scope) or MISSING


@dataclass(frozen=True, slots=True)
class Target:
    """A compiled place under `$.state`. Calling it gives a new state document with the value in it."""

    text: str
    members: tuple[Member, ...]
    pointer: str
    """The place as a JSON pointer into `$.state`."""

    def __call__(self, state: dict[str, Any], value: Any) -> dict[str, Any]:
        changed: dict[str, Any] = set_in(state, self.members, value, self.text)
        return changed


def is_path(value: Any) -> bool:
    """Whether a template's value is a path: a text that starts with `$.` or `$[`."""
    return isinstance(value, str) and value.startswith(("$.", "$["))


@lru_cache(maxsize=4096)
def compile_path(text: str, roots: tuple[str, ...] = ROOTS) -> Path:
    """The path of a text. Raises CompileProblem that says what is wrong with it and what is allowed."""
    members, rest = _plain_start(text)
    root = members[0] if members else None
    if root not in roots or not isinstance(root, str):
        hint = did_you_mean(root, roots) if isinstance(root, str) else _HELP
        raise CompileProblem("path-root", "", f"`{text}` starts with nothing that exists. {hint}", _HELP)
    if not rest:
        return Path(text, True, root, members, _direct(text, root, members[1:]))
    query = compile_query(rest, text)

    def resolve(scope: Scope) -> list[Any]:
        start = getattr(scope, root)
        if start is MISSING:
            raise _nothing_found(text, root, (), scope)
        return query(find_members(start, members[1:]), scope)

    return Path(text, False, root, None, resolve)


def compile_target(text: str) -> Target:
    """The place a result is written to: a path of plain members below `$.state`."""
    members, rest = _plain_start(text)
    if rest:
        message = f"`{text}` cannot be written to: only plain members and indices are allowed, not `{rest}`"
        raise CompileProblem("target-syntax", "", message, "A target looks like $.state.order.id")
    if len(members) < 2 or members[0] != "state":
        message = f"`{text}` cannot be written to: only what is below $.state can"
        raise CompileProblem("target-root", "", message, "A target looks like $.state.order.id")
    return Target(text, members[1:], pointer_to("", *members[1:]))


@lru_cache(maxsize=4096)
def compile_members(text: str) -> tuple[Member, ...]:
    """The members of a path relative to some value: `orderId`, `order.id`, `items[0].id`, `['a b'].c`."""
    members, rest = _plain_start("$" + text if text.startswith("[") else "$." + text)
    if rest or not members:
        message = f"`{text}` is not a path into the event's data: write members and indices only"
        raise CompileProblem("match-path", "", message, "Such as orderId, order.id or items[0].id")
    return members


def find_members(value: Any, members: Sequence[Member]) -> Any:
    """What the members lead to, or MISSING."""
    for member in members:
        if isinstance(member, str):
            if (type(value) is not dict and not isinstance(value, Mapping)) or member not in value:
                return MISSING
        elif not isinstance(value, list) or not -len(value) <= member < len(value):
            return MISSING
        value = value[member]
    return value


def reach(value: Any, members: Sequence[Member]) -> tuple[int, Any]:
    """How many of the members lead somewhere, and the value the last of those found."""
    for depth, member in enumerate(members):
        inner = find_members(value, (member,))
        if inner is MISSING:
            return depth, value
        value = inner
    return len(members), value


def set_in(document: Any, members: Sequence[Member], value: Any, text: str = "") -> Any:
    """A new document with `value` at `members`: missing objects are made, what is off the path is shared.

    Raises States.ResultPathMatchFailure where something on the way is no object, or an index is out of its
    list (one past the end appends). `text` is the path for the message.
    """
    text = text or written(members)
    first, *others = members
    top = node = _opened(document, first, text, 0, members)
    at = first
    for depth, member in enumerate(others, 1):
        child = _opened(_child(node, at), member, text, depth, members)
        _put(node, at, child)
        node, at = child, member
    _put(node, at, value)
    return top


def written(members: Sequence[Member]) -> str:
    """The members as a path text: `order.items[0]['unit price']`."""
    parts: list[str] = []
    for member in members:
        if isinstance(member, int):
            parts.append(f"[{member}]")
        elif _NAME.fullmatch(member):
            parts.append(f".{member}" if parts else member)
        else:
            escaped = member.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{escaped}']")
    return "".join(parts)


# -- reading the text ----------------------------------------------------------------------------------------


def _plain_start(text: str) -> tuple[tuple[Member, ...], str]:
    """The plain members a path begins with, and what follows them."""
    if len(text) > LONGEST_PATH:
        message = f"a path is at most {LONGEST_PATH} characters long, this one has {len(text)}"
        raise CompileProblem("path-length", "", message)
    members: list[Member] = []
    position = 1
    while found := _SEGMENT.match(text, position):
        name, index, single, double = found.groups()
        if name is not None:
            members.append(name)
        elif index is not None:
            members.append(int(index))
        else:
            members.append(_unescaped(single if single is not None else double, text))
        position = found.end()
    if len(members) > MOST_MEMBERS:
        message = f"a path has at most {MOST_MEMBERS} members, this one has {len(members)}"
        raise CompileProblem("path-length", "", message)
    return tuple(members), text[position:]


def _unescaped(quoted: str, text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        code, letter = found.groups()
        if code is not None:
            return chr(int(code, 16))
        if letter not in _ESCAPES:
            raise CompileProblem("path-syntax", "", f"`{text}` has the unknown escape \\{letter}")
        return _ESCAPES[letter]

    name = _ESCAPE.sub(replaced, quoted)
    try:
        # Two \u escapes can be the halves of one character.
        return name.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        message = f"`{text}` has half a surrogate pair in its escapes"
        raise CompileProblem("path-syntax", "", message) from error


# -- looking up ----------------------------------------------------------------------------------------------


def _direct(text: str, root: str, members: tuple[Member, ...]) -> Callable[[Scope], Any]:
    start: Callable[[Scope], Any] = attrgetter(root)
    if any(isinstance(member, int) for member in members) or not 1 <= len(members) <= 3:
        return _stepwise(text, root, members)
    match members:
        case (one,):

            def resolve(scope: Scope) -> Any:
                try:
                    return start(scope)[one]
                except (KeyError, TypeError):
                    raise _nothing_found(text, root, members, scope) from None

        case (one, two):

            def resolve(scope: Scope) -> Any:
                try:
                    return start(scope)[one][two]
                except (KeyError, TypeError):
                    raise _nothing_found(text, root, members, scope) from None

        case _:
            one, two, three = members

            def resolve(scope: Scope) -> Any:
                try:
                    return start(scope)[one][two][three]
                except (KeyError, TypeError):
                    raise _nothing_found(text, root, members, scope) from None

    return resolve


def _stepwise(text: str, root: str, members: tuple[Member, ...]) -> Callable[[Scope], Any]:
    start: Callable[[Scope], Any] = attrgetter(root)
    lists = frozenset(position for position, member in enumerate(members) if isinstance(member, int))

    def resolve(scope: Scope) -> Any:
        value = start(scope)
        if value is MISSING:
            raise _nothing_found(text, root, members, scope)
        try:
            for position, member in enumerate(members):
                # Only a list has indices: a text would give its letter.
                if position in lists and type(value) is not list:
                    raise _nothing_found(text, root, members, scope)
                value = value[member]
        except (KeyError, TypeError, IndexError):
            raise _nothing_found(text, root, members, scope) from None
        return value

    return resolve


def _nothing_found(text: str, root: str, members: Sequence[Member], scope: Scope) -> StateFailure:
    value = getattr(scope, root)
    if value is MISSING:
        names = " ".join(f"$.{name}" for name in scope.present())
        cause = f"`{text}`: $.{root} is only known {place_of(root)}; known here: {names or 'nothing'}"
        return StateFailure(PARAMETER_PATH_FAILURE, cause)
    depth, found = reach(value, members)
    got = "$." + written((root, *members[:depth]))
    return StateFailure(
        PARAMETER_PATH_FAILURE, f"`{text}` finds nothing: {_absence(got, found, members[depth])}"
    )


def _absence(got: str, value: Any, member: Member) -> str:
    """Why `value`, found at `got`, has no such member."""
    if isinstance(member, int):
        if isinstance(value, list):
            return f"{got} has {counted(len(value), 'item')}, there is no [{member}]"
        return f"{got} is {described(value)}, not a list"
    if not isinstance(value, Mapping):
        return f"{got} is {described(value)}, not an object"
    if not value:
        return f"{got} is an empty object, there is no '{member}'"
    return f"{got} has no '{member}'. {_known(member, value)}"


def _known(member: str, value: Mapping[str, Any]) -> str:
    near = nearest(member, value)
    if near is not None:
        return f"The nearest key is '{near}'"
    keys = sorted(value)
    return "It has " + ", ".join(f"'{key}'" for key in keys[:10]) + (" and more" if len(keys) > 10 else "")


# -- writing -------------------------------------------------------------------------------------------------


def _opened(node: Any, member: Member, text: str, depth: int, members: Sequence[Member]) -> Any:
    """A copy of `node` that can take `member`; a new container where there is none yet."""
    if isinstance(member, str):
        if node is MISSING:
            return {}
        if isinstance(node, dict):
            return dict(node)
        raise _collision(text, members[:depth], node, f"'{member}' needs an object")
    if node is not MISSING and not isinstance(node, list):
        raise _collision(text, members[:depth], node, f"[{member}] needs a list")
    length = 0 if node is MISSING else len(node)
    if not -length <= member <= length:
        allowed = f"[0] to [{length}]" if length else "[0]"
        found = f"{_at(members[:depth])} has {counted(length, 'item')}"
        cause = f"cannot write to `{text}`: {found}, allowed: {allowed}"
        raise StateFailure(RESULT_PATH_MATCH_FAILURE, cause)
    return [] if node is MISSING else list(node)


def _child(node: Any, member: Member) -> Any:
    return find_members(node, (member,))


def _put(node: Any, member: Member, value: Any) -> None:
    if isinstance(member, int) and member == len(node):
        node.append(value)
    else:
        node[member] = value


def _collision(text: str, reached: Sequence[Member], node: Any, needs: str) -> StateFailure:
    cause = f"cannot write to `{text}`: {_at(reached)} is {described(node)}, and {needs}"
    return StateFailure(RESULT_PATH_MATCH_FAILURE, cause)


def _at(reached: Sequence[Member]) -> str:
    return "$." + written(("state", *reached))
