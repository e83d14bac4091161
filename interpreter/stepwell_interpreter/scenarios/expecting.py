"""Holds what a run came to against what a scenario expects; each expectation that is not met is one difference.

Places are relative to the scenario; `running` adds where the scenario stands in its file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_schemas.durations import duration_ms
from stepwell_schemas.instance import Instance
from stepwell_schemas.problems import PathInDocument
from stepwell_schemas.scenario import ElapsedBounds, Expectation, ExpectedWait

from stepwell_interpreter.comparisons import compile_glob
from stepwell_interpreter.failures import CompileProblem, StateFailure
from stepwell_interpreter.paths import compile_path, written
from stepwell_interpreter.scenarios.differences import ValueDifference, differences, shown
from stepwell_interpreter.scenarios.footprint import Footprint
from stepwell_interpreter.scenarios.itinerary import departure, rendered, rendered_expectation
from stepwell_interpreter.scope import MISSING, Scope

MOST_CALLS: Final = 20


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run came to. `elapsed_ms` is virtual time from the start to the end, or to where the clock stands."""

    instance: Instance
    status: str
    footprint: Footprint
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class Unmet:
    """An expectation that is not met; `path` leads to it from the scenario."""

    what: str
    path: PathInDocument
    expected: str
    got: str
    note: str = ""


def unmet(expect: Expectation, ran: Ran) -> list[Unmet]:
    """Every expectation that the run does not meet, in the order of the fields."""
    given = expect.model_fields_set
    if not given and ran.status == "running":
        return [Unmet("status", ("expect",), "an end", "running")]
    return [each for name, check in _CHECKS.items() if name in given for each in check(expect, ran)]


def path_problem(text: str) -> str | None:
    """What is wrong with a path of `values`; None where it can be looked up."""
    try:
        compile_path(_rooted(text))
    except CompileProblem as problem:
        return str(problem.message).replace("$.result", "$")
    return None


# -- one field each ------------------------------------------------------------------------------------------


