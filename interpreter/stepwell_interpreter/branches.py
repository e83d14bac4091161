"""Parallel states: branches side by side in child frames, and the three policies for failed ones.

`frame.work`: `results` and `failures` by branch name.
"""

from stepwell_schemas.instance import Frame

from stepwell_interpreter.agenda import Ended, Enter, Failed
from stepwell_interpreter.draft import Draft
from stepwell_interpreter.failures import BRANCH_FAILED, TIMEOUT, StateFailure
from stepwell_interpreter.flow import fail, give_up, give_up_below, leave
from stepwell_interpreter.program import MapStep, ParallelStep
from stepwell_interpreter.trace import note, note_entered

TIMEOUT_TIMER = "timeout"


def enter(draft: Draft, frame: Frame, step: ParallelStep) -> None:
    """Start all branches."""
    note_entered(draft, frame, step)
    resume(draft, frame, step)


def resume(draft: Draft, frame: Frame, step: ParallelStep) -> None:
    """Start all branches, also when it is done again after a failure."""
    if not arm_timeout(draft, frame, step):
        return
    try:
        value = step.data.begin(draft, frame, step)
    except StateFailure as failure:
        fail(draft, frame, step, failure)
        return
    frame.phase = "join"
    step.data.tell(draft, "ParallelStateStarted", frame)
    frame.work.update(results={}, failures={}, bytes=0)
    for number, (name, machine) in enumerate(step.branches):
        branch = draft.add(frame, machine, number, branch=name)
        step.data.hand(branch, value)
        note(draft, "ParallelBranchStarted", frame, branch=name)
        draft.agenda.append(Enter(branch, draft.program.scopes[machine].start_at))


def joined(draft: Draft, frame: Frame, step: ParallelStep, ended: Ended) -> None:
    """A branch of an owned frame has ended; it is gone already."""
    if not gather(draft, frame, step, ended, "ParallelBranchAborted"):
        return
    name = ended.frame.branch
    assert name is not None
    work = frame.work
    if not ended.failed:
        note(draft, "ParallelBranchSucceeded", frame, branch=name)
        work["results"] = {**work["results"], name: ended.result}
    else:
        note(draft, "ParallelBranchFailed", frame, branch=name, error=ended.error, cause=ended.cause)
        work["failures"] = {**work["failures"], name: {"error": ended.error, "cause": ended.cause}}
    done, failed = len(work["results"]), len(work["failures"])
    if step.policy == "failFast" and ended.failed:
        _tell_given_up(draft, ended)
        give_up_below(draft, frame, "ParallelBranchAborted")
        cause = step.data.branch_cause(name, ended.cause)
        draft.agenda.append(Failed(frame, ended.error, cause, alias=BRANCH_FAILED, attempted=True))
    elif step.policy == "quorum" and failed > len(step.branches) - step.quorum:
        give_up_below(draft, frame, "ParallelBranchAborted")
        shown = "; ".join(f"{branch}: {each['error']}" for branch, each in work["failures"].items())
        cause = f"{step.quorum} of {len(step.branches)} branches cannot succeed any more ({shown})"
        draft.agenda.append(Failed(frame, BRANCH_FAILED, cause, attempted=True))
    elif done + failed == len(step.branches) or (step.policy == "quorum" and done == step.quorum):
        give_up_below(draft, frame, "ParallelBranchAborted")
        ends = {**work["results"], **work["failures"]}
        step.data.tell(draft, "ParallelStateSucceeded", frame)
        results = {branch: ends[branch] for branch, _ in step.branches if branch in ends}
        leave(draft, frame, step, step.data.branches(results))


def _tell_given_up(draft: Draft, ended: Ended) -> None:
    """As recorded of Step Functions: a task whose failure ends its branch is told to be aborted, too."""
    step = draft.program.scopes[ended.frame.scope].steps.get(ended.frame.state)
    if step is not None and step.kind == "task":
        step.data.tell(draft, "TaskStateAborted", ended.frame)


def gather(draft: Draft, frame: Frame, step: ParallelStep | MapStep, ended: Ended, aborted: str) -> bool:
    """Count a result. False where all of them are too much; that failure is on the agenda."""
    try:
        draft.gather(frame, ended.cause if ended.failed else ended.result)
    except StateFailure as failure:
        give_up_below(draft, frame, aborted)
        fail(draft, frame, step, failure)
        return False
    return True


def arm_timeout(draft: Draft, frame: Frame, step: ParallelStep | MapStep) -> bool:
    """Bound the whole state. False where the duration is wrong; that failure is on the agenda."""
    if step.timeout is not None:
        try:
            due = draft.now_ms + step.timeout(step.data.scope(draft, frame, "timeout"))
        except StateFailure as failure:
            fail(draft, frame, step, failure)
            return False
        draft.arm(frame, TIMEOUT_TIMER, due)
    return True


def timer_fired(
    draft: Draft, frame: Frame, step: ParallelStep | MapStep, what: str, heartbeat_ms: int | None
) -> None:
    """The whole has taken too long."""
    aborted = "ParallelBranchAborted" if isinstance(step, ParallelStep) else step.item_word + "Aborted"
    give_up_below(draft, frame, aborted)
    give_up(draft, frame, undo_children=draft.program.compensates)
    error, cause = step.data.timed_out(TIMEOUT, "not all of it ended in time")
    draft.agenda.append(Failed(frame, error, cause, attempted=True))
