"""What is kept takes no more room than its bytes."""

import tracemalloc

import orjson
import pytest
from stepwell_schemas.json_writer import json_bytes

VALUES: list[object] = [
    {},
    {"n": 1},
    "x" * 3_000,
    [None, 1.5, "é", {"deep": [[]]}],
    orjson.Fragment(b'{"as":"it is"}'),
]


@pytest.mark.parametrize("value", VALUES)
def test_it_is_what_orjson_writes(value: object) -> None:
    assert json_bytes(value) == orjson.dumps(value)


@pytest.mark.parametrize("value", VALUES)
def test_what_is_kept_takes_no_more_than_its_bytes(value: object) -> None:
    size = len(orjson.dumps(value))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [json_bytes(value) for _ in range(1_000)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(kept) < size + 100


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(orjson.JSONEncodeError):
        json_bytes({"a": {1, 2}})
