"""Random definitions that the loader accepts: they run to an end or a wait, and no tool that reads them breaks.

What fails is told by its seed: `DefinitionAuthor(Random(seed)).definition()` is the definition.
"""

from random import Random
from xml.etree import ElementTree

from fuzz.amount import examples
from fuzz.definition_author import DefinitionAuthor
from fuzz.random_run import RandomRun
from hypothesis import given
from hypothesis import strategies as st
from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.decide import obligations
from stepwell_interpreter.drawing import dot, mermaid, svg
from stepwell_interpreter.exploration.explore import explore
from stepwell_interpreter.exploration.report import Bounds
from stepwell_interpreter.scenarios import load_scenarios, run_scenarios, scenarios_of
from stepwell_interpreter.scenarios.generating import generate
from stepwell_interpreter.scenarios.rewriting import new_file
from stepwell_schemas.instance import TERMINAL

SEEDS = st.integers(0, 2**63)


def compiled(seed: int) -> Compiled:
    return compile_source(DefinitionAuthor(Random(seed)).definition())


def test_most_of_the_definitions_that_are_written_are_accepted() -> None:
    accepted = sum(compiled(seed).accepted for seed in range(60))
    assert accepted >= 25  # the other tests would show nothing


@examples(60)
@given(seed=SEEDS)
def test_an_accepted_definition_runs_to_an_end_or_a_wait_whatever_happens_to_it(seed: int) -> None:
    program = compiled(seed).program
    if program is None:
        return
    for life in range(2):
        instance = RandomRun(program, Random(seed + life)).live(20)  # what is checked, it checks itself
        assert instance is None or instance.status in TERMINAL or obligations(instance)


@examples(25)
@given(seed=SEEDS)
def test_every_definition_can_be_drawn_even_one_that_is_refused(seed: int) -> None:
    document = DefinitionAuthor(Random(seed)).definition()
    ElementTree.fromstring(svg(document))
    assert "flowchart" in mermaid(document)
    assert dot(document).startswith("digraph")


@examples(6)
@given(seed=SEEDS)
def test_an_accepted_definition_can_be_explored(seed: int) -> None:
    found = compiled(seed)
    if found.program is not None:
        assert explore(found, bounds=Bounds(states=30, depth=20, values=2)).states >= 1


@examples(6)
@given(seed=SEEDS)
def test_the_scenarios_generated_for_an_accepted_definition_hold(seed: int) -> None:
    found = compiled(seed)
    if found.program is None:
        return
    generated = generate(found, max_plays=8)
    if generated.scenarios:
        scenarios = load_scenarios(new_file("fuzzed.yaml", generated.scenarios), file="fuzzed.tests.yaml")
        assert scenarios.problems == ()
        assert [each.verdict for each in run_scenarios(found, scenarios) if each.failed] == []
    run_scenarios(found, scenarios_of(found))
