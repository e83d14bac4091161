"""The instance of a workflow: all that is known of one run, as plain data that goes to JSON and back.

Instances are values: `decide` never changes one it was given, it returns a new one that shares what is the same.

Every event makes some of these, so each writes its own `__init__`: one that is generated stays interpreted Python, also
where this module is compiled (docs/decisions/0011-compiled.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from sys import intern
from typing import Any, Literal

Status = Literal["running", "succeeded", "failed", "timedOut", "cancelled", "quarantined"]
TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "timedOut", "cancelled"})

NO_VALUES: list[Any] = []
NO_COUNTS: dict[str, int] = {}
"""What most instances have none of. Like all that hangs below an instance it is never changed, and many share it."""


@dataclass(slots=True, init=False)
class Wait:
    """One open event wait of a frame: an event of `type` whose data equals `match` (path, value) is taken."""

    type: str
    match: list[list[Any]] = field(default_factory=list)
    name: str | None = None
    opened_ms: int = 0
    from_now: bool = False

    def __init__(
        self,
        type: str,
        match: list[list[Any]] | None = None,
        name: str | None = None,
        opened_ms: int = 0,
        from_now: bool = False,
    ) -> None:
        self.type = type
        self.match = [] if match is None else match
        self.name = name
        self.opened_ms = opened_ms
        self.from_now = from_now


@dataclass(slots=True, init=False)
class Frame:
    """One position: where one thread of the instance stands. The root's id is "0", children add ".<n>"."""

    id: str
    parent: str | None
    scope: str
    state: str
    visit: int
    entered_ms: int
    phase: str
    work: dict[str, Any]
    waits: list[Wait]
    retries: dict[str, int]
    branch: str | None = None
    index: int | None = None
    item: Any = None
    local: dict[str, Any] | None = None
    """The `$.state` of a map's iteration, from its first write on."""
    error: dict[str, Any] | None = None
    """`{error, cause, state}` of the last error this frame was led on by (`$.error`)."""
    data: Any = None
    """ASL: the input of the state it stands in."""
    variables: dict[str, Any] | None = None
    """ASL: what was assigned in this frame's machine; inner frames read it, too."""

    def __init__(
        self,
        id: str,
        parent: str | None,
        scope: str,
        state: str,
        visit: int,
        entered_ms: int,
        phase: str,
        work: dict[str, Any],
        waits: list[Wait],
        retries: dict[str, int],
        branch: str | None = None,
        index: int | None = None,
        item: Any = None,
        local: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        data: Any = None,
        variables: dict[str, Any] | None = None,
    ) -> None:
        self.id = id
        self.parent = parent
        self.scope = scope
        self.state = state
        self.visit = visit
        self.entered_ms = entered_ms
        self.phase = phase
        self.work = work
        self.waits = waits
        self.retries = retries
        self.branch = branch
        self.index = index
        self.item = item
        self.local = local
        self.error = error
        self.data = data
        self.variables = variables

    def copy(self) -> "Frame":
        """One that may be changed, its `work` too; what hangs below is shared."""
        return Frame(
            self.id, self.parent, self.scope, self.state, self.visit, self.entered_ms, self.phase, dict(self.work),
            self.waits, self.retries, self.branch, self.index, self.item, self.local, self.error, self.data,
            self.variables,
        )  # fmt: skip


@dataclass(slots=True, init=False)
class Instance:
    """One run. `kept` are events raised for this instance alone that no wait has taken yet."""

    id: str
    definition: str
    version: str
    program: str
    device: str | None
    status: str
    input: Any
    state: dict[str, Any]
    created_ms: int
    updated_ms: int
    seed: str = ""
    parent: str | None = None
    revision: int = 0
    visits: int = 0
    frames: dict[str, Frame] = field(default_factory=dict)
    undo: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    output: Any = None
    error: str | None = None
    cause: str | None = None
    custom_status: Any = None
    ended_ms: int | None = None
    history_hash: str = ""
    ending: dict[str, Any] | None = None
    state_bytes: int = 0
    """At least the size of `state` as JSON; counted up by writes, measured anew when it nears the limit."""
    deadline_ms: int | None = None
    """When `configuration.timeout` ends the instance; None where there is none, or it no longer counts."""
    held: list[dict[str, Any]] = field(default_factory=list)
    """Records that came while the instance was quarantined, in order; the first is the one that broke it."""
    events: int = 0
    """ASL: the number of the last event of its history, as GetExecutionHistory counts."""

    def __init__(
        self,
        id: str,
        definition: str,
        version: str,
        program: str,
        device: str | None,
        status: str,
        input: Any,
        state: dict[str, Any],
        created_ms: int,
        updated_ms: int,
        seed: str = "",
        parent: str | None = None,
        revision: int = 0,
        visits: int = 0,
        frames: dict[str, Frame] | None = None,
        undo: list[dict[str, Any]] | None = None,
        kept: list[dict[str, Any]] | None = None,
        output: Any = None,
        error: str | None = None,
        cause: str | None = None,
        custom_status: Any = None,
        ended_ms: int | None = None,
        history_hash: str = "",
        ending: dict[str, Any] | None = None,
        state_bytes: int = 0,
        deadline_ms: int | None = None,
        held: list[dict[str, Any]] | None = None,
        events: int = 0,
    ) -> None:
        self.id = id
        self.definition = definition
        self.version = version
        self.program = program
        self.device = device
        self.status = status
        self.input = input
        self.state = state
        self.created_ms = created_ms
        self.updated_ms = updated_ms
        self.seed = seed
        self.parent = parent
        self.revision = revision
        self.visits = visits
        self.frames = {} if frames is None else frames
        self.undo = NO_VALUES if undo is None else undo
        self.kept = NO_VALUES if kept is None else kept
        self.output = output
        self.error = error
        self.cause = cause
        self.custom_status = custom_status
        self.ended_ms = ended_ms
        self.history_hash = history_hash
        self.ending = ending
        self.state_bytes = state_bytes
        self.deadline_ms = deadline_ms
        self.held = NO_VALUES if held is None else held
        self.events = events

    def copy(self) -> "Instance":
        """One whose own values may be changed, and its `frames`; all that hangs below is shared."""
        return Instance(
            self.id, self.definition, self.version, self.program, self.device, self.status, self.input,
            self.state, self.created_ms, self.updated_ms, self.seed, self.parent, self.revision, self.visits,
            dict(self.frames), self.undo, self.kept, self.output, self.error, self.cause, self.custom_status,
            self.ended_ms, self.history_hash, self.ending, self.state_bytes, self.deadline_ms, self.held,
            self.events,
        )  # fmt: skip


