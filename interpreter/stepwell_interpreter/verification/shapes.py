"""Shapes: what is known of a value before anything runs. A shape never claims more than is certain.

`join` is what holds on either of two routes, `written` a document after a write, `lookup` what a path finds there.
Shapes are immutable and share their parts, so that comparing and joining of what has not changed costs nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from stepwell_interpreter.values import brief, kind_of
from stepwell_interpreter.verification.work import Work

Rest = Literal["closed", "declared", "listed", "open"]
"""What of members that are not named: there are none; none are declared; only the required are listed; unknown."""

Certainty = Literal["sure", "unknown", "optional", "undeclared", "unpromised", "absent", "scalar"]

KINDS: Final = frozenset({"null", "boolean", "number", "text", "list", "object"})
MOST_VALUES: Final = 24
DEEPEST: Final = 6
MOST_PARTS: Final = 300
MEMBERS_PER_UNIT: Final = 8
"""So many members of two objects are held against each other in one unit of work."""
_OPENNESS: Final[dict[Rest, int]] = {"closed": 0, "declared": 1, "listed": 2, "open": 3}

Value = tuple[str, Any]
"""A scalar with its kind, so that 1 and true differ."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object; not `sure`: it may be missing."""

    shape: "Shape"
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """`values`: all that a scalar can be, where these are few. `secret` says what of a secret is in it."""

    kinds: frozenset[str] = KINDS
    members: Mapping[str, Member] = field(default_factory=dict)
    rest: Rest = "open"
    items: "Shape | None" = None
    values: frozenset[Value] | None = None
    secret: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether no value can have this shape."""
        return not self.kinds or (self.values is not None and not self.values)

    def __str__(self) -> str:
        """For messages: `a text`, `a number or null`, `'a' or 'b'`."""
        if self.values is not None and 0 < len(self.values) <= 4:
            return " or ".join(sorted(brief(value) for _, value in self.values))
        if self.kinds >= KINDS:
            return "anything"
        named = [kind if kind == "null" else f"{_article(kind)} {kind}" for kind in sorted(self.kinds)]
        return " or ".join(named)


@dataclass(frozen=True, slots=True)
class Found:
    """What a path finds: the shape there, how certain it is, and where it was not sure any more."""

    certainty: Certainty
    shape: Shape
    depth: int = 0
    """The member of the path that is not sure, counted from 0."""
    holder: "Shape | None" = None
    """The shape that may lack it."""


ANY: Final = Shape()
NOTHING_KNOWN: Final = Found("unknown", ANY)
NULL: Final = Shape(frozenset({"null"}))
TEXT: Final = Shape(frozenset({"text"}))
NUMBER: Final = Shape(frozenset({"number"}))
BOOLEAN: Final = Shape(frozenset({"boolean"}))
OBJECT: Final = Shape(frozenset({"object"}))


def join(left: Shape, right: Shape, work: Work | None = None) -> Shape:
    """What is certain of a value that is one of two: `left` itself where the other adds nothing."""
    if left is right:
        return left
    if work is not None:
        work.spend(1)
    if left.is_empty or right.is_empty:
        return right if left.is_empty else left
    if left is ANY or right is ANY:
        secret = left.secret or right.secret
        return replace(ANY, secret=secret) if secret else ANY
    members, rest = _joined_members(left, right, work)
    values = None
    if left.values is not None and right.values is not None:
        values = left.values | right.values
        if len(values) > MOST_VALUES:
            values = None
    joined = Shape(
        left.kinds | right.kinds,
        members,
        rest,
        _joined_items(left, right, work),
        values,
        left.secret or right.secret,
    )
    same = members is left.members and joined.items is left.items and values == left.values
    if same and (joined.kinds, rest, joined.secret) == (left.kinds, left.rest, left.secret):
        return left
    return joined


def lookup(shape: Shape, path: Sequence[str | int]) -> Found:
    """What the members lead to."""
    worst: Certainty = "sure"
    at, holder = len(path), None
    for depth, member in enumerate(path):
        certainty, inner = _step(shape, member)
        if certainty in ("absent", "scalar"):
            return Found(certainty, ANY, depth, shape)
        if certainty != "sure" and worst in ("sure", "unknown") and certainty != worst:
            worst, at, holder = certainty, depth, shape
        shape = inner if not shape.secret or inner.secret else replace(inner, secret=shape.secret)
    return Found(worst, shape, at, holder)


def written(shape: Shape, path: Sequence[str | int], value: Shape, sure: bool = True) -> Shape:
    """A document after `value` was written at `path`; not `sure`: it may not have been written."""
    if not path:
        return value if sure else join(shape, value)
    first, others = path[0], path[1:]
    if not isinstance(first, str):
        return ANY if others or not sure else Shape(frozenset({"list"}))
    before = shape.members.get(first)
    start = before.shape if before is not None else Shape(frozenset({"object"}), {}, "closed")
    if before is None and shape.rest != "closed":
        start = ANY
    inner = written(start, others, value, sure or before is None)
    there = sure or (before is not None and before.sure)
    return _with_member(shape, first, Member(inner, there))


def all_written(shape: Shape, writes: Iterable[tuple[Sequence[str | int], Shape, bool]], work: Work) -> Shape:
    """`written` again and again, at the cost of one copy. Each path has a member."""
    members: dict[str, Member] | None = None
    for path, value, sure in writes:
        first, others = path[0], path[1:]
        if not isinstance(first, str):
            return ANY
        if members is None:
            work.copy(len(shape.members))
            members = dict(shape.members)
        inside = members.get(first)
        if others and inside is not None:
            work.spend(4 * len(others))
            work.copy(len(inside.shape.members))
        part = replace(shape, members={} if inside is None else {first: inside})
        members[first] = written(part, path, value, sure).members[first]
    return shape if members is None else replace(shape, members=members)


def same(left: Shape, right: Shape, work: Work) -> bool:
    """Whether two shapes are equal, with the comparison counted."""
    return join(left, right, work) is left and join(right, left, work) is right


def made_sure(shape: Shape, path: Sequence[str | int], value: Shape | None = None) -> Shape:
    """The document where the path is known to find something (of the shape given)."""
    if not path:
        return shape if value is None else value
    first, others = path[0], path[1:]
    if not isinstance(first, str):
        return shape
    before = shape.members.get(first)
    inner = before.shape if before is not None else ANY
    after = made_sure(inner, others, value)
    if before is not None and before.sure and after is inner:
        return shape
    return _with_member(shape, first, Member(after, True))


def constant(value: Any) -> Shape:
    """The shape of this very value."""
    kind = kind_of(value)
    if kind == "object":
        members = {str(key): Member(constant(part)) for key, part in value.items()}
        return Shape(frozenset({"object"}), members, "closed")
    if kind == "list":
        return listed(
            [constant(part) for part in value[:MOST_VALUES]] if len(value) <= MOST_VALUES else [ANY]
        )
    return Shape(frozenset({kind}), values=frozenset({(kind, value)}))


def closed(**members: Shape) -> Shape:
    """An object with just these members, all of them there."""
    return Shape(frozenset({"object"}), {name: Member(shape) for name, shape in members.items()}, "closed")


def listed(items: Sequence[Shape]) -> Shape:
    """A list of such items; of none, a list of anything."""
    joined: Shape | None = None
    for item in items:
        joined = item if joined is None else join(joined, item)
    return Shape(frozenset({"list"}), items=joined)


def list_of(item: Shape) -> Shape:
    """A list of any length."""
    return Shape(frozenset({"list"}), items=item)


def trimmed(shape: Shape) -> tuple[Shape, int]:
    """The shape with what is too deep or too much left unknown, and how many parts were looked at."""
    left = [MOST_PARTS]

    def trim(part: Shape, depth: int) -> Shape:
        left[0] -= 1
        if left[0] < 0 or depth > DEEPEST:
            return replace(ANY, secret=part.secret) if part.secret else ANY
        if not part.members and part.items is None:
            return part
        members = {
            name: Member(trim(each.shape, depth + 1), each.sure) for name, each in part.members.items()
        }
        items = None if part.items is None else trim(part.items, depth + 1)
        return replace(part, members=members, items=items)

    return trim(shape, 0), MOST_PARTS - left[0]


def secrets(shape: Shape) -> Iterator[str]:
    """What of secrets is in a shape."""
    pending, left = [shape], MOST_PARTS
    while pending and left:
        left -= 1
        part = pending.pop()
        if part.secret:
            yield part.secret
        pending += [each.shape for each in part.members.values()]
        if part.items is not None:
            pending.append(part.items)


def _with_member(shape: Shape, name: str, member: Member) -> Shape:
    members = {**shape.members, name: member}
    return Shape(shape.kinds, members, shape.rest, shape.items, shape.values, shape.secret)


def _step(shape: Shape, member: str | int) -> tuple[Certainty, Shape]:
    wanted = "object" if isinstance(member, str) else "list"
    if wanted not in shape.kinds:
        return "scalar", ANY
    if isinstance(member, int):
        return "unknown", shape.items or ANY
    # A value of any kind at all is not known to be something else; one that is an object or null is.
    partly = len(shape.kinds) > 1 and shape.kinds < KINDS
    found = shape.members.get(member)
    if found is not None:
        return ("sure" if found.sure and not partly else "optional"), found.shape
    certainties: dict[Rest, Certainty] = {
        "closed": "absent",
        "declared": "undeclared",
        "listed": "unpromised",
        "open": "unknown",
    }
    return certainties[shape.rest], ANY


def _joined_members(left: Shape, right: Shape, work: Work | None) -> tuple[Mapping[str, Member], Rest]:
    if "object" not in right.kinds:
        return left.members, left.rest
    if "object" not in left.kinds:
        return right.members, right.rest
    rest = max(left.rest, right.rest, key=lambda each: _OPENNESS[each])
    if left.members is right.members:
        return left.members, rest
    if work is not None:
        work.spend((len(left.members) + len(right.members)) // MEMBERS_PER_UNIT)
    members: dict[str, Member] = {}
    changed = False
    for name, one in left.members.items():
        other = right.members.get(name)
        member = one
        if other is None:
            member = _maybe(one, right.rest)
        elif one is not other:
            shape = join(one.shape, other.shape, work)
            if shape is not one.shape or one.sure is not (one.sure and other.sure):
                member = Member(shape, one.sure and other.sure)
        changed = changed or member is not one
        members[name] = member
    for name, other in right.members.items():
        if name not in left.members:
            changed = True
            members[name] = _maybe(other, left.rest)
    return members if changed else left.members, rest


def _maybe(member: Member, rest: Rest) -> Member:
    """A member that is only in one of two objects; `rest` is what the other says of such."""
    shape = member.shape if rest == "closed" else ANY
    return member if shape is member.shape and not member.sure else Member(shape, False)


def _joined_items(left: Shape, right: Shape, work: Work | None) -> Shape | None:
    if "list" not in left.kinds or "list" not in right.kinds:
        return left.items if "list" in left.kinds else right.items
    if left.items is None or right.items is None:
        return None
    return join(left.items, right.items, work)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
