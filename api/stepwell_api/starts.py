"""Starts on their way to the store: checked, placed, and recorded as one act each; many of them in one trip."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from stepwell_ingress.shared_trips import SharedTrips, answers_or_error, fitting
from stepwell_interpreter.program import Program
from stepwell_schemas.bodies import StartRequest
from stepwell_store.partition import instance_id, partition_of
from stepwell_store.protocol import RequestedStart, StartReceipt, Store

from stepwell_api.definitions import Definitions
from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.views import links_of

TRIP_STARTS = 200
TRIP_BYTES = 4 * 1024 * 1024
"""One trip takes starts until they are as many, or their requests hold this much."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a start. `size`: of its body, in bytes. `reply`: where the engine is to answer."""

    request: StartRequest
    size: int
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
        self._trips = SharedTrips("starts", self._go, _fit, abreast=4)

    async def record(self, asked: Asked) -> Recorded:
        """Raises ProblemRaised: 404 unknown type, 409 the id lives elsewhere, 422 wrong input. Raises StoreError."""
        return await self._trips.ask(asked)

    async def close(self) -> None:
        """Record what waits, then end the threads."""
        await self._trips.close()

    def _go(self, group: Sequence[Asked]) -> list[Recorded | Exception]:
        programs = self._definitions.find_all([(one.request.type, one.request.version) for one in group])
        prepared: dict[int, Prepared] = {}
        answers: dict[int, Recorded | Exception] = {}
        for n, (asked, program) in enumerate(zip(group, programs, strict=True)):
            one = _prepared(asked, program, self._store.partitions)
            if isinstance(one, Prepared):
                prepared[n] = one
            else:
                answers[n] = one
        answers |= self._misplaced(
            {n: one for n, one in prepared.items() if group[n].request.instance_id is not None}
        )
        going = {n: one for n, one in prepared.items() if n not in answers}
        starts = [one.start for one in going.values()]
        receipts = answers_or_error(len(starts), lambda: self._store.request_starts(starts))
        for (n, one), receipt in zip(going.items(), receipts, strict=True):
            if isinstance(receipt, StartReceipt):
                answers[n] = Recorded(one.program, one.start, receipt)
            else:
                answers[n] = receipt
        return [answers[n] for n in range(len(group))]

    def _misplaced(self, chosen: dict[int, Prepared]) -> dict[int, Exception]:
        """What is wrong with the places of ids that callers chose."""
        wanted = [(one.start.instance, one.start.partition) for one in chosen.values()]
        homes = answers_or_error(len(wanted), lambda: self._store.place_all(wanted))
        return {
            n: home if isinstance(home, Exception) else in_use(instance)
            for n, (instance, partition), home in zip(chosen, wanted, homes, strict=True)
            if home != partition
        }


def _fit(waiting: Sequence[Asked]) -> int:
    return fitting((asked.size for asked in waiting), TRIP_STARTS, TRIP_BYTES)


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