def new_instance(
    *, id: str, definition: str, version: str, program: str, device: str | None, parent: str | None = None
) -> Instance:
    """An instance that has not begun; `decide(program, it, InstanceStarted(...))` begins it."""
    return Instance(
        id=id,
        definition=definition,
        version=version,
        program=program,
        device=device,
        parent=parent,
        status="running",
        input=None,
        state={},
        created_ms=0,
        updated_ms=0,
    )


def to_wire(instance: Instance) -> dict[str, Any]:
    """The JSON object that is stored; what has its usual value is left out. `from_wire(to_wire(x)) == x`.

    Written out, since every event writes an instance.
    """
    updated_ms = instance.updated_ms
    wire: dict[str, Any] = {
        "id": instance.id,
        "definition": instance.definition,
        "version": instance.version,
        "program": instance.program,
        "device": instance.device,
        "status": instance.status,
        "created_ms": instance.created_ms,
        "updated_ms": updated_ms,
        "revision": instance.revision,
        "visits": instance.visits,
        "seed": instance.seed,
        "history_hash": instance.history_hash,
        "input": instance.input,
        "frames": [_frame_to_wire(frame, updated_ms) for frame in instance.frames.values()],
    }
    if instance.state:
        wire["state"] = instance.state
    if instance.state_bytes:
        wire["state_bytes"] = instance.state_bytes
    if instance.deadline_ms is not None:
        wire["deadline_ms"] = instance.deadline_ms
    if _has_rare(instance):
        for name, usual in zip(_RARE, _NOTHING_RARE, strict=True):
            value = getattr(instance, name)
            if value is not usual and value != usual:
                wire[name] = value
    return wire


def _has_rare(instance: Instance) -> bool:
    """Whether one of `_RARE` is not as usual."""
    return bool(
        instance.parent is not None
        or instance.undo
        or instance.kept
        or instance.output is not None
        or instance.error is not None
        or instance.cause is not None
        or instance.custom_status is not None
        or instance.ended_ms is not None
        or instance.ending is not None
        or instance.held
        or instance.events
    )


def from_wire(wire: dict[str, Any]) -> Instance:
    """The instance of a stored JSON object. Raises KeyError, TypeError or AttributeError for anything else.

    Written out as well: among many instances, most events read theirs.
    """
    updated_ms = wire["updated_ms"]
    frames: dict[str, Frame] = {}
    for item in wire["frames"]:
        frame = _frame_from_wire(item, updated_ms)
        frames[frame.id] = frame
    left = len(wire) - len(_ALWAYS)
    if (state := wire.get("state")) is None:
        state = {}
    else:
        left -= 1
    instance = Instance(
        wire["id"],
        _shared(wire["definition"]),
        _shared(wire["version"]),
        _shared(wire["program"]),
        wire["device"],
        _shared(wire["status"]),
        wire["input"],
        state,
        wire["created_ms"],
        updated_ms,
    )
    instance.frames = frames
    if (state_bytes := wire.get("state_bytes")) is not None:
        instance.state_bytes, left = state_bytes, left - 1
    if (revision := wire.get("revision")) is not None:
        instance.revision, left = revision, left - 1
    if (visits := wire.get("visits")) is not None:
        instance.visits, left = visits, left - 1
    if (seed := wire.get("seed")) is not None:
        instance.seed, left = seed, left - 1
    if (history_hash := wire.get("history_hash")) is not None:
        instance.history_hash, left = history_hash, left - 1
    if left:
        _take(instance, wire, left, _SELDOM)
    return instance


