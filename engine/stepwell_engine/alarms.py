"""Alarms: what the store keeps of timers, so that an engine is woken for them.

An alarm stands for a *slot* of its instance, whichever visit the timer there belongs to, and rings at the latest when
that timer is due. A timer that moves to a later time, as with every event that a wait in a loop takes, leaves its alarm
as it is: the one that rings too early is set anew, once per timeout instead of once per event. What is due, and under
which name, the instance says.
"""

from collections.abc import Iterable
from typing import NamedTuple

from stepwell_interpreter.decide import Decision, timer_in, timer_slot
from stepwell_schemas.commands import ClearTimer, SetTimer
from stepwell_schemas.instance import Instance
from stepwell_store.errors import CorruptValue
from stepwell_store.protocol import DueTimer

from stepwell_engine.turn import Batch, Turn

NEAR_MS = 10_000
"""An alarm that is due within this time, or was, may have rung already (by the clock of another engine), and its firing
be held by a quarantine: where such a timer moves, its alarm is always set."""


class Alarm(NamedTuple):
    """One whose timer is due, by the name and time that the instance has for it."""

    instance: str
    slot: str
    timer: str
    due_ms: int


def due(batch: Batch, rung: Iterable[DueTimer], until_ms: int) -> list[Alarm]:
    """Those whose timers are really due; the others are cleared, or set anew."""
    found: list[Alarm] = []
    for alarm in rung:
        try:
            timer = timer_of(batch, alarm.instance, alarm.slot)
        except CorruptValue:
            timer = alarm.slot, alarm.due_ms  # its turn tells
        if timer is None or timer[1] > until_ms:
            batch.writes.timers[(alarm.instance, alarm.slot)] = None if timer is None else timer[1]
        else:
            found.append(Alarm(alarm.instance, alarm.slot, *timer))
    return found


def timer_of(batch: Batch, instance_id: str, slot: str) -> tuple[str, int] | None:
    """Name and due time of an instance's timer as the batch sees it. Raises CorruptValue."""
    instance = batch.instance(instance_id)
    return None if instance is None else timer_in(instance, slot)


def follow(turn: Turn, before: Instance, decision: Decision) -> None:
    """Set the alarms of the timers that a decision has set or cleared."""
    slots: dict[str, None] = {}
    for command in decision.commands:
        if isinstance(command, SetTimer | ClearTimer):
            slots[timer_slot(command.timer)] = None
    for slot in slots:
        _set(turn, slot, before, decision.instance)


def _set(turn: Turn, slot: str, before: Instance, after: Instance) -> None:
    now = timer_in(after, slot)
    if now is None:
        turn.timers[(after.id, slot)] = None
        return
    then = timer_in(before, slot)
    if then is None or not turn.now_ms + NEAR_MS < then[1] <= now[1]:
        turn.timers[(after.id, slot)] = now[1]
