"""How what a simulated world has dispatched comes to its end: who is asked, when the answer comes, what it does.

A callback task ends twice: its body by `submitted`, then the task by the outcome itself, through its token.
"""

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from stepwell_schemas.records import (
    ActivityCompleted,
    ActivityFailed,
    AttemptLost,
    CallbackEnded,
    ChildEnded,
    Record,
)

from stepwell_interpreter.failures import RUNTIME, TASK_FAILED
from stepwell_interpreter.scope import MISSING
from stepwell_interpreter.simulation.devices import BUILT_IN, built_in
from stepwell_interpreter.simulation.outcomes import Outcome
from stepwell_interpreter.simulation.pending import Pending
from stepwell_interpreter.simulation.schedule import Answer

if TYPE_CHECKING:
    from stepwell_interpreter.simulation.world import World


def ask(world: "World") -> None:
    """Ask what the attempts and children dispatched since then come to, in their order."""
    while world.unasked:
        pending = world.pending.get(world.unasked.popleft())
        if pending is None:
            continue
        outcome = None if world.answerer is None else world.answerer(world, pending)
        if outcome is None and pending.name in BUILT_IN and not pending.is_child:
            device = world.instances[pending.instance].device
            outcome = built_in(world.devices, pending.name, pending.input, device)
        if outcome is not None:
            _schedule(world, pending, _through_callback(pending, outcome))
        elif pending.is_child:
            _start_child(world, pending)


def answer(world: "World", token: str, outcome: Outcome) -> str:
    """A pending attempt or child ends now; what `decide` answered, or `stale`."""
    pending = world.pending.get(token)
    if pending is None or not _still_wanted(world, pending):
        world.pending.pop(token, None)
        return "stale"
    if pending.is_child:
        return _end_child(world, pending, outcome)
    if pending.called_back:
        return _call_back(world, pending, outcome)
    if outcome.submitted is MISSING:
        if outcome.timed_out:
            return "accepted"
        if outcome.lost or outcome.fails:
            del world.pending[token]
            return world.apply(pending.instance, _bad_end(world, pending, outcome)).answer
    return _complete(world, pending, outcome)


def derived_seed(seed: str, id: str) -> str:
    """The chance of an instance that another one, or an event, has started."""
    return blake2b(f"{seed}/{id}".encode(), digest_size=16).hexdigest()


def _through_callback(pending: Pending, outcome: Outcome) -> Outcome:
    """An outcome given for a callback task is what comes through its token; its body just ends."""
    if pending.callback is None or pending.submits or outcome.submitted is not MISSING:
        return outcome
    return outcome if outcome.fails or outcome.lost else replace(outcome, submitted=None)


def _schedule(world: "World", pending: Pending, outcome: Outcome) -> None:
    if outcome.timed_out and (pending.called_back or outcome.submitted is MISSING):
        return
    submits = outcome.submitted is not MISSING and not pending.called_back
    due_ms = world.now_ms if submits else pending.dispatched_ms + outcome.after_ms
    world.answered.add(pending.token)
    world.schedule.add(max(due_ms, world.now_ms), Answer(pending.token, outcome))


def _still_wanted(world: "World", pending: Pending) -> bool:
    return not pending.called_back or pending.still_wanted(world.instances[pending.instance])


def _bad_end(world: "World", pending: Pending, outcome: Outcome) -> Record:
    if outcome.lost:
        reason = outcome.cause or "the worker gave no sign of life"
        return AttemptLost(world.now_ms, pending.attempt, pending.token, reason)
    return ActivityFailed(
        time_ms=world.now_ms,
        attempt=pending.attempt,
        token=pending.token,
        error=outcome.error,
        cause=outcome.cause or "",
        started_ms=pending.dispatched_ms,
        retryable=outcome.retryable,
        worker=outcome.worker,
    )


def _complete(world: "World", pending: Pending, outcome: Outcome) -> str:
    """The body has ended well; where the task has a callback, its outcome comes through that."""
    del world.pending[pending.token]
    waiting = pending.after_body()
    submitted = outcome.submitted is not MISSING
    if pending.callback and (submitted or not pending.submits):
        world.pending[pending.token] = waiting
    record = ActivityCompleted(
        time_ms=world.now_ms,
        attempt=pending.attempt,
        token=pending.token,
        output=outcome.submitted if submitted else outcome.output,
        started_ms=pending.dispatched_ms,
        worker=outcome.worker,
        submitted=submitted,
    )
    answered = world.apply(pending.instance, record).answer
    if submitted and pending.token in world.pending:
        _schedule(world, waiting, outcome)
    return answered


def _call_back(world: "World", pending: Pending, outcome: Outcome) -> str:
    if outcome.timed_out:
        return "accepted"
    del world.pending[pending.token]
    record = CallbackEnded(
        time_ms=world.now_ms,
        attempt=pending.attempt,
        token=pending.callback or "",
        output=outcome.output,
        error=outcome.error,
        cause=outcome.cause,
        failed=outcome.fails,
    )
    return world.apply(pending.instance, record).answer


def _start_child(world: "World", pending: Pending) -> None:
    """Run a child workflow for real, where its program is known; else it waits to be answered."""
    program = world.workflow(pending.name)
    if program is None:
        return
    found = program.input_problem(pending.input)
    if found is not None:
        cause = f"the input of {pending.name} is refused at {found[1] or '/'}: {found[0]}"
        _end_child(world, pending, Outcome(error=RUNTIME, cause=cause))
        return
    parent = world.instances[pending.instance]
    world.start(
        pending.input,
        id=pending.token,
        device=parent.device,
        program=program,
        parent=parent.id,
        seed=derived_seed(parent.seed, pending.token),
    )


def _end_child(world: "World", pending: Pending, outcome: Outcome) -> str:
    if outcome.timed_out:
        return "accepted"
    del world.pending[pending.token]
    failed = outcome.fails or outcome.lost
    record = ChildEnded(
        time_ms=world.now_ms,
        child=pending.token,
        status="failed" if failed else "succeeded",
        output=outcome.output,
        error=(TASK_FAILED if outcome.error is None else outcome.error) if failed else None,
        cause=outcome.cause or "",
    )
    return world.apply(pending.instance, record).answer
