"""Stored values as the bodies of answers. Reads the stored JSON alone, so that new fields do no harm."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stepwell_ingress.dead_letters import Letter
from stepwell_interpreter.program import Program
from stepwell_schemas import device_record
from stepwell_schemas.bodies import (
    CurrentState,
    DeadLetterDetail,
    DeadLetterSummary,
    DeviceAnswer,
    EventAnswer,
    Links,
    OpenWait,
    PendingActivity,
    WorkflowStatus,
    WorkflowSummary,
)
from stepwell_schemas.durations import format_ms

STATES_SHOWN = 1_000
"""Positions of one instance that a status shows; a wide map may have many more."""

Wire = Mapping[str, Any]


def links_of(instance: str) -> Links:
    """Where to go on from an instance."""
    path = f"/workflows/{quote(instance, safe='~:')}"
    return Links(status=path, events=f"{path}/events/{{name}}", history=f"{path}/history")


def time_of(epoch_ms: int | None) -> str | None:
    """RFC 3339, or None for no time."""
    return None if epoch_ms is None else format_ms(epoch_ms)


def workflow_summary(wire: Wire) -> WorkflowSummary:
    """One line of the list."""
    return WorkflowSummary(**_summary_fields(wire))


def workflow_status(wire: Wire, program: Program | None) -> WorkflowStatus:
    """All that is known of an instance now."""
    frames = wire["frames"][:STATES_SHOWN]
    ending = wire.get("ending") is not None
    return WorkflowStatus(
        **_summary_fields(wire),
        cause=wire.get("cause"),
        input=wire.get("input"),
        state=wire.get("state") or {},
        output=wire.get("output"),
        parent=wire.get("parent"),
        revision=wire.get("revision", 0),
        current_states=[_current_state(frame, program, ending) for frame in frames],
        open_waits=[wait for frame in frames for wait in _open_waits(frame)],
        pending_activities=[_pending(frame) for frame in frames if frame["work"].get("token")],
        links=links_of(wire["id"]),
    )


def pending_status(instance: str, start: Wire, at_ms: int) -> WorkflowStatus:
    """An instance whose start is durable but not yet applied; `start` is that request, empty when it was just taken."""
    return WorkflowStatus(
        instance_id=instance,
        type=start.get("definition") or instance.rpartition("-")[0] or instance,
        version=start.get("version") or "latest",
        device=start.get("device"),
        status="pending",
        created=format_ms(at_ms),
        updated=format_ms(at_ms),
        input=start.get("input"),
        links=links_of(instance),
    )


def device_answer(device: str, stored: Wire) -> DeviceAnswer:
    """A device's figures."""
    wire = device_record.shown(stored)
    return DeviceAnswer(
        device=device,
        events=wire["next"] - wire["first"],
        bytes=wire["bytes"],
        first_sequence=wire["first"],
        next_sequence=wire["next"],
        dropped=wire["dropped"],
        rejected=wire["rejected"],
        first_activity=time_of(wire["firstMs"]),
        last_activity=time_of(wire["lastMs"]),
        running={instance: name.removeprefix("^") for instance, name in wire["running"].items()},
    )


def event_answer(id: str, source: str, mark: list[Any]) -> EventAnswer:
    """Where an event ended, from its dedupe mark (docs/decisions/0001)."""
    disposition, _, device, sequence, _, by, reason = mark
    return EventAnswer(
        id=id,
        source=source,
        disposition=disposition,
        device=device,
        sequence=sequence,
        by=by if isinstance(by, str) or by is None else ", ".join(by) or None,
        reason=reason,
    )


def letter_summary(letter: Letter) -> DeadLetterSummary:
    """One line of the list of dead letters."""
    return DeadLetterSummary(**_letter_fields(letter))


def letter_detail(letter: Letter) -> DeadLetterDetail:
    """A dead letter with all that was received; for a record of an instance, that record."""
    event: Any = letter.event
    if event is None and letter.record is not None:
        event = {"instance": letter.instance, "record": letter.record}
    return DeadLetterDetail(**_letter_fields(letter), event=event, raw=letter.raw)


def _summary_fields(wire: Wire) -> dict[str, Any]:
    return {
        "instance_id": wire["id"],
        "type": wire["definition"],
        "version": wire["version"],
        "device": wire.get("device"),
        "status": wire["status"],
        "created": format_ms(wire["created_ms"]),
        "updated": format_ms(wire["updated_ms"]),
        "ended": time_of(wire.get("ended_ms")),
        "error": wire.get("error"),
        "custom_status": wire.get("custom_status"),
    }


def _current_state(frame: Wire, program: Program | None, ending: bool) -> CurrentState:
    return CurrentState(
        name=frame["state"],
        type="compensation" if ending else _kind(frame, program),
        frame=frame["id"],
        phase=frame["phase"],
        entered=format_ms(frame["entered_ms"]),
        branch=frame.get("branch"),
        index=frame.get("index"),
    )


def _kind(frame: Wire, program: Program | None) -> str:
    machine = None if program is None else program.scopes.get(frame["scope"])
    step = None if machine is None else machine.steps.get(frame["state"])
    return "unknown" if step is None else step.kind


def _open_waits(frame: Wire) -> list[OpenWait]:
    return [
        OpenWait(
            state=frame["state"],
            frame=frame["id"],
            event=type,
            match=dict(match),
            name=name,
            opened=format_ms(opened_ms),
            due=_earliest(frame, "timeout", "silence"),
        )
        for type, match, name, opened_ms, *_ in frame["waits"]
    ]


def _pending(frame: Wire) -> PendingActivity:
    work = frame["work"]
    return PendingActivity(
        activity=work.get("activity", ""),
        state=frame["state"],
        frame=frame["id"],
        attempt=work.get("attempt", ""),
        number=work.get("number", 1),
        phase=frame["phase"],
        due=_earliest(frame, "task"),
    )


def _earliest(frame: Wire, *names: str) -> str | None:
    timers = frame["work"].get("timers") or {}
    due = [timers[name] for name in names if name in timers]
    return format_ms(min(due)) if due else None


def _letter_fields(letter: Letter) -> dict[str, Any]:
    event = letter.event or {}
    fields = {name: event.get(key) for name, key in _EVENT_FIELDS.items()}
    return {
        "id": letter.id,
        "reason": letter.reason,
        "message": letter.message,
        "at": format_ms(letter.at_ms),
        "attempts": letter.attempts,
        **{name: value if isinstance(value, str) else None for name, value in fields.items()},
    }


_EVENT_FIELDS = {"event_id": "id", "source": "source", "type": "type", "device": "subject"}
