"""Which event a wait takes: values at paths into the event's data, equal in kind and value.

The values are resolved once, when the wait opens, so that a wait is plain data: a list of [path, value].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell_interpreter.extent import FEW_REFERENCES, within_extent
from stepwell_interpreter.failures import CompileProblem, nearest, pointer_to
from stepwell_interpreter.paths import Member, compile_members, find_members, reach, written
from stepwell_interpreter.scope import MISSING, Expression, Scope
from stepwell_interpreter.templates import TemplateCompiler, UsedPath
from stepwell_interpreter.values import described, kind_of, same


@dataclass(frozen=True, slots=True)
class Match:
    """A compiled `match`. Calling it in the scope of the opening wait gives [path, value] pairs, sorted by path."""

    members: tuple[tuple[str, Expression], ...]
    paths: tuple[UsedPath, ...]

    def __call__(self, scope: Scope) -> list[list[Any]]:
        pairs = [[path, value.evaluate(scope)] for path, value in self.members]
        return within_extent(pairs) if len(pairs) > FEW_REFERENCES else pairs


def compile_match(match: Mapping[str, Any], where: str = "") -> Match:
    """The match of a wait: each key a path into the event's data (`order.id`), each value a template.

    `where` is the JSON pointer of the match, for the CompileProblem that a wrong path or template raises.
    """
    if not isinstance(match, Mapping):
        raise CompileProblem(
            "match", where, f"`match` is an object of paths and values, not {described(match)}"
        )
    compiler = TemplateCompiler()
    members: dict[str, Expression] = {}
    for key, value in match.items():
        place = pointer_to(where, key)
        path = _canonical(key, place)
        if path in members:
            raise CompileProblem("match", place, f"`{path}` is matched twice")
        members[path] = compiler.value(value, place)
    return Match(tuple(sorted(members.items(), key=lambda pair: pair[0])), tuple(compiler.used))


def matches(event_data: Any, pairs: Sequence[Sequence[Any]]) -> bool:
    """Whether every pair's value is what the data has at its path: 1 is 1.0, but true is not 1, '17' not 17."""
    for path, wanted in pairs:
        found = find_members(event_data, compile_members(path))
        if found is MISSING or not same(found, wanted):
            return False
    return True


def near_miss(event_data: Any, pairs: Sequence[Sequence[Any]]) -> str | None:
    """What keeps an event from matching, in one sentence for each difference; None where it matches.

    The likeliest mistakes come first: another kind of the same value, other case or blanks, another name.
    """
    found = [difference for path, wanted in pairs if (difference := _difference(event_data, path, wanted))]
    if not found:
        return None
    found.sort(key=lambda difference: difference[0])
    return "; ".join(sentence for _, sentence in found)


def near_miss_rank(event_data: Any, pairs: Sequence[Sequence[Any]]) -> tuple[int, int]:
    """How far an event is from matching, to choose the nearest of several: differences, and how odd they are."""
    found = [difference for path, wanted in pairs if (difference := _difference(event_data, path, wanted))]
    return len(found), sum(oddness for oddness, _ in found)


def _difference(event_data: Any, path: str, wanted: Any) -> tuple[int, str] | None:
    members = compile_members(path)
    found = find_members(event_data, members)
    if found is MISSING:
        return _absent(event_data, members, path, wanted)
    if same(found, wanted):
        return None
    sentence = f"{path} is {described(found)}; the wait wants {described(wanted)}"
    if kind_of(found) != kind_of(wanted):
        return (0 if _spelled(found) == _spelled(wanted) else 3), sentence
    if isinstance(found, str) and found.strip().casefold() == wanted.strip().casefold():
        return 1, f"{sentence} (they differ in case or blanks only)"
    return 4, sentence


def _absent(event_data: Any, members: tuple[Member, ...], path: str, wanted: Any) -> tuple[int, str]:
    depth, value = reach(event_data, members)
    member = str(members[depth])
    place = written(members[:depth]) or "the data"
    sentence = f"{place} has no '{member}'; the wait wants {path} to be {described(wanted)}"
    near = nearest(member, value) if isinstance(value, Mapping) else None
    return (2, f"{sentence} (there is '{near}')") if near is not None else (5, sentence)


def _spelled(value: Any) -> str:
    """A scalar as people write it, so that 17 and '17' look alike."""
    if value is None or isinstance(value, bool):
        return str(value).casefold()
    return str(value).strip().casefold() if isinstance(value, str | int | float) else ""


def _canonical(key: str, place: str) -> str:
    try:
        if key.startswith("$"):
            message = f"`{key}` is not a path into the event's data: leave out `$.` and `$.event.data.`"
            raise CompileProblem("match-path", "", message, "Such as orderId, order.id or items[0].id")
        return written(compile_members(key))
    except CompileProblem as problem:
        raise problem.below(place) from None
