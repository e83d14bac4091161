"""Aims plays at branches that were not reached: after a play, what it would have had to be given to go there.

A branch's conditions are solved together with those the play met before them, over the values the play was given;
each solution is one more play. Where a condition reads what was computed, values that bear on it are guessed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from stepwell_interpreter.program import ChoiceStep, Program
from stepwell_interpreter.scenarios.account import Account
from stepwell_interpreter.scenarios.candidates import Candidates
from stepwell_interpreter.scenarios.flows import Members, Origin, Rules, Source
from stepwell_interpreter.scenarios.parts import Parts
from stepwell_interpreter.scenarios.placing import put
from stepwell_interpreter.scenarios.playing import Played, value_label
from stepwell_interpreter.scenarios.solving import (
    Comparison,
    Formula,
    Place,
    Solution,
    comparisons,
    distinct,
    forms,
    near,
    renamed,
    solutions,
)
from stepwell_interpreter.scope import MISSING

MOST_AIMS: Final = 150
"""Plays for one branch."""
MOST_LOOKS: Final = 25
"""Plays that are looked at for one branch."""
MOST_SOLUTIONS: Final = 4
MOST_SPOKEN: Final = 12
MOST_GUESSES: Final = 60
MOST_MADE: Final = 4 * MOST_AIMS
"""Aims that are made for one branch after one play; many are those of a play before."""
MOST_EARLIER: Final = 12
"""Decisions of a play whose conditions are kept as they were."""
_LOOKED_AT_IN_A_UNIT: Final = 8


@dataclass(frozen=True, slots=True)
class Aim:
    """The labels a play is to choose by, and the branch it aims at."""

    labels: tuple[str, ...]
    pointer: str = ""
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class _Given:
    """The values a play was given: of each source where it was given one, in order."""

    play: Played
    places: Mapping[Source, Sequence[int]]


@dataclass(frozen=True, slots=True)
class _View:
    """A choice as a play came to it: its rules over what that play was given. `key` tells views apart."""

    key: tuple[str, str, tuple[Source, ...]]
    rules: Rules
    formulas: tuple[Formula, ...]

    def wished(self, branch: int | None) -> list[tuple[Formula, bool]]:
        """What must hold and what must not for a branch; None is the default."""
        upto = len(self.formulas) if branch is None else branch
        wished = [(rule, False) for rule in self.formulas[:upto]]
        return wished + [(rule, True) for rule in self.formulas[upto : upto + 1]]


_Wish = tuple[_View, int | None]


class Aims:
    """The aims of one search; no branch is aimed at without end, and no more is done than a share of the account.

    What a branch asks for is solved once for all plays that came to it by values of the same sources.
    """

    def __init__(self, candidates: Candidates, parts: Parts, program: Program, account: Account) -> None:
        self._candidates = candidates
        self._parts = parts
        self._program = program
        self._account = account.share(2)
        self._rules = {(each.machine, each.state): each for each in candidates.rules}
        self._branches: dict[tuple[str, str], Mapping[str, int | None]] = {}
        self._sources: dict[tuple[str, str], frozenset[Source]] = {}
        self._views: dict[tuple[str, str, tuple[Source, ...]], _View] = {}
        self._ways: dict[tuple[Any, ...], list[Solution]] = {}
        self._influences: dict[tuple[str, str, int], list[tuple[Origin, list[Any]]]] = {}
        self._aimed: Counter[str] = Counter()
        self._looked: Counter[str] = Counter()
        self._given: set[tuple[str, tuple[str, ...]]] = set()
        self._spoken = distinct(candidates.flows.spoken())[:MOST_SPOKEN]

    @property
    def cut_short(self) -> bool:
        """Whether there was more to aim at than there may be."""
        return self._account.exhausted

    def after(self, play: Played, left: Set[str]) -> Iterator[Aim]:
        """What to try after a play, with what is left to reach."""
        given = _given_by(play)
        for number, decision in enumerate(play.decisions):
            at = (decision.machine, decision.state)
            rules = self._rules.get(at)
            if rules is None:
                continue
            branches = self._branches_of(rules)
            self._account.spend(1 + len(branches) // _LOOKED_AT_IN_A_UNIT)
            for pointer, branch in branches.items():
                if self._account.exhausted:
                    return
                if pointer in left and branch != decision.rule and self._is_open(pointer):
                    yield from self._new(pointer, self._aims(given, number, rules, branch))

    def _new(self, pointer: str, aims: Iterator[Aim]) -> Iterator[Aim]:
        """Those that were not given before, as many as there may still be."""
        for aim in islice(aims, MOST_MADE):
            if self._account.exhausted or self._aimed[pointer] >= MOST_AIMS:
                return
            if (pointer, aim.labels) not in self._given:
                self._given.add((pointer, aim.labels))
                self._aimed[pointer] += 1
                yield replace(aim, pointer=pointer)

    def _is_open(self, pointer: str) -> bool:
        """Whether it is worth aiming at a branch once more; counts that it is done."""
        self._looked[pointer] += 1
        return self._looked[pointer] <= MOST_LOOKS and self._aimed[pointer] < MOST_AIMS

    def _branches_of(self, rules: Rules) -> Mapping[str, int | None]:
        """Each branch of a choice: the pointer of its transition, and its rule (None: the default)."""
        at = (rules.machine, rules.state)
        if at not in self._branches:
            step = self._program.scopes[rules.machine].steps[rules.state]
            assert isinstance(step, ChoiceStep)
            found: dict[str, int | None] = {
                self._parts.transition(rules.machine, step, rule=number): number
                for number in range(len(rules.rules))
            }
            if step.next is not None:
                found[self._parts.transition(rules.machine, step)] = None
            self._branches[at] = found
        return self._branches[at]

    def _aims(self, given: _Given, number: int, rules: Rules, branch: int | None) -> Iterator[Aim]:
        wish = (self._view(rules, given), branch)
        earlier: list[_Wish] = []
        for decision in given.play.decisions[max(number - MOST_EARLIER, 0) : number]:
            before = self._rules.get((decision.machine, decision.state))
            if before is not None and decision.rule != -1:
                earlier.append((self._view(before, given), decision.rule))
        ways = self._solved([wish, *earlier])
        ways += [way for way in self._solved([wish]) if way not in ways]
        for way in ways:
            if way:
                yield from self._patched(given, way, guessed=False)
        yield from self._guessed(given, rules, branch)

    def _solved(self, wishes: Sequence[_Wish]) -> list[Solution]:
        key = tuple((view.key, branch) for view, branch in wishes)
        if key not in self._ways:
            wished = [each for view, branch in wishes for each in view.wished(branch)]
            self._ways[key] = solutions(wished, self._account)[:MOST_SOLUTIONS]
        return list(self._ways[key])

    def _view(self, rules: Rules, given: _Given) -> _View:
        """A choice's conditions over what a play was given."""
        at = (rules.machine, rules.state)
        if at not in self._sources:
            self._sources[at] = frozenset(
                source
                for formula in rules.rules
                for comparison in comparisons(formula)
                for place in comparison.places
                for source, _ in self._candidates.flows.origins(place, *at)
            )
        read = sorted(self._sources[at] & given.places.keys(), key=lambda source: given.places[source][-1])
        key = (*at, tuple(read))
        if key not in self._views:
            order = {source: number for number, source in enumerate(read)}

            def name(place: Place) -> Place | None:
                found = self._candidates.flows.origins(place, *at)
                known = [origin for origin in found if origin[0] in order]
                # Where several states may have written it, the last of them has.
                return max(known, key=lambda origin: order[origin[0]], default=None)

            self._account.spend(len(rules.rules))
            self._views[key] = _View(key, rules, tuple(renamed(rule, name) for rule in rules.rules))
        return self._views[key]

    def _patched(self, given: _Given, way: Solution, *, guessed: bool) -> Iterator[Aim]:
        """The play with the values of a solution: in the last value of each source, then in all of them."""
        parts: dict[Source, dict[Members, Any]] = {}
        for (source, members), value in way.items():
            parts.setdefault(source, {})[members] = value
        choices = given.play.choices
        self._account.spend(2 + len(way) + len(choices) // _LOOKED_AT_IN_A_UNIT)
        for everywhere in (False, True):
            labels = [choice.option.label for choice in choices]
            last = -1
            for source, values in parts.items():
                places = given.places.get(source, ())
                for at in places if everywhere else places[-1:]:
                    number = self._candidates.add(source, _with(choices[at].option.value, values))
                    if number is None:
                        return
                    labels[at] = value_label(source, number)
                    last = max(last, at)
            yield Aim(tuple(labels[: last + 1]), guessed=guessed)
            if all(len(given.places.get(source, ())) <= 1 for source in parts):
                return

    def _guessed(self, given: _Given, rules: Rules, branch: int | None) -> Iterator[Aim]:
        first = () if branch is None else (branch,)
        for number in (*first, *(each for each in range(len(rules.rules)) if each != branch)):
            for origin, values in self._guesses_at(rules, number):
                for value in values if origin[0] in given.places else ():
                    yield from self._patched(given, {origin: value}, guessed=True)

    def _guesses_at(self, rules: Rules, number: int) -> list[tuple[Origin, list[Any]]]:
        """What bears on a rule without being what it reads, with values worth trying there."""
        key = (rules.machine, rules.state, number)
        if key not in self._influences:
            self._influences[key] = [
                (origin, _guesses(comparison, self._spoken))
                for comparison in comparisons(rules.rules[number])
                for place in comparison.places
                for origin in self._candidates.flows.influences(place, rules.machine, rules.state)
            ]
            self._account.spend(1 + 16 * len(self._influences[key]))
        return self._influences[key]


def _given_by(play: Played) -> _Given:
    places: dict[Source, list[int]] = {}
    for at, choice in enumerate(play.choices):
        if choice.option.source is not None:
            places.setdefault(choice.option.source, []).append(at)
    return _Given(play, places)


def _with(value: Any, parts: Mapping[Members, Any]) -> Any:
    for members, part in sorted(parts.items(), key=lambda pair: len(pair[0])):
        value = put(value, members, part)
    return value


def _guesses(comparison: Comparison, spoken: Sequence[Any]) -> list[Any]:
    """Values that a comparison and the expressions of a definition speak of, what is beside them and made like them."""
    suggested = [value for values in comparison.suggested for value in values if value is not MISSING]
    told = distinct([*suggested[:3], *spoken])
    beside = [each for value in told for each in near(value)]
    shaped = [each for value in told for each in forms(value)]
    return distinct([*told, *beside, *shaped, *suggested])[:MOST_GUESSES]
