"""From a path's text to a closure that finds its value in a scope; what a miss means is the caller's.

A plain member path of the data is direct look-ups and makes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from stepwell_interpreter.asl.path_queries import MOST_STEPS, Budget, compile_matches, find_members
from stepwell_interpreter.asl.path_syntax import Query, parse_path
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.asl.values import shown
from stepwell_interpreter.extent import within_extent
from stepwell_interpreter.scope import MISSING

Find = Callable[[AslScope], Any]


@dataclass(frozen=True, slots=True)
class Finder:
    """A compiled path. `find` gives its value; MISSING where a definite path leads to nothing."""

    query: Query
    find: Find

    def searched(self, scope: AslScope) -> str:
        """The JSON text of what the path was looked for in, as causes repeat it."""
        if self.query.root == "$":
            return shown(scope.data)
        return shown(scope.context() if self.query.root == "$$" else scope.variables())


@lru_cache(maxsize=4096)
def compile_finder(text: str) -> Finder:
    """The finder of a path's text. Raises AslSyntax."""
    query = parse_path(text)
    return Finder(query, _definite(query) if query.definite else _indefinite(query))


def root_value(scope: AslScope, root: str) -> Any:
    """What `$`, `$$` or `$name` stands for; MISSING for a variable that was never assigned."""
    if root == "$":
        return scope.data
    if root == "$$":
        return scope.context()
    return scope.variables().get(root[1:], MISSING)


def _definite(query: Query) -> Find:
    root, members = query.root, query.members
    if root != "$":
        return lambda scope: find_members(root_value(scope, root), members)
    if not members:
        return lambda scope: scope.data
    if len(members) == 1 and isinstance(members[0], str):
        return _one_member(members[0])
    return lambda scope: find_members(scope.data, members)


def _one_member(name: str) -> Find:
    def find(scope: AslScope) -> Any:
        data = scope.data
        return data.get(name, MISSING) if type(data) is dict else find_members(data, (name,))

    return find


def _indefinite(query: Query) -> Find:
    matches = compile_matches(query)
    root = query.root

    def find(scope: AslScope) -> Any:
        def roots(name: str) -> Any:
            return root_value(scope, name)

        scope.spend(1)  # what has no work left does not begin
        budget = Budget()
        found = list(matches(root_value(scope, root), roots, budget))
        scope.spend(MOST_STEPS - budget.left)
        return within_extent(found)

    return find
