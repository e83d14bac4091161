"""Whatever is read becomes a value or a told problem, never an exception: definitions, scenarios, events, ASL."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from fuzz.amount import examples
from fuzz.mutation import garbled, mutated
from hypothesis import given
from hypothesis import strategies as st
from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.scenarios import load_scenarios, run_scenarios
from stepwell_schemas.cloudevents import EventRejected, parse_event
from stepwell_schemas.loader import load_definition

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted([*ROOT.glob("workflows/*.yaml"), *ROOT.glob("examples/*/*.yaml")])
SOURCES = [path.read_text(encoding="utf-8") for path in SHIPPED]
DEFINITIONS = [text for text in SOURCES if "\nstates:" in text]
SCENARIOS = [text for text in SOURCES if "\nstates:" not in text]
ASL: dict[str, Any] = {
    "id": "shipped",
    "version": "1.0.0",
    "type": "STANDARD",
    "resources": {"arn:x": "one"},
    "definition": {
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Task",
                "Resource": "arn:x",
                "Parameters": {"a.$": "States.Format('{}', $.x)"},
                "Next": "M",
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
            },
            "M": {
                "Type": "Map",
                "ItemsPath": "$.list",
                "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
                "Next": "C",
            },
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.x", "StringMatches": "a*", "Next": "J"}],
                "Default": "W",
            },
            "J": {
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": "{% $states.input.x & 'y' %}",
                "Next": "W",
            },
            "W": {"Type": "Wait", "Seconds": 1, "Next": "Z"},
            "Z": {"Type": "Succeed"},
        },
    },
}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/x",
    "type": "Seen",
    "subject": "d",
    "time": "2026-01-01T00:00:00Z",
    "sequence": 1,
    "data": {"a": [1]},
    "extra": "x",
    "datacontenttype": "application/json",
}
SEEDS = st.integers(0, 2**63)


def as_json(document: Any) -> bytes:
    """As JSON text; what JSON cannot say (half a surrogate pair) is escaped."""
    return json.dumps(document, default=str).encode()


def check_told(found: Compiled, source: str | bytes) -> None:
    """Accepted or told why not: each problem with its code, message and a place that is there."""
    assert found.accepted or found.problems
    lines = (source if isinstance(source, str) else source.decode("utf-8", "replace")).splitlines() or [""]
    for problem in found.problems:
        assert problem.code
        assert problem.message
        str(problem).encode()
        assert problem.line is None or 1 <= problem.line <= len(lines) + 1, problem
        assert problem.column is None or problem.column >= 1
        if found.loaded.document is not None and not found.loaded.completed:
            assert leads_somewhere(found.loaded.document, problem.pointer), problem


def leads_somewhere(document: Any, pointer: str) -> bool:
    """Whether a pointer leads to a value, or to a member that should be in one."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for place, part in enumerate(parts):
        if isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            return place >= len(parts) - 1
    return True


@examples(120)
@given(seed=SEEDS)
def test_a_damaged_definition_is_accepted_or_told_what_is_wrong(seed: int) -> None:
    random = Random(seed)
    document = mutated(yaml.safe_load(random.choice(DEFINITIONS)), random, random.choice((1, 1, 2, 5)))
    source = as_json(document)
    check_told(compile_source(source), source)


@examples(120)
@given(seed=SEEDS)
def test_a_garbled_definition_is_accepted_or_told_what_is_wrong(seed: int) -> None:
    random = Random(seed)
    text = random.choice(DEFINITIONS)
    if random.random() < 0.3:
        text = json.dumps(yaml.safe_load(text), indent=1, default=str)
    text = garbled(text, random, random.choice((1, 2, 8)))
    source = text.encode("utf-8", "surrogatepass") if random.random() < 0.5 else text
    check_told(compile_source(source), source)


@examples(80)
@given(seed=SEEDS)
def test_a_damaged_asl_upload_is_accepted_or_told_what_is_wrong(seed: int) -> None:
    random = Random(seed)
    source = as_json(mutated(ASL, random, random.choice((1, 2, 4))))
    check_told(compile_source(source), source)


@examples(60)
@given(seed=SEEDS)
def test_damaged_scenarios_are_run_or_told_what_is_wrong(seed: int) -> None:
    random = Random(seed)
    text = random.choice(SCENARIOS)
    damaged = garbled(text, random, 2)
    if random.random() < 0.7:
        damaged = as_json(mutated(yaml.safe_load(text), random, random.choice((1, 2, 4)))).decode()
    scenarios = load_scenarios(damaged, file="damaged.tests.yaml")
    found = compile_source(random.choice(DEFINITIONS))
    assert found.program is not None
    run_scenarios(found, scenarios, max_records=2_000)


@examples(150)
@given(
    raw=st.one_of(st.binary(max_size=200), st.text(max_size=100)),
    form=st.sampled_from(["yaml", "json", None]),
)
def test_any_bytes_or_text_are_told_what_is_wrong(raw: bytes | str, form: Any) -> None:
    found = load_definition(raw, format=form)
    assert found.definition is None
    assert found.problems


@examples(200)
@given(seed=SEEDS)
def test_a_damaged_event_is_taken_or_rejected(seed: int) -> None:
    random = Random(seed)
    raw = as_json(mutated(EVENT, random, random.choice((1, 2, 3))))
    if random.random() < 0.3:
        raw = garbled(raw.decode(), random, 2).encode("utf-8", "surrogatepass")
    try:
        event = parse_event(raw, 0)
    except EventRejected:
        return
    assert event.id
    as_json(event.document())


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "- " * 100_000, "{a: " * 100_000, "&a [" * 50_000]
)
def test_depth_without_end_is_told(text: str, form: Any) -> None:
    [problem] = load_definition(text, format=form).problems
    assert problem.code in ("too-deep", "yaml-syntax", "json-syntax")
