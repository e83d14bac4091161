"""Starting an instance: checked here, reserved and recorded as one act, then applied and answered by the engine.

The same id with the same request is answered like the first time; the engine has the last word on what runs already.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.concurrency import run_in_threadpool
from stepwell_interpreter.program import Program
from stepwell_schemas.bodies import StartAnswer, StartRequest
from stepwell_store.partition import instance_id, partition_of

from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.replies import Expected
from stepwell_api.services import Services
from stepwell_api.views import links_of


@dataclass(frozen=True, slots=True)
class Placed:
    """A start that may go on: its program, id and partition."""

    program: Program
    instance: str
    partition: int
    fingerprint: str


async def start(services: Services, asked: StartRequest, actor: str) -> StartAnswer:
    """Start, or say why not: 404 unknown type, 409 running already or id in use, 422 wrong input."""
    placed = await run_in_threadpool(_place, services, asked)
    async with services.replies.expect() as expected:
        record = _record(placed, asked, actor, expected)
        receipt = await run_in_threadpool(
            services.store.request_start, placed.partition, placed.instance, placed.fingerprint, record
        )
        if receipt.status == "conflict":
            raise _in_use(placed.instance)
        if receipt.status == "repeated":
            known = await run_in_threadpool(_status, services, placed)
            if known is not None:
                return _answer(placed, known)
            # Not applied yet: the engine answers a repeated start like the first, so ask it again.
            await run_in_threadpool(services.store.append_records, placed.partition, [record])
        reply = await expected.answer()
    if reply is None:
        return _answer(placed, "accepted")
    _check_reply(reply, asked)
    status = await run_in_threadpool(_status, services, placed)
    return _answer(placed, status or "running")


def _place(services: Services, asked: StartRequest) -> Placed:
    program = services.definitions.find(asked.type, asked.version)
    found = program.input_problem(asked.input)
    if found is not None:
        raise field_problem(f"/input{found[1]}", found[0], "input")
    store, device = services.store, asked.device
    if asked.instance_id is None:
        unique = secrets.token_hex(8)
        partition = partition_of(device or unique, store.partitions)
        instance = instance_id(program.id, unique, partition)
    else:
        instance = asked.instance_id
        wanted = partition_of(device or instance, store.partitions)
        partition = store.place(instance, wanted)
        if partition != wanted:
            raise _in_use(instance)
    return Placed(program, instance, partition, _fingerprint(asked))


def _fingerprint(asked: StartRequest) -> str:
    content = [asked.type, asked.version, asked.device, asked.input]
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _record(placed: Placed, asked: StartRequest, actor: str, expected: Expected) -> bytes:
    return orjson.dumps(
        {
            "op": "start",
            "instance": placed.instance,
            "definition": placed.program.id,
            "version": placed.program.version,
            "device": asked.device,
            "input": asked.input,
            "actor": actor,
            "reply": expected.to,
        }
    )


def _check_reply(reply: dict[str, Any], asked: StartRequest) -> None:
    match reply.get("status"):
        case "started":
            return
        case "conflict":
            first = str(reply["instance"])
            raise ProblemRaised(
                409,
                f"{asked.type} already runs for device {asked.device!r} as {first}",
                instanceId=first,
                links=links_of(first).model_dump(),
            )
        case "rejected" if reply.get("pointer") is not None:
            raise field_problem(f"/input{reply['pointer']}", str(reply.get("message", "")), "input")
        case _:
            raise ProblemRaised(409, str(reply.get("message", "the engine refused the start")))


def _in_use(instance: str) -> ProblemRaised:
    return ProblemRaised(
        409,
        f"the instanceId {instance!r} is taken by a start with another type, version, device or input",
        instanceId=instance,
        links=links_of(instance).model_dump(),
    )


Status = Literal["accepted", "running", "succeeded", "failed", "timedOut", "cancelled", "quarantined"]


def _status(services: Services, placed: Placed) -> Status | None:
    raw = services.store.instance(placed.partition, placed.instance)
    if raw is None:
        return None
    status: Status = orjson.loads(raw)["status"]
    return status


def _answer(placed: Placed, status: Status) -> StartAnswer:
    return StartAnswer(
        instance_id=placed.instance,
        type=placed.program.id,
        version=placed.program.version,
        status=status,
        links=links_of(placed.instance),
    )
