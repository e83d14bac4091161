"""Builders for tests of the pure core: a program from states, and a run that plays the engine's part.

The run carries the commands out as the engine would (timers, attempts, children) and holds every decision against
what must always be true: the given instance is untouched, the wire form is lossless, nothing hangs or is left over.
"""

import copy
from collections.abc import Sequence
from typing import Any

import orjson
from stepwell_interpreter.decide import Decision, decide, obligations
from stepwell_interpreter.lower import lower
from stepwell_interpreter.program import Program
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.commands import (
    CancelActivity,
    CancelChild,
    ClearTimer,
    Command,
    RunActivity,
    SetTimer,
    StartChild,
)
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance, from_wire, new_instance, to_wire
from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    AttemptLost,
    CallbackEnded,
    CancelRequested,
    ChildEnded,
    EventOffered,
    InstanceStarted,
    Record,
    TimerFired,
)
from stepwell_schemas.workflow import WorkflowDefinition

START_MS = 1_700_000_000_000
SEED = "5eed" * 8
ACTIVITIES = {name: ActivityDescription(name=name) for name in ("do", "undo", "check", "notify", "other")}


def definition(states: dict[str, Any], **rest: Any) -> WorkflowDefinition:
    """A definition that begins with the first of the states."""
    document = {"id": "flow", "version": "1.0.0", "startAt": next(iter(states)), "states": states, **rest}
    return WorkflowDefinition.model_validate(copy.deepcopy(document))


def program(states: dict[str, Any], activities: Sequence[ActivityDescription] = (), **rest: Any) -> Program:
    """The program of `definition`, with a few activities that take anything."""
    known = ACTIVITIES | {each.name: each for each in activities}
    return lower(definition(states, **rest), known, "hash")


def event(
    type: str = "Seen", data: Any = None, *, id: str = "e1", received_ms: int = START_MS
) -> DeviceEvent:
    """A device's event."""
    return DeviceEvent(
        id=id,
        source="test",
        type=type,
        device="d1",
        data={} if data is None else data,
        received_ms=received_ms,
    )


