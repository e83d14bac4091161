"""What regions and tasks do with activities beside their own: readers and writers of maps, children, signs of life."""

from typing import Any

import pytest
from stepwell_interpreter.asl.lower import lower_asl
from stepwell_interpreter.compile import AnyActivity
from stepwell_interpreter.program import Program
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.world import World
from stepwell_interpreter.task import nesting
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.records import CallbackSignalled, TimerFired

ECHO = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
APART = {**ECHO, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
START = "arn:aws:states:::states:startExecution"
CHILD = "arn:aws:states:us-east-1:111111111111:stateMachine:child"
TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
RESOURCES = {
    TOKEN: "send",
    "arn:aws:states:::s3:getObject": "s3.read",
    "arn:aws:states:::s3:putObject": "s3.write",
}


def program(states: dict[str, Any], id: str = "asl") -> Program:
    document = {"StartAt": next(iter(states)), "States": states}
    return lower_asl(
        document, id=id, version="1.0.0", program_hash=id, activities=AnyActivity(), resources=RESOURCES
    )


def alone(state: dict[str, Any]) -> Program:
    return program({"A": {"End": True, **state}})


def begin(state: dict[str, Any], value: Any = None, **world: Any) -> tuple[World, str]:
    made = World(alone(state), **world)
    return made, made.start({} if value is None else value)


def ended(world: World, id: str) -> tuple[str, Any, str | None]:
    instance = world.instances[id]
    return instance.status, instance.output, instance.error


def test_a_parallel_whose_input_cannot_be_made_fails() -> None:
    state = {"Type": "Parallel", "Branches": [ECHO], "Parameters": {"x.$": "$.none"}}
    world, id = begin(state)
    assert ended(world, id)[2] == "States.Runtime"


READING = {
    "Type": "Map",
    "ItemProcessor": APART,
    "ItemReader": {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Key": "k"},
        "ReaderConfig": {"InputType": "JSON"},
    },
}
WRITING = {
    "Type": "Map",
    "ItemProcessor": APART,
    "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Key.$": "$.key"}},
}


def test_a_reader_that_fails_fails_the_map_by_name() -> None:
    world, id = begin(READING)
    world.answer(world.waiting()[0].token, Outcome(error="NoSuchKey", cause="k"))
    assert ended(world, id)[2] == "States.ItemReaderFailed"
    assert world.instances[id].cause == "NoSuchKey: k"


def test_a_reader_that_is_lost_is_asked_again() -> None:
    world, id = begin(READING)
    world.answer(world.waiting()[0].token, Outcome(lost=True))
    world.answer(world.waiting()[0].token, Outcome(output="[1]"))
    assert ended(world, id) == ("succeeded", [1], None)


def test_a_reader_that_takes_too_long_is_given_up() -> None:
    world, id = begin(READING)
    world.run()
    assert ended(world, id)[2] == "States.ItemReaderFailed"


def test_a_whole_map_that_takes_too_long_gives_its_reader_up() -> None:
    world, id = begin({**READING, "TimeoutSeconds": 5})
    world.run()
    assert ended(world, id)[2] == "States.Timeout"
    assert world.waiting() == []


def test_a_writer_whose_arguments_cannot_be_made_fails_the_map() -> None:
    world, id = begin(WRITING, [1])
    assert ended(world, id)[2] == "States.Runtime"


def test_a_writer_that_fails_fails_the_map_with_its_own_error() -> None:
    world, id = begin({**WRITING, "ItemsPath": "$.items"}, {"items": [1], "key": "k"})
    world.answer(world.waiting()[0].token, Outcome(error="Full", cause="no room"))
    assert ended(world, id)[2] == "Full"


def test_an_iteration_that_cannot_begin_fails_the_map_and_ends_those_that_have() -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Wait", "Seconds": 60, "End": True}}}
    state = {"Type": "Map", "ItemProcessor": inner, "ItemSelector": {"x.$": "$$.Map.Item.Value.x"}}
    world, id = begin(state, [{"x": 1}, {}])
    assert ended(world, id)[2] == "States.Runtime"
    assert world.instances[id].frames == {}


def test_the_input_of_a_next_try_that_cannot_be_made_fails_the_task() -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:lambda:us-east-1:1:function:f",
        "Parameters": {"x.$": "States.ArrayGetItem($.list, $$.State.RetryCount)"},
        "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 3}],
    }
    world, id = begin(state, {"list": [0]}, answerer=lambda world, pending: Outcome(error="E"))
    world.run()
    assert ended(world, id)[2] not in (None, "E")


def test_a_sign_of_life_moves_the_heartbeat_of_a_callback() -> None:
    world, id = begin({"Type": "Task", "Resource": TOKEN, "HeartbeatSeconds": 10, "Parameters": {}})
    world.answer(world.waiting()[0].token, Outcome(submitted={}, timed_out=True))
    pending = world.waiting()[0]
    assert pending.callback is not None
    begun = world.now_ms
    world.run(begun + 8_000)
    record = CallbackSignalled(world.now_ms, pending.attempt, pending.callback)
    assert world.apply(id, record).answer == "accepted"
    world.run(begun + 17_000)
    assert world.instances[id].status == "running"
    world.run(begun + 19_000)
    assert ended(world, id)[2] == "States.Timeout"


