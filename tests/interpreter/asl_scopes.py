"""Scopes for the tests of ASL expressions, and how a failure reads without its preamble."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from stepwell_interpreter.asl.scope import AslScope
from stepwell_interpreter.failures import StateFailure
from stepwell_interpreter.scope import MISSING

CONTEXT: Mapping[str, Any] = {
    "Execution": {"Id": "arn:aws:states:eu-west-1:1:execution:orders:e-1", "Input": {"a": 1}},
    "State": {"Name": "Price"},
}
PREAMBLE = "An error occurred while executing the state 'Price' (entered at the event id #7). "


def asl_scope(
    data: Any = None,
    variables: Mapping[str, Any] | None = None,
    *,
    seed: str = "seed",
    result: Any = MISSING,
    error: Any = MISSING,
) -> AslScope:
    return AslScope(
        state="Price",
        entered=7,
        data=data,
        input=data,
        variables=lambda: variables or {},
        context=lambda: CONTEXT,
        now_ms=1_700_000_000_000,
        seed=seed,
        result=result,
        error=error,
    )


def failure_of(evaluate: Callable[[AslScope], Any], scope: AslScope) -> tuple[str, str]:
    """The error and the cause, the cause without the preamble that all have."""
    with pytest.raises(StateFailure) as caught:
        evaluate(scope)
    assert caught.value.cause.startswith(PREAMBLE)
    return caught.value.error, caught.value.cause.removeprefix(PREAMBLE)
