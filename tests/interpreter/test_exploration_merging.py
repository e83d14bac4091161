"""States that are taken for one are alike: a search that merges nothing at all finds the same."""

import random
from typing import Any

import orjson
import pytest
from stepwell_interpreter.compile import AnyActivity, Compiled
from stepwell_interpreter.exploration import explore as exploring
from stepwell_interpreter.exploration.canonical import Canon
from stepwell_interpreter.exploration.report import Bounds, Exploration
from stepwell_interpreter.lower import lower
from stepwell_schemas.loader import load_definition

BOUNDS = Bounds(states=30_000, values=3, items=2)


class Apart(Canon):
    """Takes no two states for one."""

    made = 0

    def key(self, *_: Any) -> tuple[Any, ...]:
        self.made += 1
        return (self.made,)

    def twins(self, *_: Any) -> frozenset[str]:
        return frozenset()


def compiled(definition: dict[str, Any]) -> Compiled:
    document = {"id": "merged", "version": "1.0.0", **definition}
    loaded = load_definition(orjson.dumps(document), format="json")
    assert loaded.definition is not None, loaded.problems
    return Compiled(lower(loaded.definition, AnyActivity(), "merged"), (), loaded)


def found(result: Exploration) -> dict[str, Any]:
    """What must not depend on what was taken for one state. A shortest trace may be another one."""
    return {
        "findings": {
            (finding.code, finding.assertion, finding.message)
            for finding in (*result.violations, *result.warnings)
        },
        "statuses": set(result.coverage.statuses),
        "states": set(result.coverage.states),
        "transitions": result.coverage.transitions,
    }


def both(monkeypatch: pytest.MonkeyPatch, definition: dict[str, Any]) -> tuple[Exploration, Exploration]:
    made = compiled(definition)
    merged = exploring.explore(made, bounds=BOUNDS)
    with monkeypatch.context() as patch:
        patch.setattr(exploring, "Canon", Apart)
        return merged, exploring.explore(made, bounds=BOUNDS)


def ends(*names: str) -> dict[str, Any]:
    return {name: {"type": "succeed", "output": name.lower()} for name in names}


def possible(*outputs: str) -> list[dict[str, Any]]:
    return [{"name": out, "possible": {"variable": "$.run.output", "equals": out}} for out in outputs]


def first_good(first: bool, target: str) -> dict[str, Any]:
    """A choice of one where the first item went well and the second did not, or the other way round."""
    sides = [{"variable": f"$.state.r[{n}].ok", "equals": first is (n == 0)} for n in range(2)]
    return {"and": sides, "next": target}


NOTHING_UNDONE = {
    "and": [
        {"variable": "$.state.undone", "isPresent": True},
        {"variable": "$.state.undone.undone[0]", "isPresent": False},
    ]
}
CAUGHT_LATER = [{"errors": ["States.ALL"], "next": "Ok"}]
VISIT_OF_A_USER = {
    "input": {
        "type": "object",
        "required": ["visit"],
        "properties": {"visit": {"enum": [1, 4, 9]}},
        "additionalProperties": False,
    },
    "startAt": "T",
    "states": {
        "T": {"type": "task", "activity": "t", "retry": [], "next": "C"},
        "C": {
            "type": "choice",
            "choices": [{"variable": "$.input.visit", "greaterThan": 3, "next": "Bad"}],
            "default": "Ok",
        },
        **ends("Ok", "Bad"),
    },
    "assert": possible("ok", "bad"),
}
INPUT_AT_THE_END = {
    "input": {
        "type": "object",
        "required": ["tier"],
        "properties": {"tier": {"enum": ["basic", "gold"]}},
        "additionalProperties": False,
    },
    "startAt": "T",
    "states": {"T": {"type": "task", "activity": "t", "retry": [], "end": True}},
    "assert": [
        {
            "name": "gold fails",
            "when": {"variable": "$.input.tier", "equals": "gold"},
            "atEnd": {"variable": "$.run.status", "equals": "failed"},
        }
    ],
}
WHICH_UNDO_FAILED = {
    "startAt": "U",
    "states": {
        "U": {
            "type": "compensation",
            "steps": [{"activity": "x.a"}, {"activity": "x.b"}, {"activity": "x.c"}],
            "retry": [],
            "resultPath": "$.state.u",
            "next": "Two",
        },
        "Two": {
            "type": "choice",
            "choices": [
                {"variable": "$.state.u.failed[1]", "isPresent": True, "next": "Ok"},
                {"variable": "$.state.u.failed[0]", "isPresent": True, "next": "Which"},
            ],
            "default": "Ok",
        },
        "Which": {
            "type": "choice",
            "choices": [{"variable": "$.state.u.failed[0].activity", "equals": "x.a", "next": "Bad"}],
            "default": "Ok",
        },
        **ends("Ok", "Bad"),
    },
    "assert": possible("ok", "bad"),
}
ORDER_OF_RESULTS = {
    "startAt": "M",
    "states": {
        "M": {
            "type": "map",
            "items": ["a", "b", "c"],
            "maxConcurrency": 1,
            "startAt": "T",
            "states": {
                "T": {
                    "type": "task", "activity": "t", "input": {"i": "$.item"}, "retry": [],
                    "resultSelector": {"ok": "$.result.ok"}, "end": True,
                }
            },
            "resultPath": "$.state.r",
            "next": "C",
        },
        "C": {"type": "choice", "choices": [first_good(True, "P"), first_good(False, "Q")], "default": "Ok"},
        **ends("Ok", "P", "Q"),
    },
    "assert": possible("ok", "p", "q"),
}  # fmt: skip


