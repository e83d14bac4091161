"""Writes the JSON Schemas that other tools read (`python -m stepwell_schemas.publish`), and reads them back.

`published/` is generated and kept in the repository; a test holds it equal to what the models say.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from stepwell_schemas.asl_upload import asl_upload_schema
from stepwell_schemas.event_schema import event_schema
from stepwell_schemas.scenario_schema import scenario_schema
from stepwell_schemas.stored_schema import command_schema, history_schema, instance_schema, record_schema
from stepwell_schemas.workflow_schema import workflow_schema

FOLDER = Path(__file__).parent / "published"


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by its file's name."""
    return {
        "workflow.schema.json": workflow_schema(),
        "asl-upload.schema.json": asl_upload_schema(),
        "scenarios.schema.json": scenario_schema(),
        "event.schema.json": event_schema(),
        "record.schema.json": record_schema(),
        "command.schema.json": command_schema(),
        "instance.schema.json": instance_schema(),
        "history.schema.json": history_schema(),
    }


def published(name: str) -> dict[str, Any]:
    """The content of a published file, for instance `workflow.schema.json`. Raises FileNotFoundError."""
    content: dict[str, Any] = json.loads(_text_of(name))
    return content


def rendered(schema: dict[str, Any]) -> str:
    """The text of a published file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all files anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(rendered(schema), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


@cache
def _text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
