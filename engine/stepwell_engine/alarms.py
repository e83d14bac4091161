"""Alarms: what the store keeps of timers, so that an engine is woken for them.

An alarm stands for a *slot* of its instance, whichever visit the timer there belongs to, and rings at the latest when
that timer is due. A timer that moves to a later time, as with every event that a wait in a loop takes, leaves its alarm
as it is: the one that rings too early is set anew, once per timeout instead of once per event. What is due, and under
which name, the instance says.
"""

import logging
from collections.abc import Iterable
from typing import Final, NamedTuple

from stepwell_interpreter.decide import Decision, due_in, timer_in, timer_slot
from stepwell_schemas.commands import ClearTimer, SetTimer
from stepwell_schemas.instance import Instance
from stepwell_store.errors import CorruptValue
from stepwell_store.protocol import Alarm

from stepwell_engine.turn import Batch, Turn

PUT_OFF_MS = 600_000
"""An alarm of an instance that cannot be read rings again after this time."""

TIMER_COMMANDS: Final = (SetTimer, ClearTimer)
"""Written out there, they would be put together for each command of each step."""

log = logging.getLogger("stepwell.engine")


class FiringTimer(NamedTuple):
    """A timer that is due, by the name and time that its instance has for it."""

    instance: str
    slot: str
    timer: str
    due_ms: int


def due(batch: Batch, rung: Iterable[Alarm], until_ms: int) -> list[FiringTimer]:
    """The timers that are really due; the alarms of others are cleared, or set anew."""
    found: list[FiringTimer] = []
    for alarm in rung:
        try:
            timer = timer_of(batch, alarm.instance, alarm.slot)
        except CorruptValue as error:
            log.error("%s; its timer is put off", error)
            batch.writes.timers[(alarm.instance, alarm.slot)] = until_ms + PUT_OFF_MS
            continue
        if timer is None or timer[1] > until_ms:
            batch.writes.timers[(alarm.instance, alarm.slot)] = None if timer is None else timer[1]
        else:
            found.append(FiringTimer(alarm.instance, alarm.slot, *timer))
    return found


def timer_of(batch: Batch, instance_id: str, slot: str) -> tuple[str, int] | None:
    """Name and due time of an instance's timer as the batch sees it. Raises CorruptValue."""
    instance = batch.instance(instance_id)
    return None if instance is None else timer_in(instance, slot)


def follow(turn: Turn, before: Instance, decision: Decision) -> None:
    """Set the alarms of the timers that a decision has set or cleared."""
    slots: dict[str, None] = {}
    for command in decision.commands:
        if isinstance(command, TIMER_COMMANDS):
            slots[timer_slot(command.timer)] = None
    for slot in slots:
        _set(turn, slot, before, decision.instance)


def _set(turn: Turn, slot: str, before: Instance, after: Instance) -> None:
    now = due_in(after, slot)
    if now is None:
        turn.timers[(after.id, slot)] = None
        return
    then = due_in(before, slot)
    # The alarm of a timer that was due may be gone: it has rung, and a quarantine held what it rang for.
    if then is None or now < then or then <= turn.now_ms or after.id in turn.lifted:
        turn.timers[(after.id, slot)] = now
