"""What an instance waits for, read off its frames: for routing, status pages and the doctor."""

from typing import Any

from stepwell_schemas.instance import Frame, Instance

from stepwell_interpreter.task import HEARTBEAT_TIMER


def waits_for(instance: Instance, event_type: str) -> bool:
    """Whether an open wait asks for events of this type."""
    for frame in instance.frames.values():
        for wait in frame.waits:
            if wait.type == event_type:
                return True
    return False


def heartbeat_token(instance: Instance, timer: str) -> str | None:
    """The token of the attempt that a heartbeat timer watches; None for any other timer."""
    id, _, rest = timer.partition("/")
    visit, _, what = rest.partition("/")
    frame = instance.frames.get(id)
    if what != HEARTBEAT_TIMER or frame is None or str(frame.visit) != visit:
        return None
    token: Any = frame.work.get("token")
    return token if isinstance(token, str) else None


def timer_slot(timer: str) -> str:
    """Where a timer stands, at whichever visit: `<frame>/<what>`, or the instance's own."""
    frame, _, rest = timer.partition("/")
    return f"{frame}/{rest.rpartition('/')[2]}" if rest else timer


def due_in(instance: Instance, slot: str) -> int | None:
    """When the timer that stands there now is due; None where none does."""
    id, _, what = slot.partition("/")
    if not what:
        return instance.deadline_ms
    frame = instance.frames.get(id)
    timers = None if frame is None else frame.work.get("timers")
    return timers.get(what) if timers else None


def timer_in(instance: Instance, slot: str) -> tuple[str, int] | None:
    """Name and due time of the timer that stands there now; None where none does."""
    due_ms = due_in(instance, slot)
    if due_ms is None:
        return None
    id, _, what = slot.partition("/")
    return (f"{id}/{instance.frames[id].visit}/{what}" if what else slot), due_ms


def describe(instance: Instance) -> dict[str, Any]:
    """Where the instance stands: `currentStates openWaits pendingActivities pendingChildren callbacks timers`."""
    frames = list(instance.frames.values())
    return {
        "currentStates": [_position(frame) for frame in frames],
        "openWaits": [
            {
                "state": frame.state,
                "frame": frame.id,
                "eventType": wait.type,
                "match": dict(wait.match),
                "name": wait.name,
                "openedMs": wait.opened_ms,
                "fromNow": wait.from_now,
                "received": len(frame.work.get("got", {}).get(wait.name or "", ())),
            }
            for frame in frames
            for wait in frame.waits
        ],
        "pendingActivities": [
            {
                "state": frame.state,
                "frame": frame.id,
                "activity": frame.work["activity"],
                "queue": frame.work["queue"],
                "attempt": frame.work["attempt"],
                "token": frame.work["token"],
                "number": frame.work["number"],
                "losses": frame.work["lost"],
            }
            for frame in frames
            if "token" in frame.work
        ],
        "pendingChildren": [
            {"state": frame.state, "frame": frame.id, "instance": frame.work["child"]}
            for frame in frames
            if "child" in frame.work
        ],
        "callbacks": [
            {"state": frame.state, "frame": frame.id, "attempt": frame.work["attempt"]}
            for frame in frames
            if frame.phase == "callback"
        ],
        "timers": _timers(instance),
        "keptEvents": len(instance.kept),
        "undoable": len(instance.undo),
    }


def obligations(instance: Instance) -> list[dict[str, Any]]:
    """What keeps a running instance alive, one entry each: `{kind, frame, state, name}`.

    `kind` is wait, timer, attempt, child or callback. Empty for one that runs is a hung instance: a fault of ours.
    The instance's own timeout is none: it ends the instance, it does not carry it on.
    """
    found: list[dict[str, Any]] = []
    for frame in instance.frames.values():
        names: list[tuple[str, Any]] = [("wait", wait.type) for wait in frame.waits]
        names += [("timer", f"{frame.id}/{frame.visit}/{what}") for what in frame.work.get("timers", ())]
        names += [("attempt", frame.work["token"])] if "token" in frame.work else []
        names += [("child", frame.work["child"])] if "child" in frame.work else []
        names += [("callback", frame.work["attempt"])] if frame.phase == "callback" else []
        found += [
            {"kind": kind, "frame": frame.id, "state": frame.state, "name": name} for kind, name in names
        ]
    return found


def _position(frame: Frame) -> dict[str, Any]:
    position: dict[str, Any] = {
        "state": frame.state,
        "frame": frame.id,
        "phase": frame.phase,
        "enteredMs": frame.entered_ms,
    }
    if frame.branch is not None:
        position["branch"] = frame.branch
    if frame.index is not None:
        position["index"] = frame.index
    if frame.phase == "join" and "items" in frame.work:
        work = frame.work
        position["progress"] = {
            "items": len(work["items"]),
            "done": work["next"] - work["running"],
            "running": work["running"],
            "failed": work["failures"],
        }
    return position


def _timers(instance: Instance) -> list[dict[str, Any]]:
    timers: list[dict[str, Any]] = [
        {"timer": f"{frame.id}/{frame.visit}/{what}", "dueMs": due, "state": frame.state}
        for frame in instance.frames.values()
        for what, due in frame.work.get("timers", {}).items()
    ]
    if instance.deadline_ms is not None:
        timers.append({"timer": "timeout", "dueMs": instance.deadline_ms, "state": None})
    return timers
