"""What makes two instances the same to an exploration: a small tuple, made cheaply from what has changed.

Times, visits, tokens, numbers of tries and inputs are left out: nothing that follows depends on them. Iterations of
one map are told apart by what they are doing, not by their number. Timers count by the order in which they are due.
Documents and frames are written once and then known by a number; frames that a decision left alone keep theirs.
"""

import re
from hashlib import blake2b
from typing import Any, Final

import orjson
from stepwell_schemas.instance import TERMINAL, Frame, Instance

from stepwell_interpreter.exploration.moves import Timers
from stepwell_interpreter.exploration.tally import Tally

Key = tuple[Any, ...]
FrameKeys = dict[str, tuple[Frame, int]]
"""Frame id -> the frame itself and its number."""

MOST_ALIKE: Final = 2
"""So many equal entries of the undo log count; more of them make no other state."""
MOST_HELD: Final = 10_000
"""Objects whose numbers are kept by identity."""

_REPORTED: Final = re.compile(rb'("frame":"[0-9.]+","state":"(?:[^"\\]|\\.)*","visit":)\d+}')
"""The end of an entry in a compensation's report, its members in order. A user's own `visit` is no such thing."""
_CURRENT: Final = ("activity", "state", "step")
_REPORT: Final = ("undone", "failed", "skipped")


Document = tuple[dict[str, int], int]
"""The numbers of the members of a `$.state`, and its mark: the marks of its members, joined by exclusive or.

128 bits tell documents apart however many there are, and a member that changes changes the mark without a look at the
others (Zobrist hashing).
"""
NO_DOCUMENT: Final[Document] = ({}, 0)


