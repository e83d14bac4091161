"""What is read from the store for a batch, and how stored bytes become the values that it decides on."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import orjson
from stepwell_schemas import instance as instances
from stepwell_schemas.event import DeviceEvent
from stepwell_schemas.instance import Instance
from stepwell_store.batches import Loaded, Wanted
from stepwell_store.errors import CorruptValue

from stepwell_engine import device as devices
from stepwell_engine.cache import Cache
from stepwell_engine.device import SIZES_BYTES, Device, Sizes
from stepwell_engine.kept import Events, KeptEvents

log = logging.getLogger("stepwell.engine")


class Loader:
    """Values that no load beforehand has foreseen, read one by one, when every commit that was sent is confirmed."""

    def __init__(self, store: Any, confirm: Callable[[], None]) -> None:
        self._store = store
        self._confirm = confirm
        self.kept = KeptEvents()

    def instance(self, partition: int, id: str) -> tuple[Instance | None, int]:
        self._confirm()
        raw = self._store.instance(partition, id)
        return (None, 0) if raw is None else (decode_instance(id, raw), len(raw))

    def device(self, partition: int, id: str) -> tuple[Device | None, int]:
        self._confirm()
        raw = self._store.device(partition, id)
        return (None, 0) if raw is None else (decode_device(id, raw), len(raw))

    def available(self, partition: int, device: str) -> Events:
        known = self.kept.find(device)
        if known is None:
            self._confirm()
            (loaded,) = self._store.load([Wanted(partition, available=[device])], 0)
            found = loaded.available.get(device, [])
            known = {n: DeviceEvent.from_document(_without_n(orjson.loads(raw))) for n, raw in found}
            self.kept.put(device, known, sum(len(raw) for _, raw in found))
        return known

    def sizes(self, partition: int, device: str, after: int, limit: int) -> list[tuple[int, int, int]]:
        self._confirm()
        return [sizes_of(n, body) for n, body in self._store.device_events(partition, device, after, limit)]


def sizes_of(n: int, body: bytes) -> Sizes:
    """The figures of an accumulated event. Raises ValueError, KeyError or TypeError for what is none."""
    return n, len(body), orjson.loads(body)["received"]


def take(
    wanted: Wanted, loaded: Loaded, known_instances: Cache[Instance], known_devices: Cache[Device]
) -> None:
    """Cache what was loaded; what cannot be read is left for the turn that needs it, to be named there."""
    for id in wanted.instances:
        if id not in loaded.instances:
            known_instances.put(id, None, 0)
    for id, stored in loaded.instances.items():
        if id in known_instances:
            continue  # it came with its device, and is known as it is now
        try:
            known_instances.put(id, decode_instance(id, stored), len(stored))
        except CorruptValue as error:
            log.error("%s", error)
    for id in wanted.devices:
        raw = loaded.devices.get(id)
        try:
            known_devices.put(id, None if raw is None else decode_device(id, raw), len(raw or b""))
        except CorruptValue as error:
            log.error("%s", error)
    for id, events in loaded.oldest.items():
        device = known_devices.get(id)
        if device is not None:
            known = len(device.oldest)
            _learn(device, events)
            known_devices.grow(id, SIZES_BYTES * (len(device.oldest) - known))


def _learn(device: Device, events: Sequence[tuple[int, bytes]]) -> None:
    """What came of a device's oldest accumulated events. It may have been read before the last batch was written."""
    with suppress(ValueError, KeyError, TypeError):  # whoever needs it reads it by itself, and tells
        device.learn([sizes_of(n, body) for n, body in events])


def decode_instance(id: str, raw: bytes) -> Instance:
    """The instance of stored bytes. Raises CorruptValue that names it."""
    try:
        instance = instances.from_wire(orjson.loads(raw))
        if not _is_sound(instance):
            raise TypeError("a field has a value of another type")
        if instance.id == id:
            instance.id = id  # one text of it, not two
        return instance
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptValue(f"instance:{id}", f"is not a stored instance: {error!r}") from error


def _is_sound(instance: Instance) -> bool:
    """Whether the values that the engine itself reads have their types; `decide` reads the rest within a turn."""
    deadline_ms: Any = (
        instance.deadline_ms
    )  # of no type: compiled, one that is true would be looked at as a number
    if not (
        isinstance(instance.status, str)
        and isinstance(instance.definition, str)
        and _is_time(instance.created_ms)
        and isinstance(instance.held, list)
        and (deadline_ms is None or _is_time(deadline_ms))
    ):
        return False
    for frame in instance.frames.values():
        work = frame.work
        if not (isinstance(work, dict) and isinstance(frame.id, str) and _are_times(work.get("timers"))):
            return False
    return True


def _are_times(timers: Any) -> bool:
    if timers is None:
        return True
    if not isinstance(timers, dict):
        return False
    for due in timers.values():  # noqa: SIM110 - a generator costs more, and every load looks
        if not _is_time(due):
            return False
    return True


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def decode_device(id: str, raw: bytes) -> Device:
    """The device of stored bytes. Raises CorruptValue that names it."""
    try:
        return devices.decode(id, raw)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptValue(f"device:{id}", f"is not a stored device: {error!r}") from error


def _without_n(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "n"}
