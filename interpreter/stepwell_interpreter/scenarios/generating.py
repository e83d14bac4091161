"""Generates scenarios that reach every transition and every error route of a definition, as far as they are found.

What `searching` finds is thinned out, run as the scenario it becomes, and expects what then happens. The same
definition gives the same scenarios.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.scenario import Scenario

from stepwell_interpreter.compile import Compiled
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


def generate(
    compiled: Compiled,
    activities: Mapping[str, ActivityDescription] | None = None,
    *,
    covered: Iterable[str] = (),
    taken_names: Iterable[str] = (),
    max_plays: int = MOST_PLAYS,
) -> Generated:
    """Scenarios for what is not `covered` yet (pointers of parts). Their names are none of `taken_names`."""
    assert compiled.program is not None, "only an accepted definition can be run"
    document = compiled.loaded.document or {}
    parts = Parts(compiled.program, document)
    candidates = Candidates(compiled, activities)
    player = Player(compiled.program, parts, candidates)
    known = set(covered)
    wanted = {part.pointer: part for part in parts.all() if part.pointer not in known}
    plays, found = search(player, Aims(candidates, parts, compiled.program), set(wanted), max_plays)
    runner = Runner(compiled.program, document, max_records=MOST_RECORDS)
    scenarios: list[dict[str, Any]] = []
    left = set(wanted)
    names = set(taken_names)
    for play in _fewest(found, set(wanted)):
        news = [part for pointer, part in wanted.items() if pointer in play.covered and pointer in left]
        if not news:
            continue
        made = _scenario(runner, play, _named(news, names))
        if made is not None:
            scenario, reached = made
            if not reached & left:
                continue  # as a scenario it goes another way than as a play
            left -= reached
            names.add(scenario["name"])
            scenarios.append(scenario)
    return Generated(
        tuple(scenarios), tuple(part for pointer, part in wanted.items() if pointer in left), plays
    )


def content_hash(scenario: Mapping[str, Any]) -> str:
    """The hash of what was generated; the marker itself does not count."""
    content = {key: value for key, value in scenario.items() if key != "generated"}
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _fewest(found: Sequence[Played], wanted: set[str]) -> list[Played]:
    """Without those that the others make superfluous."""
    kept = list(found)
    for play in list(found):
        others = {pointer for other in kept if other is not play for pointer in other.covered}
        if play.covered & wanted <= others:
            kept.remove(play)
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


def _scenario(runner: Runner, play: Played, name: str) -> tuple[dict[str, Any], frozenset[str]] | None:
    """The scenario of a play with what it really comes to as its expectation; None where it goes another way."""
    document: dict[str, Any] = {"name": name, "input": play.input}
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
        ran, _, _ = runner.play(Scenario.model_validate(document), footprint)
    except SimulationError:
        return None
    document["expect"] = _expectation(ran)
    document["generated"] = content_hash(document)
    return document, frozenset(footprint.covered)


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
