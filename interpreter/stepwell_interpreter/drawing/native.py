"""What states of the native dialect look like and where they lead."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stepwell_interpreter.drawing.graph import escaped
from stepwell_interpreter.drawing.view import (
    Dialect,
    Exit,
    InnerScope,
    StateView,
    lines,
    mapping,
    names,
    objects,
    text,
)
from stepwell_interpreter.drawing.wording import (
    condition_text,
    duration_text,
    errors_text,
    path_text,
    plain_number,
    value_text,
)

State = Mapping[str, Any]


def native_view(state: State) -> StateView:
    """How one state is drawn. An unknown type is drawn as such."""
    kind = text(state.get("type")).casefold()
    view = VIEWS.get(kind, _unknown)
    return view(state)


def default_route(document: State) -> str | None:
    """The state of `configuration.onError`."""
    return text(mapping(document.get("configuration")).get("onError")) or None


def _task(state: State) -> StateView:
    child = text(state.get("workflow"))
    details = lines(
        text(state.get("activity")),
        child and f"workflow {child}",
        "waits for a callback" if state.get("callback") is True else "",
        _within(state),
    )
    undo = text(mapping(state.get("compensateWith")).get("activity")) or None
    symbol = "child" if child else "callback" if state.get("callback") is True else ""
    return StateView("task", details, _comment(state), symbol, undo, (*_onward(state), *_errors(state)))


def _wait(state: State) -> StateView:
    exits = [*_alternatives(state), *_onward(state)]
    late = text(state.get("timeoutNext"))
    if late:
        exits.append(Exit(late, "timeout", _after(state)))
    symbol = "clock" if "duration" in state or "timestamp" in state else "event"
    details = lines(*_awaited(state), _within(state))
    return StateView("wait", details, _comment(state), symbol, None, (*exits, *_errors(state)))


def _awaited(state: State) -> Iterator[str]:
    if "duration" in state:
        yield f"for {duration_text(state['duration'])}"
    if "timestamp" in state:
        yield f"until {_said(state['timestamp'])}"
    if "event" in state:
        yield _event_text(state)
    for key, word in (("anyOf", "any of"), ("allOf", "all of")):
        if key in state:
            events = [text(mapping(wait).get("event")) for wait in mapping(state[key]).values()]
            yield f"{word} {', '.join(dict.fromkeys(filter(None, events)))}"
    if "absence" in state:
        absence = mapping(state["absence"])
        yield f"no {text(absence.get('event'))} for {duration_text(absence.get('for'))}"


def _event_text(wait: State) -> str:
    count = wait.get("count", 1)
    times = f"{plain_number(count)} of " if isinstance(count, int | float) and count != 1 else ""
    condition = f" where {condition_text(wait['where'])}" if "where" in wait else ""
    return f"{times}{text(wait.get('event'))}{condition}"


def _alternatives(state: State) -> Iterator[Exit]:
    """A wait's `anyOf` leads on by name; those without a `next` of their own take the wait's."""
    for name, wait in mapping(state.get("anyOf")).items():
        target = text(mapping(wait).get("next"))
        if target:
            yield Exit(target, "rule", str(name), _event_text(mapping(wait)))


def _choice(state: State) -> StateView:
    rules = [
        Exit(target, "rule", condition_text(rule), text(rule.get("comment")) or condition_text(rule))
        for rule in objects(state.get("choices"))
        if (target := text(rule.get("next")))
    ]
    default = text(state.get("default"))
    fallback = [Exit(default, "default", "default", "when no rule holds")] if default else []
    return StateView("choice", (), _comment(state), exits=(*rules, *fallback, *_errors(state)))


def _parallel(state: State) -> StateView:
    failure = state.get("failure")
    quorum = mapping(failure).get("quorum")
    details = lines(
        f"{plain_number(quorum)} must succeed" if isinstance(quorum, int) else "",
        "collects failures" if text(failure).casefold() == "collect" else "",
        _within(state),
    )
    scopes = tuple(
        InnerScope(f"/branches/{escaped(str(name))}", str(name), "branch", mapping(branch))
        for name, branch in mapping(state.get("branches")).items()
    )
    exits = (*_onward(state), *_errors(state))
    return StateView("parallel", details, _comment(state), exits=exits, scopes=scopes)


def _map(state: State) -> StateView:
    details = lines(
        _items_text(state), _width(state.get("maxConcurrency")), _tolerance(state), _within(state)
    )
    scopes = (InnerScope("", "each item", "iteration", state),)
    exits = (*_onward(state), *_errors(state))
    return StateView("map", details, _comment(state), exits=exits, scopes=scopes)


def _items_text(state: State) -> str:
    items = f"over {value_text(state['items'])}" if "items" in state else ""
    size = state.get("batchSize")
    return f"{items}, {plain_number(size)} at a time" if isinstance(size, int) else items


def _width(value: Any) -> str:
    return f"at most {plain_number(value)} together" if isinstance(value, int) and value > 0 else ""


def _tolerance(state: State) -> str:
    tolerated = mapping(state.get("tolerate"))
    for key, unit in (("count", ""), ("percent", " %")):
        if isinstance(limit := tolerated.get(key), int | float):
            return f"{plain_number(limit)}{unit} may fail"
    return ""


def _compensation(state: State) -> StateView:
    steps = state.get("steps", "auto")
    activities = [text(step.get("activity")) for step in objects(steps)]
    details = lines(
        *(f"↶ {name}" for name in activities[:4]),
        f"… {len(activities) - 4} more" if len(activities) > 4 else "",
    )
    if not activities:
        scope = text(state.get("scope")).casefold()
        details = ("undoes what this branch did" if scope == "branch" else "undoes what was done",)
    return StateView("compensation", details, _comment(state), exits=(*_onward(state), *_errors(state)))


def _pass(state: State) -> StateView:
    values = [f"{path_text(path)} = {value_text(value)}" for path, value in mapping(state.get("set")).items()]
    details = lines(*values[:3], f"… {len(values) - 3} more" if len(values) > 3 else "")
    return StateView("pass", details, _comment(state), exits=(*_onward(state), *_errors(state)))


def _succeed(state: State) -> StateView:
    return StateView("succeed", (), _comment(state))


def _fail(state: State) -> StateView:
    return StateView("fail", lines(_said(state.get("error"))), _said(state.get("cause")) or _comment(state))


def _unknown(state: State) -> StateView:
    said = text(state.get("type"))
    details = (f"unknown type {said}" if said else "no type",)
    return StateView("unknown", details, _comment(state), exits=(*_onward(state), *_errors(state)))


def _onward(state: State) -> Iterator[Exit]:
    target = text(state.get("next"))
    if target:
        yield Exit(target)
    elif state.get("end") is True:
        yield Exit(None)


def _errors(state: State) -> Iterator[Exit]:
    for catcher in objects(state.get("catch")):
        if target := text(catcher.get("next")):
            caught = names(catcher.get("errors", "States.ALL"))
            label = errors_text(caught)
            yield Exit(target, "catch", label, f"catches {', '.join(caught)}")
    if target := text(state.get("onError")):
        yield Exit(target, "error", "any other error" if state.get("catch") else "any error")


def _within(state: State) -> str:
    told = duration_text(state.get("timeout"))
    return f"within {told}" if told else ""


def _after(state: State) -> str:
    told = duration_text(state.get("timeout"))
    return f"after {told}" if told else "timeout"


def _comment(state: State) -> str:
    return text(state.get("comment"))


def _said(value: Any) -> str:
    return value_text(value) if _is_path(value) or isinstance(value, Mapping) else text(value)


def _is_path(value: Any) -> bool:
    return (isinstance(value, str) and value.startswith(("$.", "$["))) or isinstance(value, Mapping)


VIEWS: Mapping[str, Callable[[State], StateView]] = {
    "task": _task,
    "wait": _wait,
    "choice": _choice,
    "parallel": _parallel,
    "map": _map,
    "compensation": _compensation,
    "pass": _pass,
    "succeed": _succeed,
    "fail": _fail,
}
NATIVE = Dialect("native", "startAt", "states", native_view, default_route)
