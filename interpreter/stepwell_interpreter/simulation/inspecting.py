"""Watching the data steps of one state: flows that do what the state's own flow does and note each value.

They also put in what a test gives beside the input: variables, `$.state`, an item, an error, a context object.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from stepwell_schemas.instance import Frame

from stepwell_interpreter.agenda import Failed
from stepwell_interpreter.asl.flow import AslFlow
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.data_flow import NativeFlow
from stepwell_interpreter.scope import MISSING

if TYPE_CHECKING:
    from stepwell_interpreter.draft import Draft
    from stepwell_interpreter.program import CatchRule, MapStep, Step


@dataclass(slots=True)
class Notes:
    """What is given to the state under test, and what was seen of it. `values` are in the order of the data steps."""

    variables: dict[str, Any]
    context: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    literal: bool = False
    """Whether the state, an ASL Pass, says its result itself."""
    items: "MapStep | None" = None
    """The map that a stand-in takes the place of: its items and limits are looked at as it begins."""
    output: Any = None
    catch_index: int | None = None

    def see(self, name: str, value: Any) -> Any:
        """Note a value; the value."""
        self.values[name] = value
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedAslFlow(AslFlow):
    """An ASL state's flow under inspection; the names are those of AWS's inspection data."""

    notes: Notes

    def entered(self, draft: "Draft", frame: Frame, entry: dict[str, Any]) -> None:
        if self.notes.variables and frame.variables is None:
            frame.variables = dict(self.notes.variables)
        self.notes.see("input", frame.data)
        AslFlow.entered(self, draft, frame, entry)

    def begin(self, draft: "Draft", frame: Frame, step: "Step") -> Any:
        scope = self.scope(draft, frame, "input")
        if not self.jsonata:
            self.notes.see("afterInputPath", scope.data)
        if self.notes.items is not None:
            return self._begin_map(draft, frame, self.notes.items)
        value = AslFlow.begin(self, draft, frame, step)
        if not self.jsonata:
            self.notes.see("afterParameters", value)
        elif self.payload is not None:
            self.notes.see("afterArguments", value)
        return value

    def keep(self, draft: "Draft", frame: Frame, step: "Step", result: Any, event: Any) -> Any:
        notes = self.notes
        if self.passes:
            if not self.jsonata:
                notes.see("afterInputPath", self.scope(draft, frame, "result").data)
        else:
            notes.see("result", result)
        if not self.jsonata and not self.passes:
            self._see_paths(draft, frame, result)
        notes.output = AslFlow.keep(self, draft, frame, step, result, event)
        if "assigned" in frame.work:
            notes.see("variables", frame.work["assigned"])
        return notes.output

    def caught(self, draft: "Draft", frame: Frame, rule: "CatchRule", failed: Failed) -> Any:
        self.notes.catch_index = draft.step(frame).catch.index(rule)
        self.notes.output = AslFlow.caught(self, draft, frame, rule, failed)
        return self.notes.output

    def _begin_map(self, draft: "Draft", frame: Frame, step: "MapStep") -> Any:
        # Step by step as an execution does it; what comes after a failure is not seen.
        items = step.items(self.scope(draft, frame, "items")) if step.reader is None else None
        if not self.jsonata and items is not None:
            self.notes.see("afterItemsPath", items)
        limits = step.limits(self.scope(draft, frame, "limits"))
        self.notes.see("limits", limits)
        if items is not None:
            self.notes.see("items", items)
            units = self.units(draft, frame, step, items)
            if self.item_selector is not None:
                selected = [self.item(draft, frame, step, index, item) for index, item in enumerate(units)]
                self.notes.see("afterItemSelector", selected)
        return {}

    def _see_paths(self, draft: "Draft", frame: Frame, result: Any) -> None:
        scope = self.scope(draft, frame, "result")
        if self.selector is not None:
            scope.data = result
            result = self.selector(scope)
        self.notes.see("afterResultSelector", result)
        scope.data = result
        if self.result_path is not None:
            result = self.result_path(scope, frame.data, result)
        self.notes.see("afterResultPath", result)

    # Named out in full: a slotted dataclass is made anew, which a bare super() does not survive.
    def _scope(
        self, draft: "Draft", frame: Frame, purpose: str, context: Callable[[], Mapping[str, Any]]
    ) -> AslScope:
        given = self.notes.context
        return AslFlow._scope(self, draft, frame, purpose, lambda: _merged(_as_tested(context()), given))


class InspectedNativeFlow(NativeFlow):
    """A native state's flow under inspection."""

    __slots__ = ("notes",)

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def entered(self, draft: "Draft", frame: Frame, entry: dict[str, Any]) -> None:
        if "input" not in self.notes.values:
            draft.instance.state = dict(self.notes.variables)
            frame.error = self.notes.context.get("error")

    def scope(self, draft: "Draft", frame: Frame, purpose: str) -> Any:
        scope = draft.scope(frame, purpose)
        scope.item = self.notes.context.get("item", MISSING)
        scope.index = self.notes.context.get("index", MISSING)
        return scope

    def begin(self, draft: "Draft", frame: Frame, step: "Step") -> Any:
        if self.notes.items is not None:
            items = self.notes.items.items(self.scope(draft, frame, "items"))
            return self.notes.see("items", items)
        template = getattr(step, "input", None)
        return self.notes.see(
            "input", {} if template is None else template(self.scope(draft, frame, "input"))
        )

    def keep(self, draft: "Draft", frame: Frame, step: "Step", result: Any, event: Any) -> Any:
        self.notes.see("result", result)
        if step.selector is not None:
            scope = self.scope(draft, frame, "result")
            scope.result = result
            scope.event = event
            result = self.notes.see("selected", step.selector(scope))
        if step.target is not None:
            draft.write(frame, step.target, result)
        self.notes.output = result
        return result

    def caught(self, draft: "Draft", frame: Frame, rule: "CatchRule", failed: Failed) -> Any:
        self.notes.catch_index = draft.step(frame).catch.index(rule)
        return super().caught(draft, frame, rule, failed)


def inspected(flow: Any, notes: Notes) -> Any:
    """The flow of either dialect under inspection."""
    if isinstance(flow, AslFlow):
        return InspectedAslFlow(
            **{each.name: getattr(flow, each.name) for each in fields(AslFlow)}, notes=notes
        )
    return InspectedNativeFlow(notes)


def _as_tested(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context object as TestState has it: that of an express execution, which is never redriven."""
    execution = {name: value for name, value in context["Execution"].items() if name != "RedriveCount"}
    execution["Id"] = execution["Id"].replace(":execution:", ":express:", 1)
    return {**context, "Execution": execution}


def _merged(found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(found)
    for name, value in given.items():
        there = merged.get(name)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        merged[name] = {**there, **value} if both else value  # type: ignore[dict-item]  # both are mappings
    return merged
