"""Checks what no JSON Schema can say about a document: where its states lead, and what they never reach.

Works on the plain document and skips over what is not shaped as it should be, which the schema check tells.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from stepwell_schemas.problems import Finding, PathInDocument, did_you_mean, quoted

MAX_FINDINGS = 100
_ENDING = frozenset({"succeed", "fail"})
_EVENT_FORMS = frozenset({"event", "anyOf", "allOf"})
_STEPS = frozenset({"task", "wait", "parallel", "map", "compensation", "pass"})


@dataclass(frozen=True, slots=True)
class _Edge:
    """A reference to a state: where it is written and what it names."""

    path: PathInDocument
    target: str


@dataclass(slots=True)
class _Scope:
    """One machine: the workflow, a branch, or the states of a map. `path` leads to what holds its `states`."""

    path: PathInDocument
    start: Any
    states: dict[str, dict[str, Any]]
    outer: "_Scope | None" = None
    inner: list["_Scope"] = field(default_factory=list)
    entries: list[_Edge] = field(default_factory=list)


def check_targets(document: dict[str, Any]) -> list[Finding]:
    """Whether every state that is named exists in its scope, and something follows each; MAX_FINDINGS at most."""
    found = (item for scope in _scopes(document) for item in chain(_targets(scope), _followers(scope)))
    return list(islice(found, MAX_FINDINGS))


def check_reachability(document: dict[str, Any]) -> list[Finding]:
    """Whether every state is reached and every scope can end. For documents whose targets all exist."""
    return list(islice((item for scope in _scopes(document) for item in _reachability(scope)), MAX_FINDINGS))


def check_bounds(document: dict[str, Any]) -> list[Finding]:
    """Warns of each wait for events that nothing ends when the events do not come."""
    configuration = document.get("configuration")
    if isinstance(configuration, dict) and configuration.get("timeout") is not None:
        return []
    return [
        Finding(
            "wait-without-timeout",
            f"{quoted(name)} waits for ever if its event never comes",
            (*scope.path, "states", name),
            severity="warning",
            help="add timeout (and timeoutNext), or configuration.timeout for the whole workflow",
        )
        for scope in _scopes(document)
        for name, state in scope.states.items()
        if _kind(state) == "wait"
        and state.get("timeout") is None
        and not state.keys().isdisjoint(_EVENT_FORMS)
    ][:MAX_FINDINGS]


def _scopes(document: dict[str, Any]) -> Iterator[_Scope]:
    """The workflow, then what is inside of it, outer before inner."""
    root = _scope(document, (), None)
    route = document.get("configuration")
    if isinstance(route, dict) and isinstance(route.get("onError"), str):
        root.entries.append(_Edge(("configuration", "onError"), route["onError"]))
    pending = deque([root])
    while pending:
        scope = pending.popleft()
        yield scope
        pending.extend(scope.inner)


def _scope(holder: dict[str, Any], path: PathInDocument, outer: _Scope | None) -> _Scope:
    raw = holder.get("states")
    # What is no object is told by the schema check, but it still is a name to lead to.
    states = (
        {name: state if isinstance(state, dict) else {} for name, state in raw.items()}
        if isinstance(raw, dict)
        else {}
    )
    scope = _Scope(path, holder.get("startAt"), states, outer)
    if isinstance(scope.start, str):
        scope.entries.append(_Edge((*path, "startAt"), scope.start))
    for name, state in states.items():
        for inner_path, inner in _inner_holders(state, (*path, "states", name)):
            scope.inner.append(_scope(inner, inner_path, scope))
    return scope


def _inner_holders(
    state: dict[str, Any], path: PathInDocument
) -> Iterator[tuple[PathInDocument, dict[str, Any]]]:
    kind = _kind(state)
    if kind == "map":
        yield path, state
    elif kind == "parallel" and isinstance(state.get("branches"), dict):
        for name, branch in state["branches"].items():
            if isinstance(branch, dict):
                yield (*path, "branches", name), branch


def _edges(state: dict[str, Any], path: PathInDocument) -> Iterator[_Edge]:
    """Every reference in a state to another of its scope."""
    for key in ("next", "default", "timeoutNext", "onError"):
        if isinstance(state.get(key), str):
            yield _Edge((*path, key), state[key])
    for key in ("catch", "choices"):
        content = state.get(key)
        if isinstance(content, dict) and key == "catch":
            yield from _next_of(content, (*path, key))
        for index, item in enumerate(content if isinstance(content, list) else ()):
            yield from _next_of(item, (*path, key, index))
    if isinstance(state.get("anyOf"), dict):
        for name, alternative in state["anyOf"].items():
            yield from _next_of(alternative, (*path, "anyOf", name))


def _next_of(item: Any, path: PathInDocument) -> Iterator[_Edge]:
    if isinstance(item, dict) and isinstance(item.get("next"), str):
        yield _Edge((*path, "next"), item["next"])


def _all_edges(scope: _Scope) -> Iterator[_Edge]:
    yield from scope.entries
    for name, state in scope.states.items():
        yield from _edges(state, (*scope.path, "states", name))


def _targets(scope: _Scope) -> Iterator[Finding]:
    for edge in _all_edges(scope):
        if edge.target in scope.states:
            continue
        elsewhere = _elsewhere(scope, edge.target)
        if elsewhere:
            yield Finding(
                "next-across-scopes",
                f"{quoted(edge.target)} is a state of {elsewhere}; a branch or map is left only by its end",
                edge.path,
                help=f"states here: {_listed(scope.states)}",
            )
        else:
            yield Finding(
                "unknown-state",
                f"there is no state {quoted(edge.target)} here{did_you_mean(edge.target, scope.states)}",
                edge.path,
                help=f"states here: {_listed(scope.states)}",
            )


def _elsewhere(scope: _Scope, name: str) -> str:
    """Which other scope has a state of this name; "" when none has."""
    top = scope
    while top.outer is not None:
        top = top.outer
    pending = [top]
    while pending:
        other = pending.pop()
        if other is not scope and name in other.states:
            return f"{'/'.join(str(part) for part in other.path)}" if other.path else "the workflow itself"
        pending += other.inner
    return ""


def _followers(scope: _Scope) -> Iterator[Finding]:
    for name, state in scope.states.items():
        if _kind(state) not in _STEPS:
            continue
        path = (*scope.path, "states", name)
        follows, ends = "next" in state, state.get("end", False) is not False
        if follows and ends:
            message = f"state {quoted(name)} has both next and end: true; take one away"
            yield Finding("next-and-end", message, (*path, "end"), at_key=True)
        elif not follows and not ends and not _leaves_by_alternatives(state):
            message = f"state {quoted(name)} has neither next nor end: true"
            yield Finding("no-next", message, path, help="say which state follows, or end: true", at_key=True)


def _leaves_by_alternatives(state: dict[str, Any]) -> bool:
    alternatives = state.get("anyOf")
    if _kind(state) != "wait" or not isinstance(alternatives, dict) or not alternatives:
        return False
    return all(isinstance(item, dict) and "next" in item for item in alternatives.values())


def _reachability(scope: _Scope) -> Iterator[Finding]:
    if not isinstance(scope.start, str) or scope.start not in scope.states:
        return
    reached = _reached(scope)
    for name in scope.states:
        if name not in reached:
            yield Finding(
                "unreachable-state",
                f"no state leads to {quoted(name)}",
                (*scope.path, "states", name),
                "warning",
                help="lead to it from another state, or remove it",
                at_key=True,
            )
    if any(_is_ending(scope.states[name]) for name in reached):
        return
    # A machine that lives as long as its device is meant never to end, but it must wait somewhere.
    waits = any(_kind(scope.states[name]) == "wait" for name in reached)
    yield Finding(
        "no-terminal-state",
        "no state that is reached ends " + ("the workflow" if not scope.path else "this branch"),
        (*scope.path, "states"),
        "warning" if waits and not scope.path else "error",
        help="add a succeed or fail state, or end: true",
        at_key=True,
    )


def _reached(scope: _Scope) -> set[str]:
    reached: set[str] = set()
    pending = [edge.target for edge in scope.entries]
    while pending:
        name = pending.pop()
        if name in reached or name not in scope.states:
            continue
        reached.add(name)
        pending += [edge.target for edge in _edges(scope.states[name], ())]
    return reached


def _is_ending(state: dict[str, Any]) -> bool:
    return _kind(state) in _ENDING or state.get("end") is True


def _kind(state: dict[str, Any]) -> str:
    kind = state.get("type")
    return kind.casefold() if isinstance(kind, str) else ""


def _listed(names: dict[str, Any]) -> str:
    shown = list(names)[:12]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