ORDER_OF_EQUAL_ITEMS = orjson.loads(
    orjson.dumps(ORDER_OF_RESULTS).replace(b'"items":["a","b","c"]', b'"items":["a","a"]')
)
INDEX = {
    "startAt": "M",
    "states": {
        "M": {
            "type": "map",
            "items": ["a", "a"],
            "maxConcurrency": 2,
            "startAt": "C",
            "states": {
                "C": {
                    "type": "choice",
                    "choices": [{"variable": "$.index", "equals": 1, "next": "X"}],
                    "default": "Skip",
                },
                "X": {"type": "task", "activity": "x", "retry": [], "end": True},
                "Skip": {"type": "task", "activity": "y", "retry": [], "end": True},
            },
            "resultPath": None,
            "next": "Ok",
        },
        **ends("Ok"),
    },
    "assert": [{"name": "x", "possible": {"variable": "$.run.calls.x", "equals": 1}}],
}
ROUNDS = {
    "startAt": "W1",
    "states": {
        **{
            name: step
            for n in (1, 2, 3)
            for name, step in {
                f"W{n}": {
                    "type": "wait", "event": "E", "timeout": "PT1M", "timeoutNext": f"A{n}", "resultPath": None,
                    "next": f"B{n}",
                },
                **{
                    f"{kind}{n}": {
                        "type": "task", "activity": kind.lower(), "compensateWith": {"activity": f"undo.{kind}"},
                        "retry": [], "resultPath": None, "catch": CAUGHT_LATER, "next": f"W{n + 1}" if n < 3 else "U",
                    }
                    for kind in "AB"
                },
            }.items()
        },
        "U": {"type": "compensation", "retry": [], "resultPath": "$.state.u", "next": "C"},
        "C": {
            "type": "choice",
            "choices": [
                {
                    "and": [
                        {"variable": f"$.state.u.undone[{n}].activity", "equals": f"undo.{kind}"}
                        for n, kind in enumerate(kinds)
                    ],
                    "next": kinds,
                }
                for kinds in ("AAB", "ABA", "BAA", "BBA")
            ],
            "default": "Ok",
        },
        **ends("Ok", "AAB", "ABA", "BAA", "BBA"),
    },
    "assert": possible("aab", "aba", "baa", "bba"),
}  # fmt: skip
CAUGHT = [{"errors": ["States.ALL"], "next": "U"}]
WHAT_IS_TO_BE_UNDONE = {
    "startAt": "W",
    "states": {
        "W": {"type": "wait", "event": "E", "timeout": "PT1M", "timeoutNext": "X", "resultPath": None, "next": "S"},
        "S": {
            "type": "task", "activity": "s", "compensateWith": {"activity": "undo.s"}, "retry": [],
            "resultPath": None, "next": "X",
        },
        "X": {"type": "task", "activity": "x", "retry": [], "catch": CAUGHT, "next": "Ok"},
        "U": {"type": "compensation", "retry": [], "resultPath": "$.state.undone", "next": "C"},
        "C": {"type": "choice", "choices": [{**NOTHING_UNDONE, "next": "Bare"}], "default": "Undone"},
        **ends("Ok", "Bare", "Undone"),
    },
    "assert": possible("ok", "bare", "undone"),
}  # fmt: skip


