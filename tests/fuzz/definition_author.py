"""Writes random definitions of the native dialect, mostly sound ones: every state type, form, operator and function.

Everything comes from one `Random`, so that a seed is enough to have the same definition again.
"""

from collections.abc import Callable
from random import Random
from typing import Any

EVENTS = ("Seen", "Paid", "Gone")
ACTIVITIES = ("one", "two", "three", "device.events")
ERRORS = ("Broken", "Refused", "States.Timeout", "States.TaskFailed", "States.ALL", "States.BranchFailed")
MEMBERS = ("a", "b", "c.d", "list", "n", "text", "at")
MOST_DEPTH = 3
Arguments = Callable[[Callable[[], Any]], list[Any]]
CALLS: dict[str, Arguments] = {
    "$format": lambda it: ["{} and {}", it(), it()],
    "$concat": lambda it: [it(), it()],
    "$join": lambda it: [[it(), it()], "-"],
    "$split": lambda it: [it(), "-"],
    "$lower": lambda it: [it()],
    "$upper": lambda it: [it()],
    "$length": lambda it: [it()],
    "$keys": lambda it: [it()],
    "$merge": lambda it: [it(), it()],
    "$contains": lambda it: [it(), it()],
    "$unique": lambda it: [it()],
    "$range": lambda it: [it(), it(), it()],
    "$partition": lambda it: [it(), it()],
    "$at": lambda it: [it(), it(), it()],
    "$add": lambda it: [it(), it()],
    "$subtract": lambda it: [it(), it()],
    "$multiply": lambda it: [it(), it()],
    "$divide": lambda it: [it(), it()],
    "$min": lambda it: [it(), it()],
    "$max": lambda it: [it(), it()],
    "$round": lambda it: [it(), it()],
    "$parseJson": lambda it: [it()],
    "$toJson": lambda it: [it()],
    "$base64Encode": lambda it: [it()],
    "$base64Decode": lambda it: [it()],
    "$hash": lambda it: [it(), it()],
    "$uuid": lambda it: [],
    "$random": lambda it: [it(), it()],
    "$timeAdd": lambda it: [it(), it()],
    "$timeDiff": lambda it: [it(), it()],
    "$if": lambda it: [it(), it(), it()],
}


