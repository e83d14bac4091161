"""Aims plays at branches that were not reached: after a play, what it would have had to be given to go there.

A branch's conditions are solved together with those the play met before them, over the values the play was given;
each solution is one more play. Where a condition reads what was computed, values that bear on it are guessed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell_interpreter.program import ChoiceStep, Program
from stepwell_interpreter.scenarios.candidates import Candidates
from stepwell_interpreter.scenarios.flows import Members, Rules, Source
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
MOST_EARLIER: Final = 12
"""Decisions of a play whose conditions are kept as they were."""


@dataclass(frozen=True, slots=True)
class Aim:
    """The labels a play is to choose by, and the branch it aims at."""

    labels: tuple[str, ...]
    pointer: str = ""
    guessed: bool = False


class Aims:
    """The aims of one search; no branch is aimed at without end."""

    def __init__(self, candidates: Candidates, parts: Parts, program: Program) -> None:
        self._candidates = candidates
        self._parts = parts
        self._program = program
        self._rules = {(each.machine, each.state): each for each in candidates.flows.rules()}
        self._aimed: Counter[str] = Counter()
        self._looked: Counter[str] = Counter()
        self._given: set[tuple[str, tuple[str, ...]]] = set()
        self._spoken = distinct(candidates.flows.spoken())[:MOST_SPOKEN]

    def after(self, play: Played, left: Set[str]) -> Iterator[Aim]:
        """What to try after a play, with what is left to reach."""
        for number, decision in enumerate(play.decisions):
            rules = self._rules.get((decision.machine, decision.state))
            if rules is None:
                continue
            for branch, pointer in self._branches(rules):
                if pointer in left and branch != decision.rule and self._is_open(pointer):
                    for aim in self._aims(play, number, rules, branch):
                        if (pointer, aim.labels) not in self._given and self._aimed[pointer] < MOST_AIMS:
                            self._given.add((pointer, aim.labels))
                            self._aimed[pointer] += 1
                            yield replace(aim, pointer=pointer)

    def _is_open(self, pointer: str) -> bool:
        """Whether it is worth aiming at a branch once more; counts that it is done."""
        self._looked[pointer] += 1
        return self._looked[pointer] <= MOST_LOOKS and self._aimed[pointer] < MOST_AIMS

    def _branches(self, rules: Rules) -> Iterator[tuple[int | None, str]]:
        """Each branch of a choice: its rule (None: the default), and the pointer of its transition."""
        step = self._program.scopes[rules.machine].steps[rules.state]
        assert isinstance(step, ChoiceStep)
        for number in range(len(rules.rules)):
            yield number, self._parts.transition(rules.machine, step, rule=number)
        if step.next is not None:
            yield None, self._parts.transition(rules.machine, step)

    def _aims(self, play: Played, number: int, rules: Rules, branch: int | None) -> Iterator[Aim]:
        given = _given_values(play)
        wished = self._wished(rules, branch, given)
        earlier: list[tuple[Formula, bool]] = []
        for decision in play.decisions[max(number - MOST_EARLIER, 0) : number]:
            before = self._rules.get((decision.machine, decision.state))
            if before is not None and decision.rule != -1:
                earlier += self._wished(before, decision.rule, given)
        ways = solutions([*wished, *earlier])[:MOST_SOLUTIONS]
        ways += [way for way in solutions(wished)[:MOST_SOLUTIONS] if way not in ways]
        for way in ways:
            if way:
                yield from self._patched(play, way, guessed=False)
        yield from self._guessed(play, rules, branch, given)

    def _wished(
        self, rules: Rules, branch: int | None, given: Mapping[Source, int]
    ) -> list[tuple[Formula, bool]]:
        """The conditions of a branch over what the play was given."""
        upto = len(rules.rules) if branch is None else branch

        def name(place: Place) -> Place | None:
            found = self._candidates.flows.origins(place, rules.machine, rules.state)
            known = [origin for origin in found if origin[0] in given]
            # Where several states may have written it, the last of them has.
            return max(known, key=lambda origin: given[origin[0]], default=None)

        wished = [(renamed(rule, name), False) for rule in rules.rules[:upto]]
        return wished + [(renamed(rule, name), True) for rule in rules.rules[upto : upto + 1]]

    def _patched(self, play: Played, way: Solution, *, guessed: bool) -> Iterator[Aim]:
        """The play with the values of a solution: in the last value of each source, then in all of them."""
        parts: dict[Source, dict[Members, Any]] = {}
        for (source, members), value in way.items():
            parts.setdefault(source, {})[members] = value
        for everywhere in (False, True):
            labels = [choice.option.label for choice in play.choices]
            last = -1
            for source, values in parts.items():
                places = [at for at, choice in enumerate(play.choices) if choice.option.source == source]
                for at in places if everywhere else places[-1:]:
                    number = self._candidates.add(source, _with(play.choices[at].option.value, values))
                    if number is None:
                        return
                    labels[at] = value_label(source, number)
                    last = max(last, at)
            yield Aim(tuple(labels[: last + 1]), guessed=guessed)

    def _guessed(
        self, play: Played, rules: Rules, branch: int | None, given: Mapping[Source, int]
    ) -> Iterator[Aim]:
        first = rules.rules[branch : branch + 1] if branch is not None else ()
        for formula in (*first, *(rule for rule in rules.rules if rule not in first)):
            for comparison in comparisons(formula):
                for place in comparison.places:
                    found = self._candidates.flows.influences(place, rules.machine, rules.state)
                    for origin in (origin for origin in found if origin[0] in given):
                        for value in _guesses(comparison, self._spoken):
                            yield from self._patched(play, {origin: value}, guessed=True)


def _given_values(play: Played) -> dict[Source, int]:
    """The sources of a play's values, each with the place it was given last at."""
    return {
        choice.option.source: at for at, choice in enumerate(play.choices) if choice.option.source is not None
    }


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
