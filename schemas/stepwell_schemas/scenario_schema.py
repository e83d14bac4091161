"""The JSON Schema of a scenario file, derived from the models; editors and our own check read it.

The scenarios inside a definition have the same shape, as part of the definition's schema.
"""

from typing import Any

from stepwell_schemas.scenario import ScenarioFile
from stepwell_schemas.workflow_schema import DIALECT, tidy

SCHEMA_ID = "urn:stepwell:schema:scenarios"


def scenario_schema() -> dict[str, Any]:
    """The published schema of `NAME.tests.yaml`. A new object at each call."""
    generated = ScenarioFile.model_json_schema(by_alias=True, mode="validation")
    definitions = {name: tidy(schema) for name, schema in generated.pop("$defs").items()}
    root = tidy(generated)
    root["title"] = "Stepwell scenarios"
    return {"$schema": DIALECT, "$id": SCHEMA_ID, **root, "$defs": dict(sorted(definitions.items()))}
