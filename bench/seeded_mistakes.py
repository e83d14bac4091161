"""Seeded mistakes: how many of the mistakes that authors make are found before a definition runs.

    python bench/seeded_mistakes.py [--seed 1] [--each 50] [--missed]

Takes the shipped workflows and those of the examples, damages each in so many ways, and counts the damaged ones that
are told anything at all. The undamaged ones must be told nothing. The same seed gives the same damages.

A damage that leaves the meaning as it was is not made: each kind below says in its docstring what it passes over.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import seeded_names  # noqa: F401 - registers its kinds
import seeded_values  # noqa: F401 - registers its kinds
from seeded_places import KINDS, Damage
from stepwell_activities.builtin import builtin_registry
from stepwell_activities.registry import discover
from stepwell_interpreter.compile import compile_source
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.loader import load_definition

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "workflows/device-onboarding.yaml": "stepwell_cli.demo_activities",
    "examples/onboarding/workflow.yaml": "examples/onboarding/activities.py",
    "examples/order-fulfilment/workflow.yaml": "examples/order-fulfilment/activities.py",
    "examples/firmware-update/workflow.yaml": "examples/firmware-update/activities.py",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One damaged definition and the codes it was told; none: the mistake was missed."""

    source: str
    damage: Damage
    codes: tuple[str, ...]


def measure(seed: int, each: int) -> tuple[list[Outcome], dict[str, list[str]]]:
    """The outcomes of all damages, and what the undamaged definitions were told."""
    outcomes: list[Outcome] = []
    false_alarms: dict[str, list[str]] = {}
    for source, module in SOURCES.items():
        document = load_definition(ROOT / source).document
        assert document is not None
        activities = known_activities(module)
        told = compile_source(document, activities=activities).problems
        if told:
            false_alarms[source] = [str(problem) for problem in told]
        for damage in damages(document, activities, random.Random(f"{seed}/{source}"), each):
            problems = compile_source(damage.document, activities=activities).problems
            outcomes.append(Outcome(source, damage, tuple(problem.code for problem in problems)))
    return outcomes, false_alarms


def damages(
    document: dict[str, Any],
    activities: Mapping[str, ActivityDescription],
    chance: random.Random,
    number: int,
) -> Iterator[Damage]:
    """So many different damages, the kinds in turn, each at a place that chance takes."""
    seen = {orjson.dumps(document, option=orjson.OPT_SORT_KEYS)}
    made = 0
    pools: dict[str, list[Damage]] = {}
    for kind, candidates in KINDS.items():
        pool = list(candidates(document, activities, chance))
        chance.shuffle(pool)
        pools[kind] = pool
    while made < number and any(pools.values()):
        kinds = [kind for kind in pools if pools[kind]]
        chance.shuffle(kinds)
        for kind in kinds:
            damage = pools[kind].pop()
            key = orjson.dumps(damage.document, option=orjson.OPT_SORT_KEYS)
            if key not in seen and made < number:
                seen.add(key)
                made += 1
                yield damage


def known_activities(module: str) -> dict[str, ActivityDescription]:
    """The built-in activities and those of a module."""
    name = str(ROOT / module) if module.endswith(".py") else module
    registry = builtin_registry().include(discover([name], entry_point_group=None))
    return {activity.name: activity.description() for activity in registry}


def main() -> int:
    """Print a table of the kinds; 1 where an undamaged definition was told anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=50, help="damages of each definition")
    parser.add_argument("--missed", action="store_true", help="show every damage that was not found")
    options = parser.parse_args()
    outcomes, false_alarms = measure(options.seed, options.each)
    _print_table(outcomes)
    for outcome in outcomes if options.missed else ():
        if not outcome.codes:
            print(f"missed: {outcome.source}: {outcome.damage.kind}: {outcome.damage.what}")
    found = sum(1 for outcome in outcomes if outcome.codes)
    share = 100 * found / max(len(outcomes), 1)
    print(f"\n{found} of {len(outcomes)} mistakes found ({share:.1f} %), seed {options.seed}")
    print(f"undamaged definitions told anything: {len(false_alarms)} of {len(SOURCES)}")
    for source, told in false_alarms.items():
        print("\n".join([source, *(f"  {each}" for each in told)]))
    return 1 if false_alarms else 0


def _print_table(outcomes: list[Outcome]) -> None:
    made = Counter(outcome.damage.kind for outcome in outcomes)
    found = Counter(outcome.damage.kind for outcome in outcomes if outcome.codes)
    print(f"{'mistake':<44}{'made':>6}{'found':>7}   told by")
    for kind in KINDS:
        if not made[kind]:
            continue
        codes = Counter(
            code for outcome in outcomes if outcome.damage.kind == kind for code in set(outcome.codes)
        )
        told = ", ".join(code for code, _ in codes.most_common(3))
        print(f"{kind:<44}{made[kind]:>6}{found[kind]:>7}   {told}")


if __name__ == "__main__":
    sys.exit(main())
