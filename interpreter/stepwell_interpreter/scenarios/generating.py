"""Generates scenarios that reach every transition and every error route of a definition, as far as they are found.

The search plays the workflow again and again, each time choosing otherwise at one point of an earlier play, rarest
choice first, and never the same choice in the same situation twice. It is bounded by plays and the states they enter,
and the same for the same definition.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.scenario import Scenario

from stepwell_interpreter.compile import Compiled
from stepwell_interpreter.scenarios.candidates import Candidates
from stepwell_interpreter.scenarios.expecting import Ran, as_duration
from stepwell_interpreter.scenarios.footprint import Footprint
from stepwell_interpreter.scenarios.itinerary import as_path
from stepwell_interpreter.scenarios.parts import Part, Parts
from stepwell_interpreter.scenarios.playing import MOST_RECORDS, Played, Player
from stepwell_interpreter.scenarios.running import Runner
from stepwell_interpreter.simulation.errors import SimulationError
from stepwell_interpreter.simulation.outcomes import Outcome

MOST_PLAYS: Final = 4_000
MOST_VISITS: Final = 400_000
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
    player = Player(compiled.program, parts, Candidates(compiled, activities))
    known = set(covered)
    wanted = {part.pointer: part for part in parts.all() if part.pointer not in known}
    plays, found = _search(player, set(wanted), max_plays)
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


def _search(player: Player, wanted: set[str], max_plays: int) -> tuple[int, list[Played]]:
    """The plays that reached something new, in the order they were found."""
    queue: list[tuple[int, int, int, tuple[int, ...]]] = [(0, 0, 0, ())]
    tried: set[tuple[bytes, str]] = set()
    counts: Counter[str] = Counter()
    found: list[Played] = []
    left = set(wanted)
    plays = visits = number = 0
    while queue and left and plays < max_plays and visits < MOST_VISITS:
        _, _, _, given = heapq.heappop(queue)
        play = player.play(given)
        plays += 1
        visits += play.visits + len(play.choices)
        if left & play.covered:
            left -= play.covered
            found.append(play)
        for place, choice in enumerate(play.choices):
            counts[choice.labels[choice.taken]] += 1
            tried.add((choice.situation, choice.labels[choice.taken]))
            if place < len(given):
                continue
            before = tuple(each.taken for each in play.choices[:place])
            for option, label in enumerate(choice.labels):
                if (choice.situation, label) not in tried:
                    tried.add((choice.situation, label))
                    number += 1
                    heapq.heappush(queue, (counts[label], place, number, (*before, option)))
                    counts[label] += 1
    return plays, found


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
    return {"output": outcome.output}
