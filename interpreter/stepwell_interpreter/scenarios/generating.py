"""Generates scenarios that reach every transition and every error route of a definition, as far as they are found.

What `searching` finds is thinned out, run as the scenario it becomes, and expects what then happens. The same
definition gives the same scenarios.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.scenario import Scenario

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.scenarios.account import MOST_WORK, Account
from stepwell_interpreter.scenarios.aiming import Aims
from stepwell_interpreter.scenarios.candidates import Candidates
from stepwell_interpreter.scenarios.expecting import Ran, as_duration
from stepwell_interpreter.scenarios.footprint import Footprint
from stepwell_interpreter.scenarios.itinerary import as_path
from stepwell_interpreter.scenarios.parts import Part, Parts
from stepwell_interpreter.scenarios.playing import MOST_RECORDS, Played, Player
from stepwell_interpreter.scenarios.running import Runner
from stepwell_interpreter.scenarios.searching import MOST_PLAYS, search
from stepwell_interpreter.simulation.errors import SimulationError
from stepwell_interpreter.simulation.outcomes import Outcome

LONGEST_PATH: Final = 200
_RANKS: Final = {"error": 0, "transition": 1, "state": 2}


@dataclass(frozen=True, slots=True)
class Generated:
    """The scenarios as documents, ready to be written, and the parts that none of them (nor what was given) reach."""

    scenarios: tuple[dict[str, Any], ...]
    unreached: tuple[Part, ...]
    plays: int
    work: int = 0
    """What was done, in the units of `account`."""
    cut_short: bool = False
    """Whether the search ended at its bounds, so that something may be unreached that could be reached."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A scenario without its name and hash, and what it reaches."""

    document: dict[str, Any]
    covered: frozenset[str]


def generate(
    compiled: Compiled,
    activities: Mapping[str, ActivityDescription] | None = None,
    *,
    covered: Iterable[str] = (),
    taken_names: Iterable[str] = (),
    max_plays: int = MOST_PLAYS,
    max_work: int = MOST_WORK,
) -> Generated:
    """Scenarios for what is not `covered` yet (pointers of parts). Their names are none of `taken_names`.

    It ends by counted work: `max_work` units (see `account`), which is seconds whatever the definition.
    """
    assert compiled.program is not None, "only an accepted definition can be run"
    document = compiled.loaded.document or {}
    parts = Parts(compiled.program, document)
    account = Account(max_work)
    candidates = Candidates(compiled, activities, account)
    player = Player(compiled.program, parts, candidates, account)
    known = set(covered)
    wanted = {part.pointer: part for part in parts.all() if part.pointer not in known}
    order = {pointer: number for number, pointer in enumerate(wanted)}
    aims = Aims(candidates, parts, compiled.program, account)
    runner = Runner(compiled.program, document, max_records=MOST_RECORDS)
    plays, found = search(
        player, aims, set(wanted), lambda play: _drafted(runner, play), max_plays=max_plays, account=account
    )
    scenarios: list[dict[str, Any]] = []
    left = set(wanted)
    names = set(taken_names)
    for draft in _fewest(found, set(wanted)):
        news = [wanted[pointer] for pointer in sorted(draft.covered & left, key=order.__getitem__)]
        if news:
            left -= draft.covered
            scenarios.append(_scenario(draft, _named(news, names)))
            names.add(scenarios[-1]["name"])
    bounded = plays >= max_plays or account.exhausted or aims.cut_short or candidates.cut_short
    unreached = tuple(part for pointer, part in wanted.items() if pointer in left)
    return Generated(tuple(scenarios), unreached, plays, account.spent, bool(unreached) and bounded)


def content_hash(scenario: Mapping[str, Any]) -> str:
    """The hash of what was generated; the marker itself does not count."""
    content = {key: value for key, value in scenario.items() if key != "generated"}
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _fewest(found: Sequence[_Draft], wanted: set[str]) -> list[_Draft]:
    """Without those that the others make superfluous."""
    reached = [draft.covered & wanted for draft in found]
    times = Counter(pointer for each in reached for pointer in each)
    kept = []
    for draft, each in zip(found, reached, strict=True):
        if all(times[pointer] > 1 for pointer in each):
            times.subtract(each)
        else:
            kept.append(draft)
    return kept


def _named(news: Sequence[Part], taken: set[str]) -> str:
    """After the most telling new part that it reaches."""
    first = min(news, key=lambda part: _RANKS[part.kind])
    name = f"generated: {first.label}"[:180]
    number = 2
    while name in taken:
        name = f"generated: {first.label}"[:180] + f" #{number}"
        number += 1
    return name


def _scenario(draft: _Draft, name: str) -> dict[str, Any]:
    scenario = {"name": name, **draft.document}
    scenario["generated"] = content_hash(scenario)
    return scenario


def _drafted(runner: Runner, play: Played) -> _Draft | None:
    """The scenario of a play with what it really comes to as its expectation; None where it cannot be run."""
    document: dict[str, Any] = {"input": play.input}
    tasks = {state: _outcomes(outcomes) for state, outcomes in play.outcomes.items()}
    for state in play.undone:
        if all(outcome == Outcome() or _went_well(outcome) for outcome in play.outcomes[state]):
            del tasks[state]
    if tasks:
        document["tasks"] = tasks
    if play.events:
        document["events"] = play.events
    if play.stopped_ms is not None:
        document["until"] = as_duration(play.stopped_ms)
    footprint = Footprint(runner.program, runner.parts)
    try:
        ran, _, _ = runner.play(Scenario.model_validate({"name": "drafted", **document}), footprint)
    except SimulationError:
        return None
    document["expect"] = _expectation(ran)
    return _Draft(document, frozenset(footprint.covered))


def _expectation(ran: Ran) -> dict[str, Any]:
    expect: dict[str, Any] = {"status": ran.status}
    if ran.status == "succeeded":
        expect["output"] = ran.instance.output
    elif ran.instance.error is not None:
        expect["error"] = ran.instance.error
    path = as_path(ran.footprint.path)
    if len(path) <= LONGEST_PATH:
        expect["path"] = path
    return expect


def _went_well(outcome: Outcome) -> bool:
    return outcome.error is None and not outcome.timed_out and not outcome.lost


def _outcomes(outcomes: Sequence[Outcome]) -> Any:
    """As an author would write them: one outcome for every try where all are alike, else a list with `times`."""
    written: list[dict[str, Any]] = []
    for outcome in outcomes:
        each = _outcome(outcome)
        last = written[-1] if written else None
        if last is not None and {key: value for key, value in last.items() if key != "times"} == each:
            last["times"] = last.get("times", 1) + 1
        else:
            written.append(each)
    if len(written) == 1:
        return {key: value for key, value in written[0].items() if key != "times"}
    return written


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if outcome.timed_out:
        return {"timedOut": True}
    if outcome.error is not None:
        return {"error": outcome.error, "cause": outcome.cause}
    later = {"after": as_duration(outcome.after_ms)} if outcome.after_ms else {}
    return {"output": outcome.output, **later}
