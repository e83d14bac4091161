"""What tasks answer by their activities' schemas: the output itself, or what an integration's envelope makes of it."""

from collections.abc import Mapping
from typing import Any, Final

from stepwell_schemas.catalog import ActivityDescription

from stepwell_interpreter.program import Call, TaskStep

LAMBDA_INVOKE: Final = "lambda:invoke"


def answer_schema(call: Call, activities: Mapping[str, ActivityDescription]) -> Any:
    """The JSON Schema of a call's answer; None where nothing is known of it."""
    described = activities.get(call.activity)
    schema = None if described is None else described.output_schema
    if schema is None or call.integration != LAMBDA_INVOKE:
        return schema
    defined = {"$defs": schema["$defs"]} if isinstance(schema, Mapping) and "$defs" in schema else {}
    return {"type": "object", "required": ["Payload"], "properties": {"Payload": schema}, **defined}


def task_schema(step: TaskStep, activities: Mapping[str, ActivityDescription]) -> Any:
    """The JSON Schema of a task's result; None where nothing is known of it, as of what a token is called back with."""
    call = step.call
    if call is None or (step.callback and call.integration is not None) or step.submits:
        return None
    return answer_schema(call, activities)
