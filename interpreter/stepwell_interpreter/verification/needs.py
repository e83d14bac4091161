"""Which members of `$.state` are still read after a state: all others need not be followed any further.

Sets of names are the bits of whole numbers, so that a workflow of thousands of states costs next to nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stepwell_schemas.states import MapState, ParallelState, PassState, ResultState, State

from stepwell_interpreter.verification.graph import Machine, components
from stepwell_interpreter.verification.reading import members_of
from stepwell_interpreter.verification.shapes import Member

EVERYTHING: Final = -1
_MOST_PASSES: Final = 6
_STATE: Final = ("$.state", "$['state']", '$["state"]')


class Needs:
    """The needs of machines. Names get their bits in the order they are met."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._read: dict[int, int] = {}

    def of(self, machine: Machine, outer: int) -> dict[str, int]:
        """State -> what it or any state after it reads; `outer`: what is read after the machine has ended.

        What a state certainly overwrites is of no interest before it.
        """
        own = {name: self._own(state) | outer for name, state in machine.states.items()}
        replaced = {name: self._replaced(machine.states[name]) for name in machine.order}
        needs = {name: own[name] for name in machine.states}
        for _ in range(_MOST_PASSES):
            changed = False
            # Backwards: without loops what a state leads to is done before it, and one pass is enough.
            for name in reversed(machine.order):
                bits = own[name]
                for edge in machine.edges[name]:
                    after = needs[edge.target]
                    bits |= after & ~replaced[name] if edge.way == "next" else after
                changed = changed or bits != needs[name]
                needs[name] = bits
            if not changed:
                return needs
        return _by_components(machine, own)

    def kept(self, bits: int, members: Mapping[str, Member]) -> Mapping[str, Member]:
        """Those of the members that are in the set."""
        if bits < 0:
            return members
        places = self._bits
        return {
            name: member for name, member in members.items() if name in places and bits >> places[name] & 1
        }

    def _own(self, state: State) -> int:
        """What a state reads itself, or the states inside of it."""
        # Models live as long as the machines do, so an id names one of them.
        known = self._read.get(id(state))
        if known is not None:
            return known
        raw = state.model_dump(by_alias=True, exclude_unset=True, exclude={"states", "branches"})
        bits = 0
        for text in _paths(_without_targets(raw)):
            bits |= self._bit(text)
        for inside in _states_inside(state):
            bits |= self._own(inside)
        self._read[id(state)] = bits
        return bits

    def _replaced(self, state: State) -> int:
        """What a state overwrites on each of its routes but those of errors and timeouts."""
        targets: list[str] = []
        if isinstance(state, ResultState) and state.result_path is not None:
            targets.append(state.result_path)
        if isinstance(state, PassState):
            targets += state.set
        bits = 0
        for text in targets:
            if _is_whole(text):
                bits |= self._bit(text)
        return bits

    def _bit(self, text: str) -> int:
        members = members_of(text)
        if members is None:
            # A query: its second member is the name, where that is plain.
            rest = text.removeprefix("$.state.")
            if rest == text:
                return EVERYTHING if text.startswith(_STATE) else 0
            name = rest
            for stop in ".[":
                name = name.partition(stop)[0]
            if not name or name == "*":
                return EVERYTHING
        elif members[0] != "state":
            return 0
        elif len(members) == 1 or not isinstance(members[1], str):
            return EVERYTHING
        else:
            name = members[1]
        if name not in self._bits:
            self._bits[name] = len(self._bits)
        return 1 << self._bits[name]


def _by_components(machine: Machine, own: Mapping[str, int]) -> dict[str, int]:
    """The same for loops within loops, a little wider: the states of a loop all need what any of them needs."""
    needs = dict(own)
    targets = {name: [edge.target for edge in machine.edges[name]] for name in machine.order}
    groups = components(machine.order, lambda name: targets[name])
    group_of = {name: group for group in groups for name in group}
    done: set[str] = set()
    for name in reversed(machine.order):
        if name in done:
            continue
        members = group_of.get(name, [name])
        bits = 0
        for each in members:
            bits |= needs[each]
            for target in targets[each]:
                bits |= needs[target]
        for each in members:
            needs[each] = bits
        done.update(members)
    return needs


def _states_inside(state: State) -> Iterator[State]:
    if isinstance(state, MapState):
        yield from state.states.values()
    elif isinstance(state, ParallelState):
        for branch in state.branches.values():
            yield from branch.states.values()


def _is_whole(text: str) -> bool:
    """Whether a target is a member of `$.state` itself: what was there before does not matter."""
    members = members_of(text)
    return members is not None and len(members) == 2 and members[0] == "state" and isinstance(members[1], str)


def _without_targets(raw: dict[str, Any]) -> dict[str, Any]:
    """A state without the places it writes to, but those that go into something that is there already."""
    kept = {key: part for key, part in raw.items() if key != "resultPath" or not _is_target(part)}
    if isinstance(kept.get("catch"), list):
        kept["catch"] = [
            {key: part for key, part in rule.items() if key != "resultPath" or not _is_target(part)}
            for rule in kept["catch"]
        ]
    if isinstance(kept.get("set"), Mapping):
        kept["set"] = [[part, "" if _is_whole(target) else target] for target, part in kept["set"].items()]
    return kept


def _is_target(part: Any) -> bool:
    return isinstance(part, str) and _is_whole(part)


def _paths(value: Any) -> Iterator[str]:
    """Every text that may be a path; a place that is written to is read, too, as far as types go."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            if part.startswith("$"):
                yield part
        elif isinstance(part, Mapping):
            pending += part.values()
            pending += [key for key in part if isinstance(key, str) and key.startswith("$.")]
        elif isinstance(part, list):
            pending += part