def test_a_sign_of_life_for_another_token_is_stale() -> None:
    world, id = begin({"Type": "Task", "Resource": TOKEN, "Parameters": {}})
    world.answer(world.waiting()[0].token, Outcome(submitted={}, timed_out=True))
    record = CallbackSignalled(world.now_ms, world.waiting()[0].attempt, "another")
    assert world.apply(id, record).answer == "stale"


def starting(pattern: str, **given: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": START + pattern, "Parameters": {"StateMachineArn": CHILD, **given}}


GOOD = {"S": {"Type": "Pass", "Result": {"done": True}, "End": True}}
BAD = {"S": {"Type": "Fail", "Error": "E", "Cause": "c"}}


@pytest.mark.parametrize(("pattern", "output"), [(".sync", '{"done":true}'), (".sync:2", {"done": True})])
def test_a_child_that_is_waited_for_answers_with_its_description(pattern: str, output: Any) -> None:
    world, id = begin(starting(pattern, Input='{"n": 1}'), workflows={"child": program(GOOD, "child")})
    world.run()
    status, answer, _ = ended(world, id)
    assert (status, answer["Status"], answer["Output"]) == ("succeeded", "SUCCEEDED", output)
    child = next(instance for name, instance in world.instances.items() if name != id)
    assert child.input == {"n": 1}


def test_a_child_that_fails_fails_the_task_with_its_description_as_the_cause() -> None:
    world, id = begin(starting(".sync:2"), workflows={"child": program(BAD, "child")})
    world.run()
    assert ended(world, id)[2] == "States.TaskFailed"
    assert '"Error":"E"' in str(world.instances[id].cause)


def test_a_child_that_is_only_started_does_not_hold_its_parent() -> None:
    waiting = {"S": {"Type": "Wait", "Seconds": 60, "End": True}}
    world, id = begin(starting("", Input={}), workflows={"child": program(waiting, "child")})
    world.step()
    assert world.instances[id].status == "succeeded"
    assert world.instances[id].output["ExecutionArn"].startswith("arn:aws:states:")
    world.run()
    assert {instance.status for instance in world.instances.values()} == {"succeeded"}


def test_text_that_is_no_json_is_a_childs_input_as_it_is() -> None:
    world, id = begin(starting(".sync:2", Input="plain"), workflows={"child": program(GOOD, "child")})
    world.run()
    child = next(instance for name, instance in world.instances.items() if name != id)
    assert child.input == "plain"


def test_a_state_machine_that_starts_itself_is_stopped_by_name() -> None:
    itself = program({"S": {**starting(".sync:2"), "End": True}}, "child")
    world = World(itself, workflows={"child": itself})
    id = world.start({})
    world.run()
    assert ended(world, id)[2] == "States.TaskFailed"
    assert len(world.instances) == 101
    deepest = list(world.instances.values())[-1]
    assert (deepest.error, nesting(deepest.id)) == ("States.Runtime", 100)


@pytest.mark.parametrize(
    ("id", "depth"),
    [("order-1", 0), ("a.b.c", 0), ("order-1~c7", 1), ("order-1~c7.9", 2), ("x-1f~3", 0), ("x-1f.7.9~3", 2)],
)
def test_how_deep_a_child_is_can_be_read_off_its_id(id: str, depth: int) -> None:
    assert nesting(id) == depth


def test_waits_that_are_over_already_are_no_waits() -> None:
    world = World(program({"A": {"Type": "Wait", "Seconds": 0, "Next": "A"}}))
    id = world.start({})
    assert ended(world, id)[2] == "States.Runtime"


def test_the_heartbeat_of_a_reader_is_watched_as_a_tasks_is() -> None:
    resources = {"arn:aws:states:::s3:getObject": "s3.read"}
    beating = {"s3.read": ActivityDescription(name="s3.read", heartbeat_seconds=10)}
    document = {"StartAt": "A", "States": {"A": {**READING, "End": True}}}
    lowered = lower_asl(
        document, id="a", version="1.0.0", program_hash="a", activities=beating, resources=resources
    )
    world = World(lowered)
    id = world.start({})
    sign_ms, due_ms = world.now_ms + 5_000, world.now_ms + 10_000
    record = TimerFired(due_ms, "0/1/heartbeat", due_ms, world.now_ms, heartbeat_ms=sign_ms)
    assert world.apply(id, record).answer == "accepted"
    assert world.instances[id].frames["0"].work["timers"]["heartbeat"] == sign_ms + 10_000
    world.run()
    assert ended(world, id)[2] == "States.ItemReaderFailed"
