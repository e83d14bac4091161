"""What an event does in a simulated world: the engine's start-or-route for one device, on plain values."""

from typing import TYPE_CHECKING

from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.records import EventOffered
from stepwell_schemas.workflow import Accumulator

from stepwell_interpreter.decide import waits_for
from stepwell_interpreter.simulation.devices import Device, event_size

if TYPE_CHECKING:
    from stepwell_interpreter.simulation.world import World


def route(world: "World", event: DeviceEvent, *, start: bool) -> str:
    """Apply one event of a device; what has become of it."""
    assert event.device is not None, "an event is delivered to a device"
    mark = (event.source, event.id)
    if mark in world.seen:
        return "duplicate"
    device = world.device(event.device)
    device.last_ms = world.now_ms
    running = list(device.running)
    programs = [*(world.programs[id] for id in running), world.program]
    if not any(program.knows_event(event.type) for program in programs):
        world.seen.add(mark)
        return "deadLettered"
    size = event_size(event, device.next)
    deciding = running or world.program.starts_on(event.type)
    refusal = device.make_room(size, programs[0].accumulator if deciding else Accumulator())
    if refusal is not None:
        device.rejected += 1
        return "deadLettered" if refusal == "deadLetter" else "rejected"
    world.seen.add(mark)
    disposition = _apply(world, device, event, running, start)
    if disposition == "deadLettered":
        return disposition
    place = device.append(event, size)
    if disposition == "buffered":
        device.kept.add(place)
    return disposition


def offer_kept(world: "World", instance_id: str, device_id: str) -> None:
    """Offer a device's unconsumed events, oldest first, as long as one of them is taken."""
    device = world.device(device_id)
    taken = True
    while taken and device.kept:
        taken = any(
            _take_kept(world, instance_id, device, place, event) for place, event in device.available()
        )


def _apply(world: "World", device: Device, event: DeviceEvent, running: list[str], start: bool) -> str:
    offered = [_offer(world, id, event, device.next) for id in running]
    started = None
    ended = world.program.id in device.ended
    mine = world.program.starts_on(event.type)
    if start and mine and not _runs(world, device):
        policy = world.program.after_completion
        if not ended or policy == "restart":
            started = _start(world, device, event)
            if started is None and "consumed" not in offered:
                return "deadLettered"
        elif "consumed" not in offered and policy in ("deadLetter", "ignore"):
            return "deadLettered" if policy == "deadLetter" else "ignored"
    if started is not None:
        return "started"
    if "consumed" in offered:
        return "consumed"
    return "deadLettered" if "refused" in offered else "buffered"


def _offer(world: "World", id: str, event: DeviceEvent, place: int) -> str:
    instance = world.instances[id]
    if instance.status != "running" or not waits_for(instance, event.type):
        return "none"
    if world.programs[id].event_problem(event.type, event.data) is not None:
        return "refused"
    record = EventOffered(time_ms=world.now_ms, event=event, sequence=place)
    return world.apply_alone(id, record).answer


def _runs(world: "World", device: Device) -> bool:
    return any(
        world.programs[id] is world.program and world.instances[id].parent is None for id in device.running
    )


def _start(world: "World", device: Device, event: DeviceEvent) -> str | None:
    """The id of the instance that the event has started; None where its data or the input made of it are refused."""
    program = world.program
    if program.event_problem(event.type, event.data) is not None:
        return None
    document, problem = program.start_input(event)
    if problem is not None or program.input_problem(document) is not None:
        return None
    return world.start(document, device=device.id, event=event)


def _take_kept(world: "World", id: str, device: Device, place: int, event: DeviceEvent) -> bool:
    instance = world.instances[id]
    if instance.status != "running" or not waits_for(instance, event.type):
        return False
    if world.programs[id].event_problem(event.type, event.data) is not None:
        return False
    record = EventOffered(time_ms=world.now_ms, event=event, sequence=place)
    # Taken out before it is applied: what the wait leads to must not be offered it again.
    device.kept.discard(place)
    if world.apply_alone(id, record, look_back=False).answer != "consumed":
        device.kept.add(place)
        return False
    world.consumed_later(event)
    return True
