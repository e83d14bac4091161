"""What a definition and its surroundings say of types: the input, the events, the activities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.conditions import Condition
from stepwell_schemas.workflow import WorkflowDefinition

from stepwell_interpreter.verification.schema_shapes import shape_of
from stepwell_interpreter.verification.shapes import (
    ANY,
    NUMBER,
    OBJECT,
    TEXT,
    Member,
    Shape,
    closed,
)

TEXT_OR_NULL = Shape(frozenset({"text", "null"}))
CAUGHT = closed(error=TEXT, cause=TEXT)
ERROR = closed(error=TEXT, cause=TEXT, state=TEXT)
SYSTEM = closed(
    now=TEXT,
    instanceId=TEXT,
    definition=TEXT,
    version=TEXT,
    startedAt=TEXT,
    stateName=TEXT,
    attempt=NUMBER,
    device=TEXT_OR_NULL,
)


@dataclass
class Facts:
    """Shapes by name, each worked out once."""

    definition: WorkflowDefinition
    activities: Mapping[str, ActivityDescription]
    _inputs: dict[str, Shape] = field(default_factory=dict)
    _outputs: dict[str, Shape] = field(default_factory=dict)
    _events: dict[str, Shape] = field(default_factory=dict)
    _conditions: dict[int, Any] = field(default_factory=dict)

    @cached_property
    def input(self) -> Shape:
        """The instance's input."""
        return ANY if self.definition.input is None else shape_of(self.definition.input, "$.input")

    @cached_property
    def environment(self) -> Shape:
        """What the first state sees."""
        return closed(input=self.input, state=closed(), system=SYSTEM)

    @cached_property
    def undone_by(self) -> dict[str, list[str]]:
        """Activity -> the activities that are declared to undo it."""
        partners: dict[str, list[str]] = {}
        for name in self.activities:
            described = self.activities.get(name)
            if described is not None and described.compensates is not None:
                partners.setdefault(described.compensates, []).append(name)
        return partners

    def activity_input(self, name: str) -> Shape:
        """What an activity takes."""
        if name not in self._inputs:
            described = self.activities.get(name)
            schema = None if described is None else described.input_schema
            self._inputs[name] = ANY if schema is None else shape_of(schema, f"the input of {name}")
        return self._inputs[name]

    def activity_output(self, name: str) -> Shape:
        """What an activity gives."""
        if name not in self._outputs:
            described = self.activities.get(name)
            schema = None if described is None else described.output_schema
            self._outputs[name] = ANY if schema is None else shape_of(schema, f"the result of {name}")
        return self._outputs[name]

    def event_data(self, type: str) -> Shape:
        """The data of an event."""
        if type not in self._events:
            schema = self.definition.events.get(type)
            self._events[type] = ANY if schema is None else shape_of(schema, f"the data of {type}")
        return self._events[type]

    def event(self, type: str, *, of_device: bool = False) -> Shape:
        """What `$.event` is for an event of this type; `of_device`: it certainly has a device."""
        document = closed(
            id=TEXT,
            source=TEXT,
            type=TEXT,
            device=TEXT if of_device else TEXT_OR_NULL,
            time=TEXT_OR_NULL,
            data=self.event_data(type),
            received=NUMBER,
        )
        optional = {"sequence": Member(NUMBER, False), "extensions": Member(OBJECT, False)}
        return Shape(document.kinds, {**document.members, **optional}, "closed")

    def document_of(self, condition: Condition) -> Any:
        """A condition in its document form."""
        # Models live as long as the definition, which is held here: an id names one of them.
        known = self._conditions.get(id(condition))
        if known is None:
            known = condition.model_dump(by_alias=True, exclude_unset=True)
            self._conditions[id(condition)] = known
        return known


def with_root(environment: Shape, **roots: Shape) -> Shape:
    """The environment with more names in scope."""
    more = {name: Member(shape) for name, shape in roots.items()}
    return Shape(environment.kinds, {**environment.members, **more}, "closed")