def _shared(name: Any) -> Any:
    """The one text of its kind: there are as many as definitions have names. Other values as they are."""
    return intern(name) if isinstance(name, str) else name


def _take(target: Instance | Frame, wire: dict[str, Any], left: int, names: Iterable[str]) -> None:
    """Those of these names that are there. Raises TypeError where they are not the `left` ones that were not read."""
    for name in names:
        if name in wire:
            setattr(target, name, wire[name])
            left -= 1
    if left:
        raise TypeError(f"there is something else in it: {', '.join(sorted(wire))}")


def shown(wire: dict[str, Any]) -> dict[str, Any]:
    """A stored JSON object with all that was left out of it, for whoever shows it."""
    instance = from_wire(wire)
    return {
        **{part.name: getattr(instance, part.name) for part in fields(Instance)},
        "frames": [
            {
                **{part.name: getattr(frame, part.name) for part in fields(Frame)},
                "waits": [
                    [wait.type, wait.match, wait.name, wait.opened_ms, wait.from_now] for wait in frame.waits
                ],
            }
            for frame in instance.frames.values()
        ],
    }


_ALWAYS = (
    "id", "definition", "version", "program", "device", "status", "created_ms", "updated_ms", "input", "frames",
)  # fmt: skip
_RARE = (
    "parent", "undo", "kept", "output", "error", "cause", "custom_status", "ended_ms", "ending", "held", "events",
)  # fmt: skip
_SELDOM = ("deadline_ms", *_RARE)
_NOTHING_RARE: tuple[Any, ...] = (None, [], [], None, None, None, None, None, None, [], 0)
_OF_WAIT = ("type", "match", "name", "opened_ms", "from_now")
_ALWAYS_OF_FRAME = ("id", "state", "visit")
_RARE_OF_FRAME = ("branch", "index", "item", "local", "error", "data", "variables")
_SELDOM_OF_FRAME = ("parent", "scope", "phase", "retries", *_RARE_OF_FRAME)


def _frame_to_wire(frame: Frame, updated_ms: int) -> dict[str, Any]:
    wire: dict[str, Any] = {"id": frame.id, "state": frame.state, "visit": frame.visit}
    if frame.parent != _parent_of(frame.id):
        wire["parent"] = frame.parent
    if frame.scope:
        wire["scope"] = frame.scope
    if frame.entered_ms != updated_ms:
        wire["entered_ms"] = frame.entered_ms
    if frame.phase != "wait":
        wire["phase"] = frame.phase
    if frame.work:
        wire["work"] = frame.work
    if frame.waits:
        wire["waits"] = [_wait_to_wire(wait, frame.entered_ms) for wait in frame.waits]
    if frame.retries:
        wire["retries"] = frame.retries
    if _has_rare_of_frame(frame):
        for name in _RARE_OF_FRAME:
            value = getattr(frame, name)
            if value is not None:
                wire[name] = value
    return wire


def _has_rare_of_frame(frame: Frame) -> bool:
    """Whether one of `_RARE_OF_FRAME` is not None."""
    return (
        frame.branch is not None
        or frame.index is not None
        or frame.item is not None
        or frame.local is not None
        or frame.error is not None
        or frame.data is not None
        or frame.variables is not None
    )


def _frame_from_wire(wire: dict[str, Any], updated_ms: int) -> Frame:
    id = wire["id"]
    left = len(wire) - len(_ALWAYS_OF_FRAME)
    if (entered_ms := wire.get("entered_ms")) is None:
        entered_ms = updated_ms
    else:
        left -= 1
    if (work := wire.get("work")) is None:
        work = {}
    else:
        left -= 1
    waits: list[Wait] = []
    if (stored := wire.get("waits")) is not None:
        left -= 1
        for wait in stored:
            waits.append(_wait_from_wire(wait, entered_ms))
    frame = Frame(
        id,
        _parent_of(id),
        "",
        _shared(wire["state"]),
        wire["visit"],
        entered_ms,
        "wait",
        work,
        waits,
        NO_COUNTS,
    )
    if left:
        _take(frame, wire, left, _SELDOM_OF_FRAME)
    return frame


def _parent_of(id: str) -> str | None:
    return (id.rpartition(".")[0] or None) if "." in id else None


def _wait_to_wire(wait: Wait, entered_ms: int) -> list[Any]:
    if wait.from_now or wait.opened_ms != entered_ms:
        return [wait.type, wait.match, wait.name, wait.opened_ms, wait.from_now]
    if wait.name is not None:
        return [wait.type, wait.match, wait.name]
    return [wait.type, wait.match] if wait.match else [wait.type]


def _wait_from_wire(wait: list[Any], entered_ms: int) -> Wait:
    count = len(wait)
    if not 1 <= count <= len(_OF_WAIT):
        raise TypeError(f"a wait has one to {len(_OF_WAIT)} parts: {', '.join(_OF_WAIT)}")
    match = wait[1] if count > 1 else None
    return Wait(
        wait[0],
        [] if match is None else match,
        wait[2] if count > 2 else None,
        wait[3] if count > 3 else entered_ms,
        wait[4] if count > 4 else False,
    )
