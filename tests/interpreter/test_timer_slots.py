"""The slot of a timer: where it stands in its instance, at whichever visit."""

import pytest
from stepwell_interpreter.decide import timer_in, timer_slot
from stepwell_schemas.instance import Frame, Instance, new_instance


@pytest.mark.parametrize(
    ("timer", "slot"),
    [("0/5/timeout", "0/timeout"), ("0.1:3/12/backoff", "0.1:3/backoff"), ("timeout", "timeout")],
)
def test_the_slot_of_a_timer_is_its_name_without_the_visit(timer: str, slot: str) -> None:
    assert timer_slot(timer) == slot


def one() -> Instance:
    return new_instance(id="i", definition="d", version="1.0.0", program="p", device=None, parent=None)


def test_what_stands_in_a_slot_is_found_by_its_name_of_now() -> None:
    instance = one()
    work = {"timers": {"wait": 5}}
    instance.frames["0"] = Frame("0", None, "", "S", 7, 0, "wait", work, [], {})
    instance.frames["0.1"] = Frame("0.1", "0", "", "T", 1, 0, "enter", {}, [], {})
    for nothing in ("0/backoff", "0.1/wait", "9/wait", "timeout"):
        assert timer_in(instance, nothing) is None
    instance.deadline_ms = 9
    assert timer_in(instance, "timeout") == ("timeout", 9)
