"""How data goes through a state: what its expressions see, what its input is, what becomes of its result.

`decide` asks these questions of the step it stands in; lowering has put the answers there. Native states share
`$.state` and are answered by `NATIVE`.
"""

from typing import TYPE_CHECKING, Any, Final, Protocol

from stepwell_interpreter.agenda import Ended, Failed
from stepwell_interpreter.failures import EXCEED_TOLERATED_FAILURE_THRESHOLD, StateFailure
from stepwell_interpreter.scope import MISSING

if TYPE_CHECKING:
    from stepwell_schemas.instance import Frame

    from stepwell_interpreter.draft import Draft
    from stepwell_interpreter.program import CatchRule, MapStep, Step, TaskStep


class DataFlow(Protocol):
    """All frames given are owned by the draft. Where a method fails it raises StateFailure."""

    def scope(self, draft: "Draft", frame: "Frame", purpose: str) -> Any:
        """What the templates of the frame's state see. Each purpose has chance of its own."""
        ...

    def begin(self, draft: "Draft", frame: "Frame", step: "Step") -> Any:
        """The state's effective input, as its work begins."""
        ...

    def again(self, draft: "Draft", frame: "Frame", step: "TaskStep") -> Any:
        """The input of the next try of a task."""
        ...

    def keep(self, draft: "Draft", frame: "Frame", step: "Step", result: Any, event: Any) -> Any:
        """Keep the state's result; what goes on to the next state, or out of the machine."""
        ...

    def caught(self, draft: "Draft", frame: "Frame", rule: "CatchRule", failed: Failed) -> Any:
        """Keep a caught error; what goes on to the state that the catch leads to."""
        ...

    def hand(self, frame: "Frame", value: Any) -> None:
        """The frame goes on, or begins, with this value."""
        ...

    def item(self, draft: "Draft", frame: "Frame", step: "MapStep", index: int, item: Any) -> Any:
        """What an iteration of a map's frame begins with."""
        ...

    def failure(self, draft: "Draft", frame: "Frame", failure: StateFailure) -> Failed:
        """An expression of the frame's state has failed: what that is to the state."""
        ...

    def gave_up(self, draft: "Draft", frame: "Frame", step: "Step", failed: Failed) -> None:
        """The state has failed and is not tried again."""
        ...

    def tell(self, draft: "Draft", type: str, frame: "Frame", **details: Any) -> None:
        """Trace what only some dialects tell."""
        ...

    def entered(self, draft: "Draft", frame: "Frame", entry: dict[str, Any]) -> None:
        """Say more in the trace entry of a state that is entered."""
        ...

    def exited(self, frame: "Frame", entry: dict[str, Any]) -> None:
        """Say more in the trace entry of a state that is left."""
        ...

    def units(self, draft: "Draft", frame: "Frame", step: "MapStep", items: list[Any]) -> list[Any]:
        """What the iterations run over: the items, or batches of them."""
        ...

    def result_problem(self, frame: "Frame", result: Any) -> StateFailure | None:
        """Why a task's result cannot be taken; None where it can."""
        ...

    def results(self, results: list[Any]) -> Any:
        """The result of a map of its iterations' ends."""
        ...

    def failed_item(self, ended: Ended) -> Any:
        """What stands among a map's results for an iteration that has failed."""
        ...

    def map_failure(self, frame: "Frame", step: "MapStep", ended: Ended) -> Failed:
        """What a map fails with when the iteration that has ended is one failure too many."""
        ...

    def branches(self, results: dict[str, Any]) -> Any:
        """The result of a parallel state of its branches' ends, by name and in their order."""
        ...

    def branch_cause(self, branch: str, cause: str | None) -> str | None:
        """The cause a parallel state fails with when a branch has failed with `cause`."""
        ...

    def timed_out(self, error: str, cause: str) -> tuple[str, str]:
        """What a timeout, with the machine's error and cause, is to the state."""
        ...


class NativeFlow:
    """`$.state` is shared: nothing is handed on, results are written to their paths."""

    __slots__ = ()

    def scope(self, draft: "Draft", frame: "Frame", purpose: str) -> Any:
        return draft.scope(frame, purpose)

    def begin(self, draft: "Draft", frame: "Frame", step: "Step") -> Any:
        template = getattr(step, "input", None)
        return {} if template is None else template(draft.scope(frame, "input"))

    def again(self, draft: "Draft", frame: "Frame", step: "TaskStep") -> Any:
        return frame.work["input"]

    def keep(self, draft: "Draft", frame: "Frame", step: "Step", result: Any, event: Any) -> Any:
        if step.selector is not None:
            scope = draft.scope(frame, "result")
            scope.result = result
            scope.event = event
            result = step.selector(scope)
        if step.target is not None:
            draft.write(frame, step.target, result)
        return result

    def caught(self, draft: "Draft", frame: "Frame", rule: "CatchRule", failed: Failed) -> Any:
        if rule.target is not None:
            draft.write(frame, rule.target, {"error": failed.error, "cause": failed.cause})
        return None

    def hand(self, frame: "Frame", value: Any) -> None:
        return None

    def item(self, draft: "Draft", frame: "Frame", step: "MapStep", index: int, item: Any) -> Any:
        return MISSING

    def failure(self, draft: "Draft", frame: "Frame", failure: StateFailure) -> Failed:
        return Failed(frame, failure.error, failure.cause)

    def gave_up(self, draft: "Draft", frame: "Frame", step: "Step", failed: Failed) -> None:
        return None

    def tell(self, draft: "Draft", type: str, frame: "Frame", **details: Any) -> None:
        return None

    def entered(self, draft: "Draft", frame: "Frame", entry: dict[str, Any]) -> None:
        return None

    def exited(self, frame: "Frame", entry: dict[str, Any]) -> None:
        return None

    def units(self, draft: "Draft", frame: "Frame", step: "MapStep", items: list[Any]) -> list[Any]:
        size = step.batch_size
        return items if size is None else [items[at : at + size] for at in range(0, len(items), size)]

    def result_problem(self, frame: "Frame", result: Any) -> StateFailure | None:
        return None

    def results(self, results: list[Any]) -> Any:
        return results

    def failed_item(self, ended: Ended) -> Any:
        return {"error": ended.error, "cause": ended.cause}

    def map_failure(self, frame: "Frame", step: "MapStep", ended: Ended) -> Failed:
        failures, total = frame.work["failures"], len(frame.work["results"])
        index = ended.frame.index
        cause = f"{failures} of {total} failed, the last, [{index}], by {ended.error}: {ended.cause}"
        return Failed(frame, EXCEED_TOLERATED_FAILURE_THRESHOLD, cause, alias=ended.error, attempted=True)

    def branches(self, results: dict[str, Any]) -> Any:
        return results

    def branch_cause(self, branch: str, cause: str | None) -> str | None:
        return f"branch {branch}: {cause}"

    def timed_out(self, error: str, cause: str) -> tuple[str, str]:
        return error, cause


NATIVE: Final = NativeFlow()
