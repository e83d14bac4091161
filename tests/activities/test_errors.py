"""From exceptions to error names and causes."""

import pickle

import pytest
from stepwell_activities.errors import (
    CAUSE_LIMIT_BYTES,
    ActivityError,
    ActivityTimedOut,
    NonRetryable,
    bounded,
    failure_of,
)


def test_an_activity_error_keeps_its_name_and_cause() -> None:
    failure = failure_of(ActivityError("PaymentRefused", "no money"))
    assert (failure.error, failure.cause, failure.retryable) == ("PaymentRefused", "no money", True)


def test_non_retryable_says_so() -> None:
    assert not failure_of(NonRetryable("PaymentRefused")).retryable


def test_any_other_exception_is_named_by_its_class_with_the_end_of_its_traceback() -> None:
    def deep() -> None:
        raise KeyError("orderId")

    with pytest.raises(KeyError) as caught:
        deep()
    failure = failure_of(caught.value)
    assert failure.error == "KeyError"
    assert failure.cause.startswith("'orderId'")
    assert "in deep" in failure.cause


def test_a_time_out_has_the_machines_own_name() -> None:
    assert failure_of(ActivityTimedOut("late")).error == "States.Timeout"


def test_a_cause_is_bounded_and_keeps_both_ends() -> None:
    text = "begin " + "é" * 100_000 + " end"
    cut = bounded(text)
    assert len(cut.encode()) <= CAUSE_LIMIT_BYTES
    assert cut.startswith("begin ")
    assert cut.endswith(" end")


def test_an_exception_whose_text_fails_is_still_reported() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert failure_of(Broken()).error == "Broken"


def test_an_error_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(NonRetryable("A", "b")))
    assert (again.error, again.cause, again.retryable) == ("A", "b", False)


def test_an_empty_error_name_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        ActivityError("")
