"""Starting an instance: checked here, reserved and recorded as one act, then applied and answered by the engine.

The same id with the same request is answered like the first time; the engine has the last word on what runs already.
"""

from typing import Any, Literal

import orjson
from starlette.concurrency import run_in_threadpool
from stepwell_schemas.bodies import StartAnswer, StartRequest

from stepwell_api.problems import ProblemRaised, field_problem
from stepwell_api.services import Services
from stepwell_api.starts import Asked, Recorded, in_use
from stepwell_api.views import links_of


async def start(services: Services, asked: StartRequest, size: int, actor: str) -> StartAnswer:
    """Start, or say why not: 404 unknown type, 409 running already or id in use, 422 wrong input.

    `size`: of the request's body, in bytes.
    """
    async with services.replies.expect() as expected:
        recorded = await services.starts.record(Asked(asked, size, actor, expected.to))
        if recorded.receipt.status == "conflict":
            raise in_use(recorded.start.instance)
        if recorded.receipt.status == "repeated":
            known = await run_in_threadpool(_status, services, recorded)
            if known is not None:
                return _answer(recorded, known)
            # Not applied yet: the engine answers a repeated start like the first, so ask it again.
            await services.inboxes.append(recorded.start.partition, recorded.start.record)
        reply = await expected.answer()
    if reply is None:
        return _answer(recorded, "accepted")
    _check_reply(reply, asked)
    return _answer(
        recorded, reply.get("state") or await run_in_threadpool(_status, services, recorded) or "running"
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


Status = Literal["accepted", "running", "succeeded", "failed", "timedOut", "cancelled", "quarantined"]


def _status(services: Services, recorded: Recorded) -> Status | None:
    raw = services.store.instance(recorded.start.partition, recorded.start.instance)
    if raw is None:
        return None
    status: Status = orjson.loads(raw)["status"]
    return status


def _answer(recorded: Recorded, status: Status) -> StartAnswer:
    return StartAnswer(
        instance_id=recorded.start.instance,
        type=recorded.program.id,
        version=recorded.program.version,
        status=status,
        links=links_of(recorded.start.instance),
    )
