"""Which members of `$.state` are still read after a state: all others need not be followed any further.

Sets of names are the bits of whole numbers, so that a workflow of thousands of states costs next to nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stepwell_schemas.states import State

from stepwell_interpreter.verification.graph import Machine, components
from stepwell_interpreter.verification.reading import members_of
from stepwell_interpreter.verification.shapes import Member

EVERYTHING: Final = -1
_STATE: Final = ("$.state", "$['state']", '$["state"]')


class Needs:
    """The needs of machines. Names get their bits in the order they are met."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}

    def of(self, machine: Machine, outer: int) -> dict[str, int]:
        """State -> what it or any state after it reads; `outer`: what is read after the machine has ended."""
        needs = {name: self._own(machine, name, state) | outer for name, state in machine.states.items()}
        targets = {name: [edge.target for edge in machine.edges[name]] for name in machine.order}
        groups = components(machine.order, lambda name: targets[name])
        group_of = {name: group for group in groups for name in group}
        # Backwards: what a state leads to is done before it, a loop all at once.
        for name in reversed(machine.order):
            members = group_of.get(name, [name])
            bits = 0
            for each in members:
                bits |= needs[each]
                for target in targets[each]:
                    bits |= needs[target]
            for each in members:
                needs[each] = bits
        return needs

    def kept(self, bits: int, members: Mapping[str, Member]) -> Mapping[str, Member]:
        """Those of the members that are in the set."""
        if bits < 0:
            return members
        places = self._bits
        return {
            name: member for name, member in members.items() if name in places and bits >> places[name] & 1
        }

    def _own(self, machine: Machine, name: str, state: State) -> int:
        """What a state reads itself, or the states inside of it."""
        raw = state.model_dump(by_alias=True, exclude_unset=True)
        bits = 0
        for text in _paths(raw):
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
