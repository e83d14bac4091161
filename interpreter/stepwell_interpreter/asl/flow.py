"""How data goes through an ASL state: from `InputPath` to `OutputPath`, or from `Arguments` to `Output`, and `Assign`.

A value runs from state to state (`Frame.data`); variables are kept in the frame of the machine that assigned them.
The order of the steps is that of https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepwell_schemas.instance import Frame

from stepwell_interpreter.agenda import Ended, Failed
from stepwell_interpreter.asl.context import context_of
from stepwell_interpreter.asl.scope import AslFailure, AslScope
from stepwell_interpreter.draft import Draft, json_size
from stepwell_interpreter.failures import (
    DATA_LIMIT_EXCEEDED,
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    NO_CHOICE_MATCHED,
    TIMEOUT,
    StateFailure,
)
from stepwell_interpreter.program import CatchRule, MapStep, Step, TaskStep
from stepwell_interpreter.trace import note

MAX_PAYLOAD_BYTES: Final = 262_144
"""Of what a state hands on, as UTF-8: the quota of AWS."""

BYTES_OF_A_VALUE: Final = 64
"""Handing on so much counts as the visit of one value, in the bound of one decision's work."""

Evaluate = Callable[[AslScope], Any]
Assignments = Callable[[AslScope], dict[str, Any]]
ResultPath = Callable[[AslScope, Any, Any], Any]

