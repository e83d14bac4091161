"""The simulated world driven by hand: attempts answered one by one, timers fired, copies that go their own way."""

from typing import Any

import pytest
from interpreter.given import event, program
from stepwell_interpreter.simulation.errors import SimulationLimit
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.pending import Pending
from stepwell_interpreter.simulation.world import START_MS, World

TASK: dict[str, Any] = {"type": "task", "activity": "do", "retry": [], "resultPath": "$.state.a", "end": True}
WAIT = {
    "type": "wait",
    "event": "Seen",
    "timeout": 60,
    "timeoutNext": "Late",
    "resultPath": "$.state.e",
    "end": True,
}
LATE = {"type": "fail", "error": "Late", "cause": "x"}


def only(world: World) -> Any:
    """The one instance."""
    [instance] = world.instances.values()
    return instance


def test_attempt_waits_until_it_is_answered() -> None:
    world = World(program({"A": TASK}))
    world.start({})
    [pending] = world.waiting()
    assert (pending.state, pending.name, pending.number) == ("A", "do", 1)
    assert world.answer(pending.token, Outcome(output=5)) == "accepted"
    assert (only(world).status, only(world).output) == ("succeeded", 5)


def test_second_answer_is_stale() -> None:
    world = World(program({"A": TASK}))
    world.start({})
    [pending] = world.waiting()
    world.answer(pending.token, Outcome(output=5))
    assert world.answer(pending.token, Outcome(output=6)) == "stale"
    assert only(world).output == 5


def test_callback_is_answered_after_its_body() -> None:
    world = World(program({"A": {**TASK, "callback": True}}))
    world.start({})
    [body] = world.waiting()
    world.answer(body.token, Outcome(output="sent"))
    [callback] = world.waiting()
    assert callback.called_back
    world.answer(callback.token, Outcome(output="done"))
    assert only(world).output == "done"


def test_run_until_stands_at_the_moment() -> None:
    world = World(program({"W": WAIT, "Late": LATE}))
    world.start({}, device="d1")
    world.run(START_MS + 59_000)
    assert (world.now_ms, only(world).status) == (START_MS + 59_000, "running")
    world.run()
    assert (only(world).error, world.now_ms) == ("Late", START_MS + 60_000)


def test_timer_fires_before_its_time_when_asked_to() -> None:
    world = World(program({"W": WAIT, "Late": LATE}))
    id = world.start({}, device="d1")
    [(alarm, _)] = world.schedule.timers()
    assert world.fire(id, alarm.timer) == "accepted"
    assert (only(world).error, world.now_ms) == ("Late", START_MS)


def test_copy_goes_its_own_way() -> None:
    world = World(program({"W": WAIT, "Late": LATE}))
    world.start({}, device="d1")
    other = world.copy()
    assert world.deliver(event()) == "consumed"
    other.run()
    assert (only(world).status, only(other).error) == ("succeeded", "Late")
    assert (len(world.history(only(world).id)), other.dispositions) == (2, [])


def test_step_does_one_thing_at_a_time() -> None:
    world = World(program({"A": TASK}), answerer=lambda world, pending: Outcome(output=1))
    world.start({})
    assert world.step()
    assert only(world).status == "succeeded"
    assert not world.step()


def test_answers_of_one_moment_come_in_the_order_of_dispatch() -> None:
    branches = {name: {"startAt": name.upper(), "states": {name.upper(): TASK}} for name in ("a", "b", "c")}
    order: list[str] = []

    def answer(world: World, pending: Pending) -> Outcome:
        order.append(pending.state)
        return Outcome()

    parallel = {"type": "parallel", "branches": branches, "resultPath": None, "end": True}
    world = World(program({"P": parallel}), answerer=answer)
    world.start({})
    world.run()
    assert order == ["A", "B", "C"]
    assert only(world).status == "succeeded"


def test_cancelled_instance_undoes_what_it_did() -> None:
    undone: list[str | None] = []

    def answer(world: World, pending: Pending) -> Outcome:
        undone.append(pending.undo_of)
        return Outcome()

    states = {
        "A": {**TASK, "end": None, "next": "W", "compensateWith": {"activity": "undo"}},
        "W": {"type": "wait", "duration": 3600, "end": True},
    }
    del states["A"]["end"]
    world = World(program(states), answerer=answer)
    id = world.start({})
    world.run(START_MS + 1)
    assert world.cancel(id, compensate=True) == "cancelling"
    world.run()
    assert (only(world).status, undone) == ("cancelled", [None, "A"])


def test_instances_of_a_device_each_take_the_event() -> None:
    world = World(program({"W": WAIT, "Late": LATE}))
    world.start({}, device="d1")
    world.start({}, device="d1")
    assert world.deliver(event()) == "consumed"
    assert {instance.status for instance in world.instances.values()} == {"succeeded"}
    assert world.running() == []


def test_event_restarts_a_workflow_that_says_so() -> None:
    start = {"on": ["Seen"], "afterCompletion": "restart"}
    world = World(program({"E": {"type": "succeed"}}, start=start, events={"Seen": {}}))
    assert [world.deliver(event(id=id)) for id in ("1", "2")] == ["started", "started"]
    assert len(world.instances) == 2


@pytest.mark.parametrize(
    ("policy", "disposition"), [("buffer", "buffered"), ("ignore", "ignored"), ("deadLetter", "deadLettered")]
)
def test_event_after_the_end_goes_where_the_definition_says(policy: str, disposition: str) -> None:
    start = {"on": ["Seen"], "afterCompletion": policy}
    world = World(program({"E": {"type": "succeed"}}, start=start, events={"Seen": {}}))
    assert [world.deliver(event(id=id)) for id in ("1", "2")] == ["started", disposition]


def test_event_nobody_knows_is_a_dead_letter() -> None:
    world = World(program({"W": WAIT, "Late": LATE}))
    world.start({}, device="d1")
    assert world.deliver(event("Nonsense")) == "deadLettered"


def test_oldest_event_goes_where_the_accumulator_says_so() -> None:
    limits = {"accumulator": {"maxEvents": 2, "overflow": "dropOldest"}}
    world = World(program({"W": WAIT, "Late": LATE}, events={"Other": {}}, configuration=limits))
    world.start({}, device="d1")
    assert [world.deliver(event("Other", id=str(n))) for n in range(3)] == ["buffered"] * 3
    device = world.device("d1")
    assert ([each.id for _, each in device.available()], device.dropped) == (["1", "2"], 1)


LOOP = {
    "A": {"type": "task", "activity": "do", "resultPath": None, "next": "C"},
    "C": {
        "type": "choice",
        "choices": [{"variable": "$.input.on", "equals": True, "next": "A"}],
        "default": "E",
    },
    "E": {"type": "succeed"},
}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_records_of_a_moment": 50}, "more than 50 records without time going on"),
        ({"max_records": 60}, "more than 60 records: instance flow-1~0 goes round in A"),
    ],
)
def test_loop_without_end_is_told(limits: dict[str, Any], message: str) -> None:
    world = World(program(LOOP), answerer=lambda world, pending: Outcome(), **limits)
    world.start({"on": True})
    with pytest.raises(SimulationLimit, match=message):
        world.run()