class Canon:
    """Makes keys. One per exploration: the numbers it gives mean nothing elsewhere.

    `maps`: whether the program has map states, whose iterations are to be told apart by what they do. `places_matter`:
    whether something may look at which of them it was.
    """

    def __init__(self, *, maps: bool, frames_matter: bool, places_matter: bool) -> None:
        self._maps = maps
        self._frames_matter = frames_matter
        self._places_matter = places_matter
        self._numbers: dict[Any, int] = {}
        self._objects: dict[int, tuple[Any, int]] = {}
        self._marks: dict[tuple[str, int], int] = {}

    def frames(self, instance: Instance, before: FrameKeys) -> FrameKeys:
        """The numbers of all frames; those that are the same as before are not looked at again."""
        keys: FrameKeys = {}
        for id, frame in instance.frames.items():
            known = before.get(id)
            if known is not None and known[0] is frame:
                keys[id] = known
            else:
                keys[id] = (frame, self._number(self._frame(frame)))
        return keys

    def document(self, state: dict[str, Any], before: Document, patch: list[dict[str, Any]]) -> Document:
        """The mark of a `$.state` after a patch; only the members that were written are looked at."""
        members, mark = dict(before[0]), before[1]
        for entry in patch:
            if "frame" in entry:
                continue  # an iteration's own document, which is part of its frame
            name = entry["path"].split("/", 2)[1].replace("~1", "/").replace("~0", "~")
            number = self._held(state[name])
            mark ^= self._mark(name, members.get(name, 0)) ^ self._mark(name, number)
            members[name] = number
        return members, mark

    def key(
        self, instance: Instance, frames: FrameKeys, document: Document, timers: Timers, tally: Tally,
        reported: frozenset[int],
    ) -> Key:  # fmt: skip
        """The key of a state."""
        if instance.status in TERMINAL:
            left = frozenset((entry["state"], entry["visit"] in reported) for entry in instance.undo)
            return (
                instance.status,
                document[1],
                instance.error,
                self._document(instance.output),
                left,
                tally.counts,
                self._held(instance.input),
            )
        if self._maps and len(frames) > 1:
            ranks = _ranks(timers)
            standing: Any = (self._tree("0", _children(instance), frames, ranks), ranks.get(""))
        else:
            standing = (tuple(sorted([number for _, number in frames.values()])), _order(timers))
        return (
            standing,
            document[1],
            self._undo(instance, reported) if instance.undo else (),
            tally.counts,
            tally.uncertain and frozenset(id for id, _ in tally.uncertain),
            instance.ending is None,
            self._held(instance.input),
        )

    def twins(self, instance: Instance, frames: FrameKeys, timers: Timers) -> frozenset[str]:
        """Frames of iterations that do just what an earlier one of the same map does: what happens to them is known."""
        if not self._maps or self._frames_matter or self._places_matter or len(frames) < 3:
            return frozenset()
        children, ranks = _children(instance), _ranks(timers)
        twins: set[str] = set()
        for siblings in children.values():
            if len(siblings) < 2 or siblings[0].index is None:
                continue
            seen = set()
            for sibling in siblings:
                tree = self._tree(sibling.id, children, frames, ranks)
                if tree in seen:
                    twins.add(sibling.id)
                seen.add(tree)
        if not twins:
            return frozenset()
        return frozenset(
            id for id in frames if any(id == twin or id.startswith(twin + ".") for twin in twins)
        )

    def _tree(self, id: str, children: dict[str, list[Frame]], keys: FrameKeys, ranks: dict[str, Any]) -> Any:
        below = children.get(id)
        own = (keys[id][1], ranks.get(id))
        if below is None:
            return own
        inner = [self._tree(child.id, children, keys, ranks) for child in below]
        if below[0].index is not None:
            inner.sort(key=repr)
        return (own, tuple(inner))

    def _frame(self, frame: Frame) -> Key:
        """Everything about one frame by itself."""
        work = frame.work
        # An iteration is known by its item where its place is not looked at; inside of such maps a branch by its
        # name, elsewhere by its frame.
        who: Any = frame.id
        if self._places_matter and frame.index is not None:
            who = (frame.id, self._document(frame.item))
        elif self._maps and not self._places_matter:
            who = frame.branch if frame.index is None else self._document(frame.item)
        return (
            who,
            frame.scope,
            frame.state,
            frame.phase,
            tuple(frame.retries.items()) if frame.retries else (),
            tuple([(wait.type, wait.name, self._document(wait.match)) for wait in frame.waits]),
            self._work(work),
            0 if frame.local is None else self._document(frame.local),
            None if frame.error is None else self._document(frame.error),
            0 if frame.data is None else self._document(frame.data),
            0 if frame.variables is None else self._document(frame.variables),
        )

    def _work(self, work: dict[str, Any]) -> Any:
        if "items" in work and "results" in work:
            if self._places_matter:
                made = (self._document(work["items"]), self._document(work["results"]))
                return (work["next"], work["running"], work["failures"], made)
            results = zip(work["items"], work["results"], strict=True)
            done = sorted(
                (self._document(item), self._document(result))
                for item, result in results
                if result is not None
            )
            return (len(work["items"]), work["next"], work["running"], work["failures"], tuple(done))
        if "results" in work:
            return (self._document(work["results"]), self._document(work["failures"]))
        if "tried" in work:
            current = work.get("current", {})
            named = tuple(current.get(name) for name in _CURRENT)
            return (work["step"], named, tuple([self._document(work[name]) for name in _REPORT]))
        if "got" in work:
            return self._document(work["got"])
        return (work.get("seen"), "token" in work, "child" in work, "early" in work)

    def _undo(self, instance: Instance, reported: frozenset[int]) -> tuple[Any, ...]:
        counts: dict[tuple[Any, ...], int] = {}
        entries: list[tuple[Any, ...]] = []
        for entry in reversed(instance.undo):
            told: tuple[Any, ...] = (entry["scope"], entry["state"], entry["visit"] in reported)
            if self._frames_matter:
                told = (*told, entry["frame"], _in_present_run(instance, entry))
            # A task done again and again is undone again and again: the last two stand for many.
            count = counts[told] = counts.get(told, 0) + 1
            if count <= MOST_ALIKE:
                entries.append(told)
        return tuple(entries)

    def _held(self, value: Any) -> int:
        """The number of a value that mostly comes again as the same object: an input, an event, an outcome."""
        known = self._objects.get(id(value))
        if known is None:
            known = (value, self._document(value))
            if len(self._objects) < MOST_HELD:
                self._objects[id(value)] = known  # holding it keeps its id its own
        return known[1]

    def _document(self, value: Any) -> int:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if b'"visit":' in text:
            text = _REPORTED.sub(rb"\g<1>0}", text)
        return self._number(text)

    def _mark(self, name: str, number: int) -> int:
        """128 bits of a member with a value; none for a member that is not there (number 0)."""
        if not number:
            return 0
        mark = self._marks.get((name, number))
        if mark is None:
            digest = blake2b(f"{number}/{name}".encode(), digest_size=16).digest()
            mark = self._marks[(name, number)] = int.from_bytes(digest, "big")
        return mark

    def _number(self, value: Any) -> int:
        numbers = self._numbers
        number = numbers.get(value)
        if number is None:
            number = numbers[value] = len(numbers) + 1
        return number


def _order(timers: Timers) -> tuple[Any, ...]:
    """The timers in the order in which they are due; None stands between two that are not due together."""
    order: list[Any] = []
    last = -1
    for due, frame, what in timers:
        if due != last:
            order.append(None)
            last = due
        order.append(frame)
        order.append(what)
    return tuple(order)


def _ranks(timers: Timers) -> dict[str, Any]:
    """Frame id -> its timers with their places in the order of their due times; "" has the instance's."""
    ranks: dict[str, Any] = {}
    place, last = -1, -1
    for due, frame, what in timers:
        if due != last:
            place, last = place + 1, due
        ranks[frame] = (*ranks.get(frame, ()), (what, place))
    return ranks


def _children(instance: Instance) -> dict[str, list[Frame]]:
    children: dict[str, list[Frame]] = {}
    for frame in instance.frames.values():
        if frame.parent is not None:
            children.setdefault(frame.parent, []).append(frame)
    return children


def _in_present_run(instance: Instance, entry: dict[str, Any]) -> bool:
    """Whether an undo belongs to the present run of the branch or iteration it was logged in."""
    parent = entry["frame"].rpartition(".")[0]
    frame = instance.frames.get(parent)
    return frame is not None and entry["visit"] > frame.visit