@pytest.mark.parametrize(
    "definition",
    [
        VISIT_OF_A_USER, INPUT_AT_THE_END, WHICH_UNDO_FAILED, ORDER_OF_RESULTS, ORDER_OF_EQUAL_ITEMS, INDEX,
        WHAT_IS_TO_BE_UNDONE, ROUNDS,
    ],
    ids=[
        "a member named visit", "input at the end", "which undo failed", "order of results", "of equal items",
        "index", "the undo log", "order of undos",
    ],
)  # fmt: skip
def test_merging_hides_nothing(monkeypatch: pytest.MonkeyPatch, definition: dict[str, Any]) -> None:
    merged, apart = both(monkeypatch, definition)
    assert apart.complete
    assert found(merged) == found(apart)


@pytest.mark.laborious
def test_merging_hides_nothing_in_random_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    for seed in range(24):
        definition = random_definition(random.Random(seed))
        merged, apart = both(monkeypatch, definition)
        if apart.complete:
            assert found(merged) == found(apart), f"seed {seed}: {definition}"
            compared += merged.states < apart.states
    assert compared >= 12


def random_definition(chance: random.Random) -> dict[str, Any]:
    """A few steps without a loop, choices on what they have left behind, and assertions on where it ends."""
    names = [f"S{number}" for number in range(chance.randint(2, 3))]
    states: dict[str, Any] = {}
    for name, after in zip(names, [*names[1:], "Which"], strict=True):
        states[name] = {**chance.choice(STEPS)(name, chance), "next": after}
        if states[name]["type"] == "task" and chance.random() < 0.5:
            states[name] |= {"resultPath": None, "catch": [{"errors": ["States.ALL"], "next": after}]}
    choices = [
        {"variable": path, "equals": wanted, "next": target}
        for target in ("A", "B")
        for path, wanted in [
            (chance.choice(PATHS).format(chance.choice(names)), chance.choice([True, False, "x"]))
        ]
    ]
    states["Which"] = {"type": "choice", "choices": choices, "default": "C"}
    states["Lost"] = {"type": "compensation", "resultPath": "$.state.undone", "next": "D"}
    return {
        "input": {
            "type": "object",
            "required": ["flag"],
            "properties": {"flag": {"type": "boolean"}},
            "additionalProperties": False,
        },
        "configuration": {"onError": "Lost"},
        "startAt": names[0],
        "states": states | ends("A", "B", "C", "D"),
        "assert": possible("a", "b", "c", "d")
        + [
            {
                "name": f"{name} undone",
                "possible": {"variable": "$.state.undone.undone[0].activity", "equals": f"undo{name}"},
            }
            for name in names
        ]
        + [{"name": "nothing undone", "possible": NOTHING_UNDONE}]
        + [
            {
                "name": "flag",
                "when": {"variable": "$.input.flag", "equals": True},
                "atEnd": {"variable": "$.run.output", "equals": chance.choice("abcd")},
            }
        ],
    }


PATHS = ("$.state.{0}.ok", "$.state.{0}.b1.ok", "$.state.{0}[0].ok", "$.state.{0}[1].ok", "$.input.flag")


def one_task(name: str, chance: random.Random) -> dict[str, Any]:
    undo = {"compensateWith": {"activity": f"undo{name}"}} if chance.random() < 0.5 else {}
    retry = [{"errors": ["States.ALL"], "maxAttempts": 1}] if chance.random() < 0.3 else []
    return {"type": "task", "activity": f"do{name}", "retry": retry, "resultPath": f"$.state.{name}", **undo}


def two_branches(name: str, chance: random.Random) -> dict[str, Any]:
    branches = {}
    for branch in ("b1", "b2"):
        step = {**one_task(f"{name}{branch}", chance), "end": True}
        branches[branch] = {"startAt": f"{name}{branch}", "states": {f"{name}{branch}": step}}
    return {"type": "parallel", "branches": branches, "failure": "collect", "resultPath": f"$.state.{name}"}


def two_items(name: str, chance: random.Random) -> dict[str, Any]:
    step = {"type": "task", "activity": f"do{name}", "input": {"i": "$.item"}, "retry": [], "end": True}
    return {
        "type": "map",
        "items": [1, 2],
        "maxConcurrency": chance.choice([1, 2]),
        "startAt": f"{name}T",
        "states": {f"{name}T": step},
        "resultPath": f"$.state.{name}",
    }


def an_event(name: str, _: random.Random) -> dict[str, Any]:
    return {
        "type": "wait", "event": f"E{name}", "timeout": "PT1M", "timeoutNext": "Lost",
        "resultSelector": {"ok": "$.event.data.ok"}, "resultPath": f"$.state.{name}",
    }  # fmt: skip


STEPS = (one_task, two_branches, two_items, an_event)
