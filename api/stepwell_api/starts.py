"""Starts on their way to the store: checked, placed, and recorded as one act each; many of them in one trip."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from stepwell_ingress.shared_trips import SharedTrips
from stepwell_interpreter.program import Program
from stepwell_schemas.bodies import StartRequest
from stepwell_store.errors import StoreError
from stepwell_store.partition import instance_id, partition_of
from stepwell_store.protocol import RequestedStart, StartReceipt, Store

from stepwell_api.definitions import Definitions
from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.views import links_of

TRIP_STARTS = 200
TRIP_BYTES = 4 * 1024 * 1024
"""Starts go to the store together until they are as many, or their records hold this much."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a start. `reply`: where the engine is to answer."""

    request: StartRequest
    actor: str
    reply: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A start that may go on, of this program."""

    program: Program
    start: RequestedStart


@dataclass(frozen=True, slots=True)
class Recorded:
    """A start that the store has answered."""

    program: Program
    start: RequestedStart
    receipt: StartReceipt


class Starts:
    """Starts that are asked for together are checked, placed and recorded together. Belongs to one event loop."""

    def __init__(self, store: Store, definitions: Definitions) -> None:
        self._store = store
        self._definitions = definitions
        self._trips = SharedTrips("starts", self._go, lambda waiting: min(len(waiting), TRIP_STARTS))

    async def record(self, asked: Asked) -> Recorded:
        """Raises ProblemRaised: 404 unknown type, 409 the id lives elsewhere, 422 wrong input. Raises StoreError."""
        return await self._trips.ask(asked)

    async def close(self) -> None:
        """Record what waits, then end the thread."""
        await self._trips.close()

    def _go(self, group: Sequence[Asked]) -> list[Recorded | Exception]:
        prepared = self._prepare(group)
        going = [one for one in prepared if isinstance(one, Prepared)]
        receipts = iter(
            [receipt for some in _parted([one.start for one in going]) for receipt in self._receipts(some)]
        )
        return [_recorded(one, next(receipts)) if isinstance(one, Prepared) else one for one in prepared]

    def _prepare(self, group: Sequence[Asked]) -> list[Prepared | Exception]:
        programs = self._definitions.find_all(
            [(asked.request.type, asked.request.version) for asked in group]
        )
        prepared = [
            _prepared(asked, program, self._store.partitions)
            for asked, program in zip(group, programs, strict=True)
        ]
        chosen = [
            (one.start.instance, one.start.partition)
            for asked, one in zip(group, prepared, strict=True)
            if isinstance(one, Prepared) and asked.request.instance_id is not None
        ]
        homes = dict(zip((instance for instance, _ in chosen), self._store.place_all(chosen), strict=True))
        return [
            in_use(one.start.instance)
            if isinstance(one, Prepared)
            and homes.get(one.start.instance, one.start.partition) != one.start.partition
            else one
            for one in prepared
        ]

    def _receipts(self, starts: Sequence[RequestedStart]) -> Sequence[StartReceipt | StoreError]:
        try:
            return self._store.request_starts(starts)
        except StoreError as error:  # what went before was taken: it is not for those
            return [error] * len(starts)


def _prepared(asked: Asked, program: Program | Exception, partitions: int) -> Prepared | Exception:
    """The start with the place that it has unless its id lives elsewhere. What is wrong with it is its own."""
    if isinstance(program, Exception):
        return program
    request = asked.request
    try:
        found = program.input_problem(request.input)
        if found is not None:
            return field_problem(f"/input{found[1]}", found[0], "input")
        if request.instance_id is None:
            unique = secrets.token_hex(8)
            partition = partition_of(request.device or unique, partitions)
            instance = instance_id(program.id, unique, partition)
        else:
            instance = request.instance_id
            partition = partition_of(request.device or instance, partitions)
        record = _start_record(program, instance, asked)
        return Prepared(program, RequestedStart(partition, instance, _fingerprint(request), record))
    except Exception as error:  # noqa: BLE001  # others go on the same trip
        return error


def _recorded(one: Prepared, receipt: StartReceipt | StoreError) -> Recorded | StoreError:
    return Recorded(one.program, one.start, receipt) if isinstance(receipt, StartReceipt) else receipt


def _parted(starts: Sequence[RequestedStart]) -> Iterator[list[RequestedStart]]:
    """Groups of at most so many bytes, at least one start each."""
    group: list[RequestedStart] = []
    size = 0
    for start in starts:
        if group and size + len(start.record) > TRIP_BYTES:
            yield group
            group, size = [], 0
        group.append(start)
        size += len(start.record)
    if group:
        yield group


def _fingerprint(asked: StartRequest) -> str:
    content = [asked.type, asked.version, asked.device, asked.input]
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _start_record(program: Program, instance: str, asked: Asked) -> bytes:
    return orjson.dumps(
        {
            "op": "start",
            "instance": instance,
            "definition": program.id,
            "version": program.version,
            "device": asked.request.device,
            "input": asked.request.input,
            "actor": asked.actor,
            "reply": asked.reply,
        }
    )


def in_use(instance: str) -> ProblemRaised:
    """409 for an id."""
    return ProblemRaised(
        409,
        f"the instanceId {instance!r} is taken by a start with another type, version, device or input",
        instanceId=instance,
        links=links_of(instance).model_dump(),
    )
