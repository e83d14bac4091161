"""Builds pydantic models of documents that a schema has judged already; what a model still refuses becomes findings."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stepwell_schemas.problems import Finding, PathInDocument

Model = TypeVar("Model", bound=BaseModel)


def built(model: type[Model], document: dict[str, Any]) -> tuple[Model | None, list[Finding]]:
    """The model of a document; models know a few things that a schema cannot say, such as the days of a month."""
    try:
        return model.model_validate(document), []
    except ValidationError as error:
        return None, [
            Finding(
                "bad-value",
                detail["msg"].removeprefix("Value error, "),
                _path_in(document, detail["loc"]),
            )
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        ]


def _path_in(document: Any, location: tuple[str | int, ...]) -> PathInDocument:
    """Pydantic's location without the tags of unions and validators, which the document does not have."""
    path: PathInDocument = ()
    for part in location:
        if isinstance(document, dict) and part in document:
            document = document[str(part)]
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            document = document[part]
        else:
            continue
        path = (*path, part)
    return path