class Run:
    """One instance and its surroundings. Every method applies one record and gives the decision."""

    def __init__(self, program: Program, instance: str = "flow-1~0") -> None:
        self.program = program
        self.now_ms = START_MS
        self.instance: Instance = new_instance(
            id=instance, definition=program.id, version=program.version, program=program.hash, device="d1"
        )
        self.timers: dict[str, int] = {}
        self.attempts: dict[str, RunActivity] = {}
        self.children: dict[str, StartChild] = {}
        self.cancelled: list[Command] = []
        self.trace: list[dict[str, Any]] = []
        self.patch: list[dict[str, Any]] = []
        self.records: list[Record] = []
        self.answers: list[str] = []

    # -- records -------------------------------------------------------------------------------------------

    def start(self, input: Any = None, event: DeviceEvent | None = None) -> "Run":
        """Begin; the run itself, for one-line tests."""
        self.apply(InstanceStarted(self.now_ms, {} if input is None else input, SEED, event))
        return self

    def offer(
        self, type: str = "Seen", data: Any = None, *, id: str = "e1", received_ms: int | None = None
    ) -> str:
        """Offer a device's event; the answer."""
        received = self.now_ms if received_ms is None else received_ms
        return self.apply(EventOffered(self.now_ms, event(type, data, id=id, received_ms=received))).answer

    def raise_event(self, type: str = "Seen", data: Any = None, *, id: str = "r1") -> str:
        """Raise an event for this instance alone; the answer."""
        raised = event(type, data, id=id, received_ms=self.now_ms)
        return self.apply(EventOffered(self.now_ms, raised, raised=True)).answer

    def complete(self, output: Any = None, activity: str | None = None) -> Decision:
        """Complete the oldest pending attempt (of an activity)."""
        command = self.pending(activity)
        del self.attempts[command.token]
        return self.apply(
            ActivityCompleted(self.now_ms, command.attempt, command.token, output, self.now_ms, "w1")
        )

    def fail(self, error: str = "Boom", activity: str | None = None, *, retryable: bool = True) -> Decision:
        """Fail the oldest pending attempt (of an activity)."""
        command = self.pending(activity)
        del self.attempts[command.token]
        return self.apply(
            ActivityFailed(
                self.now_ms, command.attempt, command.token, error, "because", self.now_ms, retryable, "w1"
            )
        )

    def lose(self) -> Decision:
        """Lose the worker of the oldest pending attempt."""
        command = self.pending()
        del self.attempts[command.token]
        return self.apply(AttemptLost(self.now_ms, command.attempt, command.token, "w1 gave no sign of life"))

    def call_back(self, command: RunActivity, output: Any = None, error: str | None = None) -> str:
        """Answer the callback token of an attempt."""
        token = command.callback_token or ""
        return self.apply(
            CallbackEnded(self.now_ms, command.attempt, token, output, error, "because" if error else "")
        ).answer

    def end_child(
        self, status: str = "succeeded", output: Any = None, error: str | None = None, cause: str = ""
    ) -> Decision:
        """End the oldest child."""
        child = next(iter(self.children))
        del self.children[child]
        return self.apply(ChildEnded(self.now_ms, child, status, output, error, cause))

    def cancel(self, *, compensate: bool = False, reason: str = "enough") -> str:
        """Cancel the instance."""
        return self.apply(CancelRequested(self.now_ms, reason, "someone", compensate)).answer

    def fire(self, what: str = "", *, heartbeat_ms: int | None = None) -> Decision:
        """Move the time to the next timer (whose name ends so) and fire it."""
        due, timer = min((due, timer) for timer, due in self.timers.items() if timer.endswith(what))
        self.now_ms = max(self.now_ms, due)
        del self.timers[timer]
        return self.apply(TimerFired(self.now_ms, timer, due, None, heartbeat_ms))

    def pass_time(self, milliseconds: int) -> None:
        """Move the time; nothing fires."""
        self.now_ms += milliseconds

    def apply(self, record: Record) -> Decision:
        """Apply a record, carry out its commands, check what must always hold."""
        given = self.instance
        before = _bytes(given)
        decision = decide(self.program, given, record)
        assert _bytes(given) == before, "the given instance was changed"
        again = decide(self.program, from_wire(orjson.loads(before)), record)
        assert _bytes(again.instance) == _bytes(decision.instance), "the same record gave another result"
        assert again.commands == decision.commands
        assert orjson.dumps(again.trace) == orjson.dumps(decision.trace)
        assert from_wire(orjson.loads(_bytes(decision.instance))) == decision.instance
        if decision.answer in ("none", "ended"):
            assert decision.instance is given
            assert not decision.commands
            assert not decision.trace
        else:
            assert decision.instance.revision == given.revision + 1
            assert decision.trace
        self.instance = decision.instance
        for command in decision.commands:
            self._carry_out(command)
        self._check()
        self.records.append(record)
        self.answers.append(decision.answer)
        self.trace += decision.trace
        self.patch += decision.patch
        return decision

    # -- looking -------------------------------------------------------------------------------------------

    def pending(self, activity: str | None = None) -> RunActivity:
        """The oldest pending attempt (of an activity)."""
        return next(each for each in self.attempts.values() if activity in (None, each.activity))

    @property
    def status(self) -> str:
        """The instance's status."""
        return self.instance.status

    @property
    def output(self) -> Any:
        """The instance's output."""
        return self.instance.output

    @property
    def state(self) -> dict[str, Any]:
        """The instance's `$.state`."""
        return self.instance.state

    def types(self) -> list[str]:
        """The trace's types in order."""
        return [entry["type"] for entry in self.trace]

    def of(self, type: str) -> list[dict[str, Any]]:
        """The trace's entries of a type."""
        return [entry for entry in self.trace if entry["type"] == type]

    def positions(self) -> dict[str, str]:
        """Frame -> state."""
        return {frame.id: frame.state for frame in self.instance.frames.values()}

    def _carry_out(self, command: Command) -> None:
        match command:
            case RunActivity():
                assert command.token not in self.attempts
                self.attempts[command.token] = command
            case CancelActivity():
                del self.attempts[command.token]
                self.cancelled.append(command)
            case SetTimer():
                self.timers[command.timer] = command.due_ms
            case ClearTimer():
                del self.timers[command.timer]
            case StartChild():
                assert command.child not in self.children
                self.children[command.child] = command
            case CancelChild():
                del self.children[command.child]
                self.cancelled.append(command)

    def _check(self) -> None:
        """Nothing hangs, and what is armed or pending is just what the instance says it waits for."""
        instance = self.instance
        owed = obligations(instance)
        if instance.status == "running" and instance.created_ms:
            assert owed, f"the instance hangs in {self.positions()}"
        else:
            assert not instance.frames
            assert not owed
        by_kind = {kind: {each["name"] for each in owed if each["kind"] == kind} for kind in _KINDS}
        assert by_kind["timer"] == self.timers.keys() - {"timeout"}
        assert ("timeout" in self.timers) == (instance.deadline_ms is not None)
        assert by_kind["attempt"] == self.attempts.keys()
        assert by_kind["child"] == self.children.keys()


_KINDS = ("wait", "timer", "attempt", "child", "callback")


def _bytes(instance: Instance) -> bytes:
    return orjson.dumps(to_wire(instance))
