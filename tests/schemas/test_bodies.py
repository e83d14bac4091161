"""The API's bodies: camelCase on the wire, misspelt requests refused."""

import pytest
from pydantic import BaseModel, ValidationError
from stepwell_schemas import bodies


def test_a_request_is_read_in_camel_case() -> None:
    request = bodies.StartRequest.model_validate({"type": "onboarding", "instanceId": "order-17"})
    assert (request.instance_id, request.input, request.version, request.device) == (
        "order-17",
        {},
        None,
        None,
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": ""},
        {"type": "a", "instance": "x"},
        {"type": "a", "instanceId": "x~1"},
        {"type": "a", "instanceId": ""},
        {"type": "a", "instanceId": "a\n"},
        {"type": "a", "device": "x" * 257},
        {"type": 5},
    ],
)
def test_a_wrong_start_request_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        bodies.StartRequest.model_validate(body)


def test_an_answer_is_written_in_camel_case() -> None:
    links = bodies.Links(status="/s", events="/e", history="/h")
    answer = bodies.StartAnswer(instance_id="i", type="t", version=None, status="accepted", links=links)
    assert answer.model_dump()["instanceId"] == "i"


def test_every_key_of_every_body_is_camel_case() -> None:
    models = [
        model
        for model in vars(bodies).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == bodies.__name__
    ]
    assert len(models) > 20
    for model in models:
        for name, field in model.model_fields.items():
            assert "_" not in (field.alias or name), (model.__name__, name)