def _status(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    if expect.status is not None and expect.status != ran.status:
        yield Unmet("status", ("expect", "status"), expect.status, ran.status)


def _output(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    for each in differences(expect.output, ran.instance.output, exact=True):
        yield _of_value("output", ("expect", "output"), each)


def _error(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    yield from _text("error", expect.error, ran.instance.error)


def _cause(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    yield from _text("cause", expect.cause, ran.instance.cause)


def _text(what: str, wanted: str | None, got: str | None) -> Iterator[Unmet]:
    holds = got is None if wanted is None else got is not None and compile_glob(wanted)(got)
    if not holds:
        yield Unmet(what, ("expect", what), shown(wanted), shown(got))


def _path(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    taken = ran.footprint.path
    found = None if expect.path is None else departure(expect.path, taken)
    if found is not None and expect.path is not None:
        place = ("expect", "path", found.index, *found.inner)
        yield Unmet("path", place, rendered_expectation(expect.path), rendered(taken), str(found))


def _state(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    for each in differences(expect.state, ran.instance.state, exact=expect.exact_state):
        yield _of_value("state", ("expect", "state"), each)


def _values(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    instance = ran.instance
    document = {
        "input": instance.input,
        "state": instance.state,
        "output": instance.output,
        "error": instance.error,
        "cause": instance.cause,
        "status": ran.status,
    }
    for text, wanted in expect.values.items():
        place = ("expect", "values", text)
        try:
            found = compile_path(_rooted(text)).find(Scope(result=document))
        except StateFailure as failure:
            yield Unmet(text, place, shown(wanted), "(nothing)", str(failure.cause).replace("$.result", "$"))
            continue
        if found is MISSING:
            yield Unmet(text, place, shown(wanted), "(nothing)")
            continue
        for each in differences(wanted, found, exact=True):
            yield _of_value(text, place, each)


def _waits(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    frames = ran.instance.frames.values() if ran.status == "running" else ()
    waiting = [frame for frame in frames if frame.phase == "wait"]
    found = [
        {"state": frame.state, "event": wait.type, "match": dict(wait.match)}
        for frame in waiting
        for wait in frame.waits
    ] + [{"state": frame.state} for frame in waiting if not frame.waits]
    left = list(found)
    for index, wanted in enumerate(expect.waits or ()):
        fits = next((each for each in left if _fits(wanted, each)), None)
        if fits is None:
            seen = "; ".join(_told(each) for each in found) or "nothing is waited for"
            yield Unmet("waits", ("expect", "waits", index), _wanted(wanted), seen)
        else:
            left = [each for each in left if each["state"] != fits["state"] or not isinstance(wanted, str)]
            left = [each for each in left if each is not fits]
    if left and expect.waits is not None and all(_fits_any(wanted, found) for wanted in expect.waits):
        told = "; ".join(_told(each) for each in left)
        yield Unmet("waits", ("expect", "waits"), "no other wait", told)


def _elapsed(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    wanted, got = expect.elapsed, as_duration(ran.elapsed_ms)
    if isinstance(wanted, ElapsedBounds):
        if wanted.at_least is not None and ran.elapsed_ms < duration_ms(wanted.at_least):
            yield Unmet("elapsed", ("expect", "elapsed", "atLeast"), f"at least {wanted.at_least}", got)
        if wanted.at_most is not None and ran.elapsed_ms > duration_ms(wanted.at_most):
            yield Unmet("elapsed", ("expect", "elapsed", "atMost"), f"at most {wanted.at_most}", got)
    elif wanted is not None and duration_ms(wanted) != ran.elapsed_ms:
        yield Unmet("elapsed", ("expect", "elapsed"), as_duration(duration_ms(wanted)), got)


def _activities(expect: Expectation, ran: Ran) -> Iterator[Unmet]:
    for activity, wanted in expect.activities.items():
        calls = [call.input for call in ran.footprint.calls if call.activity == activity]
        what, place = f"calls of {activity}", ("expect", "activities", activity)
        count = wanted if isinstance(wanted, int) else len(wanted)
        if len(calls) != count:
            inputs = ", ".join(shown(value) for value in calls[:MOST_CALLS])
            yield Unmet(what, place, str(count), f"{len(calls)}" + (f": {inputs}" if inputs else ""))
        elif not isinstance(wanted, int):
            for index, (part, value) in enumerate(zip(wanted, calls, strict=True)):
                for each in differences(part, value, exact=False):
                    yield _of_value(f"input of {activity}, call {index + 1}", (*place, index), each)


_CHECKS: Final[Mapping[str, Callable[[Expectation, Ran], Iterator[Unmet]]]] = {
    "status": _status,
    "output": _output,
    "error": _error,
    "cause": _cause,
    "path": _path,
    "state": _state,
    "values": _values,
    "waits": _waits,
    "elapsed": _elapsed,
    "activities": _activities,
}


def as_duration(milliseconds: int) -> str:
    """A span as ISO 8601."""
    seconds, rest = divmod(milliseconds, 1000)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    fraction = f".{rest:03}".rstrip("0") if rest else ""
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    parts.append(f"{seconds}{fraction}S" if seconds or fraction else "")
    return "PT" + ("".join(parts) or "0S")


def _rooted(text: str) -> str:
    """The same path below `$.result`, where the run's values are put: paths begin with a name that scopes have."""
    return "$.result" + text.removeprefix("$")


def _of_value(what: str, path: PathInDocument, each: ValueDifference) -> Unmet:
    inside = written(each.members)
    name = what if not inside else f"{what}{'' if inside.startswith('[') else '.'}{inside}"
    return Unmet(name, (*path, *each.members), shown(each.expected), shown(each.got), each.note)


def _fits(wanted: str | ExpectedWait, found: Mapping[str, Any]) -> bool:
    if isinstance(wanted, str):
        return bool(found["state"] == wanted)
    return (
        wanted.state in (None, found["state"])
        and wanted.event in (None, found.get("event"))
        and (wanted.match is None or not differences(wanted.match, found.get("match", {}), exact=False))
    )


def _fits_any(wanted: str | ExpectedWait, found: list[dict[str, Any]]) -> bool:
    return any(_fits(wanted, each) for each in found)


def _wanted(wanted: str | ExpectedWait) -> str:
    return wanted if isinstance(wanted, str) else _told(wanted.model_dump(exclude_none=True))


def _told(found: Mapping[str, Any]) -> str:
    event = f" waits for {found['event']}" if "event" in found else ""
    match = f" with {shown(found['match'])}" if found.get("match") else ""
    return f"{found.get('state', 'a state')}{event}{match}"
