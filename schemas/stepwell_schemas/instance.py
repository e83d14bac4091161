"""The instance of a workflow: all that is known of one run, as plain data that goes to JSON and back.

Instances are values: `decide` never changes one it was given, it returns a new one that shares what is the same.
"""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

Status = Literal["running", "succeeded", "failed", "timedOut", "cancelled", "quarantined"]
TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "timedOut", "cancelled"})


@dataclass(slots=True)
class Wait:
    """One open event wait of a frame: an event of `type` whose data equals `match` (path, value) is taken."""

    type: str
    match: list[list[Any]] = field(default_factory=list)
    name: str | None = None
    opened_ms: int = 0
    from_now: bool = False


@dataclass(slots=True)
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


@dataclass(slots=True)
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


_FRAME_DEFAULTS: dict[str, Any] = {
    "branch": None,
    "index": None,
    "item": None,
    "local": None,
    "error": None,
    "data": None,
    "variables": None,
}


_NAMES = tuple(name for name in Instance.__slots__ if name != "frames")
_values = attrgetter(*_NAMES)
_rare_values = attrgetter(*_FRAME_DEFAULTS)
_NOTHING_RARE = tuple(_FRAME_DEFAULTS.values())


def to_wire(instance: Instance) -> dict[str, Any]:
    """The JSON object that is stored. `from_wire(to_wire(x)) == x` for every instance."""
    wire: dict[str, Any] = dict(zip(_NAMES, _values(instance), strict=True))
    wire["frames"] = [_frame_to_wire(frame) for frame in instance.frames.values()]
    return wire


def from_wire(wire: dict[str, Any]) -> Instance:
    """The instance of a stored JSON object. Raises KeyError or TypeError for anything else."""
    frames = {item["id"]: _frame_from_wire(item) for item in wire["frames"]}
    return Instance(**{**wire, "frames": frames})


def _frame_to_wire(frame: Frame) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "id": frame.id,
        "parent": frame.parent,
        "scope": frame.scope,
        "state": frame.state,
        "visit": frame.visit,
        "entered_ms": frame.entered_ms,
        "phase": frame.phase,
        "work": frame.work,
        "waits": [[wait.type, wait.match, wait.name, wait.opened_ms, wait.from_now] for wait in frame.waits],
        "retries": frame.retries,
    }
    rare = _rare_values(frame)
    if rare != _NOTHING_RARE:
        for (name, default), value in zip(_FRAME_DEFAULTS.items(), rare, strict=True):
            if value is not default:
                wire[name] = value
    return wire


def _frame_from_wire(wire: dict[str, Any]) -> Frame:
    return Frame(**{**wire, "waits": [Wait(*wait) for wait in wire["waits"]]})
