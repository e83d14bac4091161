"""From type hints to calls and schemas: every shape of parameter, and every type that is refused."""

import dataclasses
import socket
import sys
import typing
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NotRequired

import orjson
import pytest
from pydantic import BaseModel, ValidationError
from stepwell_activities.context import ActivityContext
from stepwell_activities.errors import InvalidActivity
from stepwell_activities.signature import Signature, signature_of
from typing_extensions import TypedDict


class Order(BaseModel):
    id: str
    amount: int = 1


@dataclasses.dataclass
class Point:
    x: float
    y: float


class OfTyping(typing.TypedDict):
    name: str


class Named(TypedDict):
    name: str
    age: NotRequired[int]


def of(function: Callable[..., Any]) -> Signature:
    return signature_of(function, "here")


def test_a_model_takes_the_whole_input() -> None:
    def work(order: Order) -> None: ...

    assert of(work).arguments({"id": "a"}) == {"order": Order(id="a")}
    schema = of(work).input_schema
    assert schema is not None
    assert schema["required"] == ["id"]


def test_a_dataclass_takes_the_whole_input() -> None:
    def work(point: Point) -> None: ...

    assert of(work).arguments({"x": 1, "y": 2.5}) == {"point": Point(1, 2.5)}


def test_a_typed_dict_takes_the_whole_input() -> None:
    def work(person: Named) -> None: ...

    assert of(work).arguments({"name": "Ada"}) == {"person": {"name": "Ada"}}
    with pytest.raises(ValidationError):
        of(work).arguments({"age": 3})


def test_a_parameter_without_annotation_takes_anything() -> None:
    def work(value): ...  # type: ignore[no-untyped-def]

    assert of(work).arguments([1, "a"]) == {"value": [1, "a"]}
    assert of(work).input_schema is None


def test_several_parameters_are_the_keys_of_an_object() -> None:
    def work(name: str, times: int = 2, *, loud: bool = False) -> None: ...

    signature = of(work)
    assert signature.arguments({"name": "a", "loud": True}) == {"name": "a", "loud": True}
    assert signature.input_schema is not None
    assert signature.input_schema["required"] == ["name"]
    assert signature.input_schema["additionalProperties"] is False
    assert signature.input_schema["properties"]["times"]["default"] == 2


def test_one_plain_parameter_is_a_key() -> None:
    def work(name: str) -> None: ...

    assert of(work).arguments({"name": "a"}) == {"name": "a"}


def test_an_unknown_key_is_refused_unless_there_are_keywords() -> None:
    def strict(name: str) -> None: ...
    def loose(name: str, **rest: Any) -> None: ...

    with pytest.raises(ValidationError, match="nam"):
        of(strict).arguments({"name": "a", "nam": "b"})
    assert of(loose).arguments({"name": "a", "more": 1}) == {"name": "a", "more": 1}


def test_a_text_is_not_a_number() -> None:
    def work(times: int, until: datetime) -> None: ...

    with pytest.raises(ValidationError, match="integer"):
        of(work).arguments({"times": "3", "until": "2026-01-01T00:00:00Z"})
    assert of(work).arguments({"times": 3, "until": "2026-01-01T00:00:00Z"})["until"].year == 2026


def test_the_context_is_no_part_of_the_input() -> None:
    def work(context: ActivityContext, name: str) -> None: ...
    def optional(order: Order, ctx: ActivityContext | None = None) -> None: ...

    assert of(work).context == "context"
    assert of(work).arguments({"name": "a"}) == {"name": "a"}
    assert of(optional).context == "ctx"
    assert of(optional).whole == "order"


def test_without_required_keys_no_input_will_do() -> None:
    def work(times: int = 2) -> None: ...
    def nothing() -> None: ...

    assert of(work).arguments(None) == {}
    assert of(nothing).arguments({"anything": 1}) == {}


def test_models_and_plain_values_become_json() -> None:
    def model() -> Order: ...  # type: ignore[empty-body]
    def anything(): ...  # type: ignore[no-untyped-def]

    assert orjson.loads(of(model).output_json(Order(id="a"))) == {"id": "a", "amount": 1}
    assert orjson.loads(of(model).output_json({"id": "a"})) == {"id": "a", "amount": 1}
    assert orjson.loads(of(anything).output_json({"at": Order(id="b")})) == {"at": {"id": "b", "amount": 1}}
    assert of(anything).output_json(2**70) == str(2**70).encode()


def test_an_output_that_does_not_fit_is_refused() -> None:
    def work() -> int: ...  # type: ignore[empty-body]

    with pytest.raises(ValueError, match="valid integer"):
        of(work).output_json("many")


def test_an_output_that_is_not_json_is_refused() -> None:
    def work(): ...  # type: ignore[no-untyped-def]

    with pytest.raises(ValueError, match="is not JSON"):
        of(work).output_json({"f": lambda: 1})


def test_not_a_number_is_refused_and_not_turned_into_null() -> None:
    def work(): ...  # type: ignore[no-untyped-def]
    def typed() -> dict[str, float | None]: ...  # type: ignore[empty-body]

    with pytest.raises(ValueError, match="nan at /a/1"):
        of(work).output_json({"a": [None, float("nan")]})
    with pytest.raises(ValueError, match="inf"):
        of(typed).output_json({"a": float("inf"), "b": None})
    assert of(typed).output_json({"a": None}) == b'{"a":null}'


def test_a_type_that_json_cannot_carry_is_refused_when_scanned() -> None:
    def takes(connection: socket.socket, n: int) -> None: ...
    def gives() -> Callable[[], int]: ...  # type: ignore[empty-body]

    with pytest.raises(InvalidActivity, match=r"here: input: .*socket.* cannot be written as JSON"):
        of(takes)
    with pytest.raises(InvalidActivity, match=r"here: result: .*cannot be written as JSON"):
        of(gives)


def test_parameters_that_cannot_be_named_are_refused() -> None:
    def star(*names: str) -> None: ...
    def positional(name: str, /) -> None: ...
    def produce() -> Iterator[int]:
        yield 1

    for function, said in ((star, r"\*names"), (positional, "name"), (produce, "cannot yield")):
        with pytest.raises(InvalidActivity, match=said):
            of(function)


def test_hints_that_cannot_be_resolved_are_refused() -> None:
    def work(order: "NoSuchType") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidActivity, match="NoSuchType"):
        of(work)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there pydantic reads the one of typing, too")
def test_a_typed_dict_of_typing_is_refused_with_the_one_to_take() -> None:
    def work(order: OfTyping) -> None: ...

    with pytest.raises(InvalidActivity, match="from typing_extensions import TypedDict") as refused:
        of(work)
    assert "or TypedDicts" not in str(refused.value)
