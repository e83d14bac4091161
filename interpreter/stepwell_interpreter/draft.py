"""The draft: the working copy of an instance while one record is applied, and what comes out beside it.

The instance that was given is never touched: the shell is copied at once, a frame when it is first changed, a
document along the path that is written. Work that is still to do stands in `agenda`, so nothing recurses.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from stepwell_schemas.commands import (
    CancelActivity,
    CancelChild,
    ClearTimer,
    Command,
    RunActivity,
    SetTimer,
    StartChild,
)
from stepwell_schemas.durations import format_ms
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import NO_COUNTS, Frame, Instance

from stepwell_interpreter.agenda import Ended, Enter, Failed
from stepwell_interpreter.failures import DATA_LIMIT_EXCEEDED, RUNTIME, StateFailure
from stepwell_interpreter.paths import Target
from stepwell_interpreter.program import CANCEL_STEP, Program, Step
from stepwell_interpreter.scope import MISSING, Scope
from stepwell_interpreter.step_scope import StepScope
from stepwell_interpreter.values import recorded

MAX_STATE_BYTES: Final = 1_048_576
ROOT: Final = "0"
MOST_WORK: Final = 5_000_000
"""Values that the paths of one decision may visit, and what else counts as as much: a second or two in all."""

# A batch applies many records of one moment; writing that moment costs as much as a step.
_written_time = lru_cache(maxsize=1024)(format_ms)


@dataclass(slots=True, init=False)
class Decision:
    """What a record leads to. `instance` is the given one itself where nothing has changed (`none`, `ended`)."""

    instance: Instance
    commands: list[Command]
    trace: list[dict[str, Any]]
    patch: list[dict[str, Any]]
    answer: str
    work: int = 0
    """Values that were visited for it, as `Draft.spend` counts them."""

    def __init__(
        self,
        instance: Instance,
        commands: list[Command],
        trace: list[dict[str, Any]],
        patch: list[dict[str, Any]],
        answer: str,
        work: int = 0,
    ) -> None:
        self.instance = instance
        self.commands = commands
        self.trace = trace
        self.patch = patch
        self.answer = answer
        self.work = work


class Draft:
    """See the module's header."""

    __slots__ = (
        "_lists",
        "_owned",
        "_system",
        "agenda",
        "commands",
        "entered",
        "event",
        "frames",
        "instance",
        "now_ms",
        "patch",
        "program",
        "revokes",
        "trace",
        "work_left",
    )

    def __init__(self, program: Program, instance: Instance, now_ms: int) -> None:
        self.program = program
        self.instance = changed = instance.copy()
        self.frames = changed.frames
        self.now_ms = now_ms
        changed.updated_ms = now_ms
        changed.revision += 1
        self.commands: list[Command] = []
        self.trace: list[dict[str, Any]] = []
        self.patch: list[dict[str, Any]] = []
        self.agenda: deque[Enter | Ended | Failed] = deque()
        self.entered: dict[str, int] = {}
        self.event: DeviceEvent | None = None
        """The one that a wait takes."""
        self.revokes = False
        self.work_left = MOST_WORK
        self._owned: set[str] = set()
        self._lists: dict[tuple[str, int, str], list[Any]] = {}
        self._system: dict[str, Any] | None = None

    def close(self, answer: str) -> Decision:
        """What has come of the record."""
        commands = _without_revoked(self.commands) if self.revokes else self.commands
        return Decision(self.instance, commands, self.trace, self.patch, answer, MOST_WORK - self.work_left)

    # -- frames --------------------------------------------------------------------------------------------

    def own(self, id: str) -> Frame:
        """The frame, free to be changed: itself and its `work`, but not what hangs below."""
        frame = self.frames[id]
        if id not in self._owned:
            frame = self.frames[id] = frame.copy()
            self._owned.add(id)
        return frame

    def add(
        self, parent: Frame | None, scope: str, number: int, *, branch: str | None = None, index: int | None = None,
        item: Any = None,
    ) -> Frame:  # fmt: skip
        """A new frame that stands nowhere yet."""
        id = ROOT if parent is None else f"{parent.id}.{number}"
        parent_id = None if parent is None else parent.id
        frame = Frame(id, parent_id, scope, "", 0, self.now_ms, "", {}, [], NO_COUNTS, branch, index, item)
        if parent is not None:
            frame.error = parent.error
        self.frames[id] = frame
        self._owned.add(id)
        return frame

    def stand(self, frame: Frame, state: str) -> None:
        """Put an owned frame into a state, with a new visit and nothing left of the state before."""
        self.instance.visits = visit = self.instance.visits + 1
        frame.state = state
        frame.visit = visit
        frame.entered_ms = self.now_ms
        frame.phase = ""
        frame.work = {}
        frame.waits = []
        frame.retries = NO_COUNTS

    def own_list(self, frame: Frame, name: str) -> list[Any]:
        """A list in an owned frame's `work`, free to be changed: copied once, however often it is written."""
        key = (frame.id, frame.visit, name)
        found: list[Any] = frame.work[name]
        if self._lists.get(key) is not found:
            found = self._lists[key] = frame.work[name] = list(found)
        return found

    def remove(self, id: str) -> None:
        """The frame is gone."""
        del self.frames[id]
        self._owned.discard(id)

    def below(self, id: str) -> list[Frame]:
        """All frames under a frame, outermost first."""
        prefix = id + "."
        return [frame for frame in self.frames.values() if frame.id.startswith(prefix)]

    def step(self, frame: Frame) -> Step:
        """The state a frame stands in."""
        if self.instance.ending is not None:
            return CANCEL_STEP
        return self.program.scopes[frame.scope].steps[frame.state]

    # -- time ----------------------------------------------------------------------------------------------

    def recorded(self, frame: Frame | None, value: Any) -> Any:
        """A value as the trace keeps it: whole where the machine's history is, else shortened where it is long."""
        return (
            value if self.program.scopes["" if frame is None else frame.scope].numbered else recorded(value)
        )

    def arm(self, frame: Frame, what: str, due_ms: int) -> None:
        """Set or move a timer of an owned frame. Its name, "<frame>/<visit>/<what>", is unique in the instance."""
        timers = frame.work.get("timers")
        frame.work["timers"] = {what: due_ms} if timers is None else {**timers, what: due_ms}
        self.commands.append(SetTimer(f"{frame.id}/{frame.visit}/{what}", due_ms))

    def disarm(self, frame: Frame, what: str) -> None:
        """Clear a timer of an owned frame where it is armed."""
        timers = frame.work.get("timers")
        if timers and what in timers:
            frame.work["timers"] = {name: due for name, due in timers.items() if name != what}
            self.commands.append(ClearTimer(f"{frame.id}/{frame.visit}/{what}"))

    def disarm_all(self, frame: Frame) -> None:
        """Clear every timer of an owned frame."""
        timers = frame.work.get("timers")
        if timers:
            frame.work["timers"] = {}
            for what in timers:
                self.commands.append(ClearTimer(f"{frame.id}/{frame.visit}/{what}"))

    def fired(self, frame: Frame, what: str) -> None:
        """A timer of an owned frame has fired: it is armed no more."""
        frame.work["timers"] = {name: due for name, due in frame.work["timers"].items() if name != what}

    def spend(self, steps: int) -> None:
        """Count work. Raises StateFailure where one record makes for too much: its partition's others wait for it."""
        self.work_left -= steps
        if self.work_left < 0:
            cause = f"one event, result or timer makes the workflow visit more than {MOST_WORK} values"
            raise StateFailure(DATA_LIMIT_EXCEEDED, cause)

    # -- documents -----------------------------------------------------------------------------------------

    def scope(self, frame: Frame, purpose: str) -> Scope:
        """What a template of this frame's state sees. Each purpose has chance of its own."""
        item: Any = MISSING
        index: Any = MISSING
        at: Frame | None = frame if frame.parent is not None else None
        while at is not None:
            if at.index is not None:
                item, index = at.item, at.index
                break
            at = None if at.parent is None else self.frames[at.parent]
        return StepScope(self, frame, purpose, item, index)

    def state_of(self, frame: Frame) -> dict[str, Any]:
        """The `$.state` a frame sees: its iteration's own, from the first write on, or the enclosing one."""
        while frame.parent is not None:
            if frame.local is not None:
                return frame.local
            frame = self.frames[frame.parent]
        return self.instance.state

    def write(self, frame: Frame, target: Target, value: Any) -> None:
        """Write into the `$.state` a frame sees. Raises StateFailure: no such place, or too large."""
        owner = self._writer(frame)
        size = self._size(value)
        self.spend(size >> 6)
        if owner is None:
            changed = target(self.instance.state, value)
            self.instance.state_bytes = within_limit(changed, self.instance.state_bytes + size, target.text)
            self.instance.state = changed
        else:
            changed = target(self.state_of(owner), value)
            within_limit(changed, MAX_STATE_BYTES + 1, target.text)
            self.own(owner.id).local = changed
        entry = {"op": "set", "path": target.pointer, "value": value}
        if owner is not None:
            entry["frame"] = owner.id
        self.patch.append(entry)

    def _size(self, value: Any) -> int:
        event = self.event
        if event is not None and value is event.document():
            return len(event.encoded())  # as it goes into the history
        return json_size(value)

    def gather(self, frame: Frame, value: Any) -> None:
        """Count what an owned frame's state gathers. Raises StateFailure where it becomes too much."""
        total = frame.work.get("bytes", 0) + json_size(value)
        if total > MAX_STATE_BYTES:
            cause = f"what {frame.state} gathers is {total} bytes; the limit is {MAX_STATE_BYTES}"
            raise StateFailure(DATA_LIMIT_EXCEEDED, cause)
        frame.work["bytes"] = total

    def _writer(self, frame: Frame) -> Frame | None:
        """The iteration whose own document a frame writes, None for the instance's."""
        while frame.parent is not None:
            if frame.index is not None:
                return frame
            frame = self.frames[frame.parent]
        return None

    def system_of(self, frame: Frame) -> Mapping[str, Any]:
        """The `$.system` of a frame's state."""
        instance = self.instance
        if self._system is None:
            self._system = {
                "now": _written_time(self.now_ms),
                "instanceId": instance.id,
                "definition": instance.definition,
                "version": instance.version,
                "startedAt": _written_time(instance.created_ms),
                "device": instance.device,
            }
        return {**self._system, "stateName": frame.state, "attempt": frame.work.get("number", 1)}


