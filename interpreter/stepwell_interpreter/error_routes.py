"""Where an error goes: a retry, else a catch, else the state's `onError`, else (at the root) the configuration's.

An error that nothing takes ends the machine it happened in. `configuration.onError` does not take an error of the
very state it names, which would lead straight back.
"""

from collections.abc import Sequence
from typing import Any

from stepwell_schemas.instance import Frame

from stepwell_interpreter.agenda import Ended, Enter, Failed
from stepwell_interpreter.draft import Draft
from stepwell_interpreter.failures import StateFailure, matches_error
from stepwell_interpreter.program import RetryRule, Step
from stepwell_interpreter.retry import delay_ms
from stepwell_interpreter.trace import note, note_exited


def route(draft: Draft, failed: Failed) -> None:
    """Send the error of an owned frame's state where it belongs."""
    frame = failed.frame
    step = draft.step(frame)
    draft.disarm_all(frame)
    frame.waits = []
    names = (failed.error,) if failed.alias is None else (failed.error, failed.alias)
    try:
        if failed.attempted and back_off(draft, frame, step, step.retry, names, failed.cause):
            return
    except StateFailure as failure:
        failed, names = step.data.failure(draft, frame, failure), (failure.error,)
    step.data.gave_up(draft, frame, step, failed)
    for rule in step.catch:
        if any(matches_error(rule.errors, name) for name in names):
            try:
                kept = step.data.caught(draft, frame, rule, failed)
            except StateFailure as failure:
                failed = step.data.failure(draft, frame, failure)
                break
            lead_on(draft, failed, step, rule.next, "catch", kept)
            return
    _last_resort(draft, failed, step)


def back_off(
    draft: Draft,
    frame: Frame,
    step: Step,
    rules: Sequence[RetryRule],
    names: Sequence[str | None],
    cause: str | None,
) -> bool:
    """Arm the pause before the next try where a rule grants one. Raises StateFailure for a wrong duration."""
    for index, rule in enumerate(rules):
        if not any(matches_error(rule.errors, name) for name in names):
            continue
        used = frame.retries.get(str(index), 0) + 1
        if used > rule.max_attempts:
            return False
        scope = step.data.scope(draft, frame, f"retry{index}")
        maximum = None if rule.maximum is None else rule.maximum(scope)
        seed = ""
        if rule.jitter != "none":
            seed = f"{draft.instance.seed}/{frame.visit}/{index}/{frame.work.get('number', 0)}/{used}"
        delay = delay_ms(rule.interval(scope), rule.coefficient, used, maximum, rule.jitter, seed)
        frame.retries = {**frame.retries, str(index): used}
        frame.phase = "backoff"
        draft.arm(frame, "backoff", draft.now_ms + delay)
        note(draft, "TaskRetried", frame, error=names[0], cause=cause, retry=used, delayMs=delay)
        return True
    return False


def lead_on(draft: Draft, failed: Failed, step: Step, next: str, by: str, kept: Any = None) -> None:
    """The frame goes on at `next` with what was kept of the error."""
    frame = failed.frame
    note(draft, "ErrorCaught", frame, error=failed.error, cause=failed.cause, by=by, next=next)
    step.data.hand(frame, kept)
    note_exited(draft, frame, step, next)
    frame.error = {"error": failed.error, "cause": failed.cause, "state": frame.state}
    draft.agenda.append(Enter(frame, next))


def _last_resort(draft: Draft, failed: Failed, step: Step) -> None:
    frame = failed.frame
    if step.on_error is not None:
        lead_on(draft, failed, step, step.on_error, "onError")
        return
    default = draft.program.scopes[frame.scope].on_error
    if default is not None and default != frame.state:
        lead_on(draft, failed, step, default, "configuration.onError")
        return
    draft.agenda.append(Ended(frame, None, failed.error, failed.cause, failed=True))