class DefinitionAuthor:
    """See the module's header. `definition()` gives one document."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._maps = 0

    def definition(self) -> dict[str, Any]:
        start_at, states = self._machine(MOST_DEPTH)
        document: dict[str, Any] = {"id": "fuzzed", "version": "1.0.0", "startAt": start_at, "states": states}
        document["events"] = {name: {} for name in EVENTS}
        document["configuration"] = self._some(
            timeout=lambda: self._duration(),
            taskTimeout=lambda: self._duration(),
            retry=lambda: [self._retry()],
            onError=lambda: self.random.choice(list(states)),
        ) | {"timeout": "P30D"}
        document |= self._some(
            start=lambda: {"on": list(EVENTS[:2]), "input": {"a": "$.event.data", "at": "$.event.time"}},
            input=lambda: {"type": "object", "properties": {member.split(".")[0]: {} for member in MEMBERS}},
            metadata=lambda: {"any": [1, None]},
            checks=lambda: {"ignore": [{"code": "unused-result", "reason": "it is meant"}]},
            tests=lambda: [{"name": "runs", "tasks": {"*": {"output": 1}}, "skip": "only its shape"}],
        )
        if self._chance(0.3):
            document["assert"] = [{"name": "holds", "always": self._condition(1)}]
        return document

    # -- machines ------------------------------------------------------------------------------------------

    def _machine(self, depth: int) -> tuple[str, dict[str, Any]]:
        names = [f"S{number}" for number in range(self.random.randint(1, 5))]
        states: dict[str, Any] = {}
        for place, name in enumerate(names):
            targets = names[place + 1 : place + 3] or None
            states[name] = self._state(names, targets, depth)
        if depth == MOST_DEPTH:
            # What is read from $.state must have been written, or the definition is refused.
            known = {f"$.state.{member}": f"$.input.{member}" for member in MEMBERS if self._chance(0.9)}
            states["First"] = {"type": "pass", "set": known, "next": names[0]}
            return "First", states
        return names[0], states

    def _state(self, names: list[str], targets: list[str] | None, depth: int) -> dict[str, Any]:
        kinds = ["task"] * 3 + ["wait"] * 3 + ["choice", "pass", "pass", "compensation"]
        if depth > 0:
            kinds += ["parallel", "map"] * 2
        if targets is None:
            kinds += ["succeed", "fail"] * 3
        kind = self.random.choice(kinds)
        if targets is None and kind == "choice":
            kind = "succeed"
        state: dict[str, Any] = {"type": kind} | getattr(self, f"_{kind}")(names, targets, depth)
        if kind in ("succeed", "fail", "choice"):
            return state
        if targets is None or self._chance(0.05):
            state["end"] = True
        else:
            state["next"] = targets[0] if self._chance(0.8) else self.random.choice(names)
        if kind != "pass":
            state |= {"resultPath": self._target() if self._chance(0.6) else None}
            state |= self._some(resultSelector=lambda: {"it": "$.result", "n": self._template(1)})
        return state | self._some(
            0.2 if targets else 0.03,
            catch=lambda: [self._some_catch(targets or names)],
            onError=lambda: self.random.choice(targets or names),
        )

    def _some_catch(self, names: list[str]) -> dict[str, Any]:
        catch = {"errors": [self.random.choice(ERRORS)], "next": self.random.choice(names)}
        return catch | self._some(resultPath=self._target)

    def _task(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        called = {"workflow": "child"} if self._chance(0.1) else {"activity": self.random.choice(ACTIVITIES)}
        return called | self._some(
            input=lambda: self._template(3),
            timeout=self._duration,
            heartbeat=self._duration,
            retry=lambda: [self._retry()],
            callback=lambda: "activity" in called,
            priority=lambda: 3,
            compensateWith=lambda: {"activity": "two", "input": {"was": "$.result", "n": self._template(1)}},
        )

    def _wait(self, names: list[str], targets: list[str] | None, depth: int) -> dict[str, Any]:
        form = self.random.choice(("duration", "timestamp", "event", "event", "anyOf", "allOf", "absence"))
        timed = {"timeout": self._duration()} | ({} if targets is None else {"timeoutNext": targets[-1]})
        timed |= self._some(**{"from": lambda: "now"})
        match form:
            case "duration":
                return {"duration": self._duration()}
            case "timestamp":
                late = ("2026-01-02T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "$.input.at")
                return {"timestamp": self.random.choice(late)}
            case "event":
                return self._event_wait() | timed
            case "absence":
                absent = self._event_wait() | {"for": self._duration()}
                absent.pop("count", None)
                return {"absence": absent} | timed
            case _:
                waits = {name: self._event_wait() for name in ("x", "y")}
                if form == "anyOf" and targets:
                    waits["x"]["next"] = targets[-1]
                return {form: waits} | timed

    def _event_wait(self) -> dict[str, Any]:
        return {"event": self.random.choice(EVENTS)} | self._some(
            match=lambda: {"n": self.random.choice((1, "1", "$.input.n", None, {"deep": [1]}))},
            where=lambda: self._condition(1, ("$.event.data.n", "$.event.type", "$.input.a")),
            count=lambda: self.random.randint(1, 3),
        )

    def _choice(self, names: list[str], targets: list[str], depth: int) -> dict[str, Any]:
        rules = [self._condition(3) | {"next": target} for target in targets]
        return {"choices": rules} | ({"default": targets[-1]} if self._chance(0.8) else {})

    def _parallel(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        branches = {}
        for name in ("left", "right")[: self.random.randint(1, 2)]:
            start_at, states = self._machine(depth - 1)
            branches[name] = {"startAt": start_at, "states": states}
        failure = self.random.choice(("failFast", "collect", {"quorum": 1}))
        return {"branches": branches, "failure": failure} | self._some(
            timeout=self._duration, retry=lambda: [self._retry()]
        )

    def _map(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        self._maps += 1
        start_at, states = self._machine(depth - 1)
        self._maps -= 1
        items = self.random.choice(([1, 2, 3], "$.input.list", "$.input", [], {"$range": [1, "$.input.n"]}))
        return {"items": items, "startAt": start_at, "states": states} | self._some(
            maxConcurrency=lambda: self.random.randint(0, 2),
            batchSize=lambda: 2,
            timeout=self._duration,
            tolerate=lambda: self.random.choice(({"count": 1}, {"percent": 50})),
            retry=lambda: [self._retry()],
        )

    def _compensation(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        steps: Any = "auto"
        if self._chance(0.4):
            steps = [
                {"activity": "two", "input": self._template(1)} | self._some(when=lambda: self._condition(1))
            ]
        return {"steps": steps} | self._some(
            scope=lambda: self.random.choice(("instance", "branch")) if steps == "auto" else "instance",
            continueOnError=lambda: self._chance(0.5),
            retry=lambda: [self._retry()],
        )

    def _pass(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        return {"set": {self._target(): self._template(3) for _ in range(self.random.randint(1, 3))}}

    def _succeed(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        return self._some(output=lambda: self._template(3))

    def _fail(self, names: list[str], targets: Any, depth: int) -> dict[str, Any]:
        return {"error": self.random.choice(("Ended", "$.input.text")), "cause": self._template(1)}

    # -- values --------------------------------------------------------------------------------------------

    def _template(self, depth: int) -> Any:
        if depth == 0 or self._chance(0.3):
            return self._leaf()
        kind = self.random.random()
        if kind < 0.25:
            return {"a": self._template(depth - 1), "$$b": self._template(depth - 1)}
        if kind < 0.35:
            return [self._template(depth - 1)]
        if kind < 0.5:
            return {"$path": f"$.state.{self.random.choice(MEMBERS)}", "$default": self._template(depth - 1)}
        if kind < 0.55:
            return {"$if": [self._condition(1), self._template(depth - 1), self._template(depth - 1)]}
        if self._chance(0.6):
            return self._leaf()
        name = self.random.choice(list(CALLS))
        return {name: CALLS[name](lambda: self._argument(depth - 1))}

    def _argument(self, depth: int) -> Any:
        """Of a kind that only the run tells; constants of a wrong kind are refused at upload."""
        if self._chance(0.1):
            return self._template(depth)
        return {"$path": f"$.input.{self.random.choice(MEMBERS)}", "$default": "$.input.text"}

    def _leaf(self) -> Any:
        paths = [f"$.input.{member}" for member in MEMBERS]
        paths += [
            "$.input",
            "$.system.now",
            "$.system.attempt",
            "$.input..*",
            "$.input.list[?@ > 1]",
            "$.input.list[::2]",
        ]
        paths += ["$.item", "$.index"] if self._maps else []
        values = [
            None,
            True,
            0,
            -1,
            3,
            2.5,
            2**53,
            1e308,
            "",
            "text",
            "a-b",
            "$$.x",
            "é😀",
            "2026-01-01T00:00:00Z",
        ]
        return self.random.choice(
            paths if self._chance(0.6) else [*values, "PT5M", [1, 2], {"a": 1}, "[1]", "bWU="]
        )

    def _condition(self, depth: int, variables: tuple[str, ...] = ()) -> dict[str, Any]:
        if depth > 0 and self._chance(0.3):
            parts = [self._condition(depth - 1, variables) for _ in range(2)]
            return self.random.choice(({"and": parts}, {"or": parts}, {"not": parts[0]}))
        variable = self.random.choice(
            variables or ("$.input.a", "$.input.text", "$.input.list", "$.input.at", "$.system.now")
        )
        operators: dict[str, Callable[[], Any]] = {
            **dict.fromkeys(("equals", "notEquals"), self._leaf),
            **dict.fromkeys(
                ("greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"), lambda: 2
            ),
            **dict.fromkeys(("before", "after"), lambda: "2026-01-01T00:00:00Z"),
            **dict.fromkeys(("startsWith", "endsWith"), lambda: "t"),
            **dict.fromkeys(
                ("isNull", "isPresent", "isString", "isNumber", "isBoolean"), lambda: self._chance(0.5)
            ),
            **dict.fromkeys(("isObject", "isArray", "isTimestamp"), lambda: self._chance(0.5)),
            "contains": self._leaf,
            "matches": lambda: self.random.choice(("*t*", "**", "a\\*", "*" * 20 + "x")),
            "in": lambda: [1, "text", None],
        }
        operator = self.random.choice(list(operators))
        return {"variable": variable, operator: operators[operator]()}

    def _duration(self) -> Any:
        return self.random.choice(
            (0, 1, 0.5, "PT5M", "P1D", "PT0S", "$.input.n", "$.input.text", {"$add": [1, "$.input.n"]})
        )

    def _retry(self) -> dict[str, Any]:
        return {"maxAttempts": self.random.randint(0, 2)} | self._some(
            errors=lambda: [self.random.choice(ERRORS)],
            initialInterval=self._duration,
            maxInterval=lambda: 5,
            jitter=lambda: "full",
            backoffCoefficient=lambda: self.random.choice((1, 2.5, 1e308)),
        )

    def _target(self) -> str:
        return f"$.state.{self.random.choice(MEMBERS)}"

    def _chance(self, likely: float) -> bool:
        return self.random.random() < likely

    def _some(self, likely: float = 0.3, /, **makers: Any) -> dict[str, Any]:
        """Some of the members, each made only if it is taken."""
        return {name: make() for name, make in makers.items() if self._chance(likely)}