def _without_revoked(commands: list[Command]) -> list[Command]:
    """The commands without the attempts and children that are started and given up by one and the same record."""
    begun = {_begins(command) for command in commands} - {None}
    revoked = begun & {_revokes(command) for command in commands}
    if not revoked:
        return commands
    return [
        command
        for command in commands
        if _begins(command) not in revoked and _revokes(command) not in revoked
    ]


def _begins(command: Command) -> str | None:
    if isinstance(command, RunActivity):
        return command.token
    return command.child if isinstance(command, StartChild) else None


def _revokes(command: Command) -> str | None:
    if isinstance(command, CancelActivity):
        return command.token
    return command.child if isinstance(command, CancelChild) else None


def json_size(value: Any) -> int:
    """Bytes of a value as JSON. Raises StateFailure where it cannot be written as JSON."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError as error:
        raise StateFailure(RUNTIME, f"the value cannot be written as JSON: {error}") from error


def check_size(value: Any, what: str) -> int:
    """Bytes of a value as JSON. Raises StateFailure where it is too large to keep or hand over."""
    size = json_size(value)
    if size > MAX_STATE_BYTES:
        raise StateFailure(DATA_LIMIT_EXCEEDED, f"{what} is {size} bytes; the limit is {MAX_STATE_BYTES}")
    return size


def within_limit(document: dict[str, Any], estimate: int, text: str) -> int:
    """The new estimate of a document's size; measured only when the estimate passes the limit."""
    if estimate <= MAX_STATE_BYTES:
        return estimate
    size = json_size(document)
    if size > MAX_STATE_BYTES:
        cause = f"writing `{text}` would make $.state {size} bytes; the limit is {MAX_STATE_BYTES}"
        raise StateFailure(DATA_LIMIT_EXCEEDED, cause)
    return size
