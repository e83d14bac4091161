"""What states of the Amazon States Language look like and where they lead."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

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
    MAX_NESTING,
    duration_text,
    errors_text,
    joined,
    path_text,
    plain_number,
    shortened,
    value_text,
)

State = Mapping[str, Any]

COMPARISON = re.compile(
    r"(String|Numeric|Boolean|Timestamp)"
    r"(Equals|LessThanEquals|LessThan|GreaterThanEquals|GreaterThan|Matches)(Path)?"
)
SIGNS = {
    "Equals": "=",
    "LessThan": "<",
    "LessThanEquals": "≤",
    "GreaterThan": ">",
    "GreaterThanEquals": "≥",
    "Matches": "matches",
}
TESTS = {
    "IsNull": "null",
    "IsPresent": "present",
    "IsString": "a text",
    "IsNumeric": "a number",
    "IsBoolean": "true or false",
    "IsTimestamp": "a timestamp",
}
EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)


def amazon_view(state: State) -> StateView:
    """How one state is drawn. An unknown type is drawn as such."""
    return VIEWS.get(text(state.get("Type")), _unknown)(state)


def no_default_route(document: State) -> str | None:
    """The language has none."""
    return None


def rule_text(rule: Any, depth: int = 0) -> str:
    """A choice rule: `status = “done” and not (tries > 3)`, or its JSONata expression."""
    if not isinstance(rule, Mapping) or depth > MAX_NESTING:
        return "…"
    if isinstance(expression := rule.get("Condition"), str):
        return _bare(expression)
    for word in ("And", "Or"):
        if word in rule:
            return joined(word.lower(), rule[word], lambda part: rule_text(part, depth + 1), depth)
    if "Not" in rule:
        return f"not ({rule_text(rule['Not'], depth + 1)})"
    return _comparison_text(rule)


def _comparison_text(rule: State) -> str:
    subject = path_text(rule.get("Variable")) if "Variable" in rule else "…"
    for key, value in rule.items():
        if found := COMPARISON.fullmatch(str(key)):
            return f"{subject} {SIGNS[found[2]]} {path_text(value) if found[3] else _literal(value)}"
        if key in TESTS:
            return f"{subject} {'is' if value is not False else 'is not'} {TESTS[key]}"
    return subject


def _literal(value: Any) -> str:
    return f"“{shortened(value, 32)}”" if isinstance(value, str) else value_text(value)


def _bare(value: Any) -> str:
    """A JSONata expression without its brackets, on one line."""
    found = EXPRESSION.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 10_000 else None
    return shortened(" ".join((found[1] if found else value).split()), 400) if isinstance(value, str) else ""


def _task(state: State) -> StateView:
    resource = text(state.get("Resource"))
    callback = resource.endswith(".waitForTaskToken")
    details = lines(
        _resource_text(resource, state), "waits for a callback" if callback else "", _within(state)
    )
    symbol = "callback" if callback else "child" if "states:startExecution" in resource else ""
    hover = "\n".join(lines(_comment(state), resource))
    return StateView("task", details, hover, symbol, exits=(*_onward(state), *_errors(state)))


def _resource_text(resource: str, state: State) -> str:
    """The function, activity or service that a resource means."""
    arguments = mapping(state.get("Arguments")) or mapping(state.get("Parameters"))
    short = resource.removesuffix(".waitForTaskToken")
    if short.startswith("arn:"):
        short = short.split(":", 5)[-1] if short.count(":") >= 5 else short
        short = short.removeprefix("function:").removeprefix("activity:")
    function = text(arguments.get("FunctionName"))
    if short == "lambda:invoke" and function and not function.startswith("$"):
        parts = function.split(":")
        return parts[6] if len(parts) > 6 else _bare(function)
    return short


def _wait(state: State) -> StateView:
    seconds, moment = state.get("Seconds"), state.get("Timestamp")
    told = ""
    if seconds is not None:
        told = f"for {_bare(seconds) if isinstance(seconds, str) else duration_text(seconds)}"
    if moment is not None:
        told = f"until {_bare(moment)}"
    for key, word in (("SecondsPath", "for"), ("TimestampPath", "until")):
        if key in state:
            told = f"{word} {path_text(state[key])}"
    return StateView("wait", lines(told), _comment(state), "clock", exits=tuple(_onward(state)))


def _choice(state: State) -> StateView:
    rules = [
        Exit(target, "rule", rule_text(rule), text(rule.get("Comment")) or rule_text(rule))
        for rule in objects(state.get("Choices"))
        if (target := text(rule.get("Next")))
    ]
    default = text(state.get("Default"))
    fallback = [Exit(default, "default", "default", "when no rule holds")] if default else []
    return StateView("choice", (), _comment(state), exits=(*rules, *fallback))


def _parallel(state: State) -> StateView:
    branches = state.get("Branches")
    found = branches if isinstance(branches, Sequence) and not isinstance(branches, str) else ()
    scopes = tuple(
        InnerScope(
            f"/Branches/{index}",
            text(mapping(branch).get("Comment")) or f"branch {index + 1}",
            "branch",
            mapping(branch),
        )
        for index, branch in enumerate(found)
    )
    exits = (*_onward(state), *_errors(state))
    return StateView("parallel", (), _comment(state), exits=exits, scopes=scopes)


def _map(state: State) -> StateView:
    key = "Iterator" if "Iterator" in state and "ItemProcessor" not in state else "ItemProcessor"
    processor = mapping(state.get(key))
    mode = text(mapping(processor.get("ProcessorConfig")).get("Mode"))
    details = lines(
        _items_text(state),
        "distributed" if mode == "DISTRIBUTED" else "",
        _limit(state, "MaxConcurrency", "at most {} together"),
        _limit(state, "ToleratedFailureCount", "{} may fail"),
        _limit(state, "ToleratedFailurePercentage", "{} % may fail"),
    )
    scopes = (InnerScope(f"/{key}", "each item", "iteration", processor),)
    exits = (*_onward(state), *_errors(state))
    return StateView("map", details, _comment(state), exits=exits, scopes=scopes)


def _items_text(state: State) -> str:
    if "ItemReader" in state:
        return f"over {_resource_text(text(mapping(state['ItemReader']).get('Resource')), {})}"
    if isinstance(items := state.get("Items"), str):
        return f"over {_bare(items)}"
    path = state.get("ItemsPath")
    return f"over {path_text(path)}" if isinstance(path, str) else ""


def _limit(state: State, key: str, told: str) -> str:
    value = state.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and value:
        return told.format(plain_number(value))
    path = state.get(f"{key}Path", value)
    return told.format(path_text(_bare(path))) if isinstance(path, str) else ""


def _pass(state: State) -> StateView:
    assigned = ", ".join(str(name) for name in mapping(state.get("Assign")))
    kept = path_text(state.get("ResultPath")) if isinstance(state.get("ResultPath"), str) else ""
    told = (
        f"{kept if kept not in ('', '$') else 'result'} = {value_text(state['Result'])}"
        if "Result" in state
        else ""
    )
    details = lines(told, assigned and f"assigns {assigned}")
    return StateView("pass", details, _comment(state), exits=tuple(_onward(state)))


def _succeed(state: State) -> StateView:
    return StateView("succeed", (), _comment(state))


def _fail(state: State) -> StateView:
    error = _bare(state.get("Error")) or path_text(state.get("ErrorPath") or "")
    cause = _bare(state.get("Cause")) or path_text(state.get("CausePath") or "")
    return StateView("fail", lines(error), cause or _comment(state))


def _unknown(state: State) -> StateView:
    said = text(state.get("Type"))
    details = (f"unknown type {said}" if said else "no type",)
    return StateView("unknown", details, _comment(state), exits=(*_onward(state), *_errors(state)))


def _onward(state: State) -> Iterator[Exit]:
    target = text(state.get("Next"))
    if target:
        yield Exit(target)
    elif state.get("End") is True:
        yield Exit(None)


def _errors(state: State) -> Iterator[Exit]:
    for catcher in objects(state.get("Catch")):
        if target := text(catcher.get("Next")):
            caught = names(catcher.get("ErrorEquals", ()))
            label = errors_text(caught)
            yield Exit(target, "catch", label or "error", f"catches {', '.join(caught)}")


def _within(state: State) -> str:
    seconds = state.get("TimeoutSeconds", state.get("TimeoutSecondsPath"))
    if seconds is None:
        return ""
    return f"within {path_text(_bare(seconds)) if isinstance(seconds, str) else duration_text(seconds)}"


def _comment(state: State) -> str:
    return text(state.get("Comment"))


VIEWS: Mapping[str, Callable[[State], StateView]] = {
    "Task": _task,
    "Wait": _wait,
    "Choice": _choice,
    "Parallel": _parallel,
    "Map": _map,
    "Pass": _pass,
    "Succeed": _succeed,
    "Fail": _fail,
}
AMAZON = Dialect("asl", "StartAt", "States", amazon_view, no_default_route)