_NO_TRANSITION = "Failed to transition out of the state. The state does not point to a next state."
_TOO_MANY_FAILED = "The specified tolerated failure threshold was exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class AslFlow:
    """The data steps of one state; each is None where the state does not have it.

    `passes`: the state has no result of its own, what goes in goes on. `resource` names the state in the cause of
    a result that is too large.
    """

    passes: bool = False
    input_path: Evaluate | None = None
    payload: Evaluate | None = None
    """Parameters or Arguments."""
    selector: Evaluate | None = None
    result_path: ResultPath | None = None
    output_path: Evaluate | None = None
    output: Evaluate | None = None
    assign: Assignments | None = None
    item_selector: Evaluate | None = None
    batcher: Callable[[AslScope, list[Any]], list[Any]] | None = None
    flatten: bool = False
    """Whether the lists among a Map's results are taken apart."""
    jsonata: bool = False
    told: bool = True
    """Whether the trace tells inputs and outputs."""
    resource: str | None = None

    def scope(self, draft: Draft, frame: Frame, purpose: str) -> AslScope:
        return self._scope(draft, frame, purpose, lambda: context_of(draft, frame))

    def begin(self, draft: Draft, frame: Frame, step: Step) -> Any:
        scope = self.scope(draft, frame, "input")
        return scope.data if self.payload is None else self.payload(scope)

    def again(self, draft: Draft, frame: Frame, step: TaskStep) -> Any:
        return self.begin(draft, frame, step)

    def keep(self, draft: Draft, frame: Frame, step: Step, result: Any, event: Any) -> Any:
        scope = self.scope(draft, frame, "result")
        if self.passes:
            result = scope.data
        elif self.selector is not None:
            scope.data = result
            result = self.selector(scope)
        scope.data = result
        if self.jsonata:
            return self._keep_jsonata(draft, frame, scope, result)
        assigned = None if self.assign is None else self.assign(scope)
        output = result
        if self.result_path is not None:
            output = self.result_path(scope, frame.data, result)
        if self.output_path is not None:
            scope.data = output
            output = self.output_path(scope)
        return self._hand_on(draft, frame, output, assigned)

    def caught(self, draft: Draft, frame: Frame, rule: CatchRule, failed: Failed) -> Any:
        scope = self.scope(draft, frame, "catch")
        error = {"Error": failed.error, "Cause": failed.cause}
        catch: CatchFlow = rule.data
        scope.error = error
        scope.data = error
        assigned = None if catch.assign is None else catch.assign(scope)
        if catch.output is not None:
            output = catch.output(scope)
        elif catch.result_path is not None:
            output = catch.result_path(scope, frame.data, error)
        else:
            output = error
        return self._hand_on(draft, frame, output, assigned)

    def hand(self, frame: Frame, value: Any) -> None:
        frame.data = value

    def item(self, draft: Draft, frame: Frame, step: MapStep, index: int, item: Any) -> Any:
        if self.item_selector is None or self.batcher is not None:
            return item
        return self._selected(draft, frame, index, item)

    def failure(self, draft: Draft, frame: Frame, failure: StateFailure) -> Failed:
        error, cause = failure.error, failure.cause
        if isinstance(failure, AslFailure):
            if failure.evaluation:
                location = {} if failure.location is None else {"location": failure.location}
                note(draft, "EvaluationFailed", frame, error=error, cause=cause, **location)
        elif error == NO_CHOICE_MATCHED:
            cause = self.scope(draft, frame, "failure").failure(error, _NO_TRANSITION).cause
        return Failed(frame, error, cause, attempted=True)

    def gave_up(self, draft: Draft, frame: Frame, step: Step, failed: Failed) -> None:
        if step.kind in ("parallel", "map"):
            note(draft, f"{step.word}StateFailed", frame, error=failed.error, cause=failed.cause)

    def tell(self, draft: Draft, type: str, frame: Frame, **details: Any) -> None:
        note(draft, type, frame, **details)

    def entered(self, draft: Draft, frame: Frame, entry: dict[str, Any]) -> None:
        # The entry that is being written gets the next number; the causes of this state's failures name it.
        frame.work["entered"] = draft.instance.events + 1 if self.told else 2
        if self.told:
            entry["input"] = frame.data

    def exited(self, frame: Frame, entry: dict[str, Any]) -> None:
        if self.told:
            entry["output"] = frame.data
            assigned = frame.work.get("assigned")
            if assigned is not None:
                entry["assigned"] = assigned

    def units(self, draft: Draft, frame: Frame, step: MapStep, items: list[Any]) -> list[Any]:
        if self.batcher is None:
            return items
        if self.item_selector is not None:
            items = [self._selected(draft, frame, index, item) for index, item in enumerate(items)]
        return self.batcher(self.scope(draft, frame, "batch"), items)

    def results(self, results: list[Any]) -> Any:
        if not self.flatten:
            return results
        return [item for result in results for item in (result if isinstance(result, list) else [result])]

    def failed_item(self, ended: Ended) -> Any:
        return {"Error": ended.error, "Cause": ended.cause}

    def map_failure(self, frame: Frame, step: MapStep, ended: Ended) -> Failed:
        if step.apart:
            return Failed(frame, EXCEED_TOLERATED_FAILURE_THRESHOLD, _TOO_MANY_FAILED, attempted=True)
        return Failed(frame, ended.error, ended.cause, attempted=True)

    def branches(self, results: dict[str, Any]) -> Any:
        return list(results.values())

    def branch_cause(self, branch: str, cause: str | None) -> str | None:
        return cause

    def timed_out(self, error: str, cause: str) -> tuple[str, str]:
        # Recorded: a missing heartbeat is States.Timeout as well, and no timeout has a cause.
        return TIMEOUT, ""

    def result_problem(self, frame: Frame, result: Any) -> StateFailure | None:
        if json_size(result) <= MAX_PAYLOAD_BYTES:
            return None
        return _too_large(self.resource or frame.state)

    def _scope(
        self, draft: Draft, frame: Frame, purpose: str, context: Callable[[], Mapping[str, Any]]
    ) -> AslScope:
        scope = AslScope(
            state=frame.state,
            entered=frame.work.get("entered", 0),
            data=frame.data,
            input=frame.data,
            variables=lambda: _variables(draft, frame),
            context=context,
            now_ms=draft.now_ms,
            spend=draft.spend,
            seed=f"{draft.instance.seed}/{frame.visit}/{purpose}/{frame.work.get('number', 0)}",
        )
        if self.input_path is not None:
            scope.data = self.input_path(scope)
        return scope

    def _selected(self, draft: Draft, frame: Frame, index: int, item: Any) -> Any:
        assert self.item_selector is not None
        scope = self._scope(draft, frame, f"item{index}", lambda: context_of(draft, frame, index, item))
        return self.item_selector(scope)

    def _keep_jsonata(self, draft: Draft, frame: Frame, scope: AslScope, result: Any) -> Any:
        scope.data = frame.data
        if not self.passes:
            scope.result = result
        assigned = None if self.assign is None else self.assign(scope)
        output = result if self.output is None else self.output(scope)
        return self._hand_on(draft, frame, output, assigned)

    def _hand_on(self, draft: Draft, frame: Frame, output: Any, assigned: dict[str, Any] | None) -> Any:
        size = json_size(output)
        if size > MAX_PAYLOAD_BYTES:
            raise _too_large(frame.state)
        draft.spend(size // BYTES_OF_A_VALUE)
        if assigned is not None:
            frame.variables = {**(frame.variables or {}), **assigned}
            frame.work["assigned"] = assigned
        return output


@dataclass(frozen=True, slots=True)
class CatchFlow:
    """What a Catch keeps of an error. `result_path` None: the error itself goes on."""

    result_path: ResultPath | None = None
    output: Evaluate | None = None
    assign: Assignments | None = None


def _variables(draft: Draft, frame: Frame) -> dict[str, Any]:
    """The variables a frame sees: its own machine's, then those of the machines around it."""
    seen: list[dict[str, Any]] = []
    at: Frame | None = frame
    while at is not None:
        if at.variables:
            seen.append(at.variables)
        at = None if at.parent is None else draft.frames[at.parent]
    if len(seen) == 1:
        return seen[0]
    merged: dict[str, Any] = {}
    for variables in reversed(seen):
        merged.update(variables)
    return merged


def _too_large(what: str) -> StateFailure:
    limit = "the maximum number of bytes service limit"
    cause = f"The state/task '{what}' returned a result with a size exceeding {limit}."
    return AslFailure(DATA_LIMIT_EXCEEDED, cause)
