"""The history of an ASL instance in Step Functions' own event shapes (GetExecutionHistory).

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from stepwell_interpreter.asl.context import machine_arn

Entry = Mapping[str, Any]
Event = dict[str, Any]


def aws_history(entries: Iterable[tuple[int, Entry]], definition: str = "machine") -> list[Event]:
    """The events of a trace. `entries`: the time (epoch milliseconds) and the trace entry, in the order they came.

    Each event has `id`, `previousEventId`, `timestamp` (seconds), `type`, and its details under AWS's name for them,
    with inputs and outputs as JSON texts.
    """
    telling = _Telling(definition)
    events: list[Event] = []
    for time_ms, entry in entries:
        number = entry.get("event")
        if number is None or entry["type"] not in _TELLING:
            continue
        type, key, details = telling.tell(entry)
        event: Event = {
            "id": number,
            "previousEventId": telling.before(entry, number),
            "timestamp": time_ms / 1_000,
            "type": type,
        }
        if key is not None and details is not None:
            event[key] = {name: value for name, value in details.items() if value is not None}
        events.append(event)
    return events


class _Telling:
    """What earlier entries tell of later ones: which resource an attempt calls, which event came before."""

    def __init__(self, definition: str) -> None:
        self._definition = definition
        self._scheduled: dict[str, Entry] = {}
        self._last: dict[str, int] = {}
        self._inner: dict[str, set[str]] = {}

    def before(self, entry: Entry, number: int) -> int:
        """The event that led to this one: the last of the same frame, or of the nearest one around it.

        An iteration is a frame of its own. What is told of its end, or of a state that was given up, leads to
        nothing: what comes after follows on what came before that.
        """
        type, frame = entry["type"], str(entry.get("frame", "0"))
        own = f"{frame}.{entry['index']}" if type.startswith("MapIteration") else frame
        found = self._nearest(frame if type == "MapIterationStarted" else own)
        if type == "MapIterationStarted":
            self._forget(own)
            self._keep(own, number)
        elif own != frame:
            self._forget(own)
            if type != "MapIterationAborted":
                self._keep(frame, found)
        elif type.startswith(("ParallelState", "MapState")) and type.endswith(
            ("Started", "Succeeded", "Failed")
        ):
            if type in ("ParallelStateSucceeded", "ParallelStateFailed"):
                inner = (self._last[name] for name in self._below(frame) if name in self._last)
                found = max(inner, default=found)
            self._forget(frame)
            self._keep(frame, number)
        elif type != "ExecutionStarted" and not type.endswith("StateAborted"):
            self._keep(frame, number)
        return found

    def _nearest(self, frame: str) -> int:
        while frame and frame not in self._last:
            frame = frame.rpartition(".")[0]
        return self._last.get(frame, 0)

    def _keep(self, frame: str, number: int) -> None:
        """The frame's last event; the frames around it learn of it, so that none has to be looked for among all."""
        self._last[frame] = number
        outer = frame.rpartition(".")[0]
        while outer and frame not in self._inner.setdefault(outer, set()):
            self._inner[outer].add(frame)
            frame, outer = outer, outer.rpartition(".")[0]

    def _below(self, frame: str) -> list[str]:
        found: list[str] = []
        pending = [frame]
        while pending:
            inner = self._inner.get(pending.pop(), ())
            found += inner
            pending += inner
        return found

    def _forget(self, frame: str) -> None:
        """A frame begins anew, or is gone with all below it."""
        for name in [frame, *self._below(frame)]:
            self._last.pop(name, None)
            self._inner.pop(name, None)
        self._inner.get(frame.rpartition(".")[0], set()).discard(frame)

    def tell(self, entry: Entry) -> tuple[str, str | None, dict[str, Any] | None]:
        """AWS's type, the key of the details and the details."""
        return _TELLING[entry["type"]](self, entry)

    def scheduled(self, entry: Entry) -> Entry:
        """The last TaskScheduled entry of the frame."""
        return self._scheduled.get(str(entry["frame"]), {})

    def schedule(self, entry: Entry) -> None:
        """A task is scheduled in a frame."""
        self._scheduled[str(entry["frame"])] = entry

    def run_arn(self, entry: Entry) -> str:
        """The ARN of a distributed map's run."""
        machine = machine_arn(self._definition).replace(":stateMachine:", ":mapRun:")
        return f"{machine}/{entry['state']}:{entry['event']}"


Told = tuple[str, str | None, dict[str, Any] | None]


def _entered(telling: _Telling, entry: Entry) -> Told:
    details = {"name": entry["state"], "input": _text(entry["input"]), "inputDetails": {"truncated": False}}
    return entry["type"], "stateEnteredEventDetails", details


def _exited(telling: _Telling, entry: Entry) -> Told:
    details: dict[str, Any] = {
        "name": entry["state"],
        "output": _text(entry["output"]),
        "outputDetails": {"truncated": False},
    }
    if entry.get("assigned"):
        details["assignedVariables"] = {name: _text(value) for name, value in entry["assigned"].items()}
        details["assignedVariablesDetails"] = {"truncated": False}
    return entry["type"], "stateExitedEventDetails", details


def _kind(entry: Entry) -> str:
    """Which family of events a task has: `LambdaFunction`, `Activity` or `Task`."""
    if entry.get("region") is not None:
        return "Task"
    return "Activity" if entry.get("resourceType") == "activity" else "LambdaFunction"


def _scheduled(telling: _Telling, entry: Entry) -> Told:
    telling.schedule(entry)
    kind = _kind(entry)
    limits = {name: entry.get(name) for name in ("timeoutInSeconds", "heartbeatInSeconds")}
    if kind == "Task":
        details = {
            "resourceType": entry["resourceType"],
            "resource": entry["resource"],
            "region": entry["region"],
            "parameters": _text(entry["input"]),
            **limits,
        }
        return "TaskScheduled", "taskScheduledEventDetails", details
    details = {
        "resource": entry["resource"],
        "input": _text(entry["input"]),
        "inputDetails": {"truncated": False},
        **limits,
    }
    return f"{kind}Scheduled", _details_key(kind, "Scheduled"), details


def _started(telling: _Telling, entry: Entry) -> Told:
    scheduled = telling.scheduled(entry)
    kind = _kind(scheduled)
    if kind == "Task":
        return "TaskStarted", "taskStartedEventDetails", _resource(scheduled)
    if kind == "Activity":
        return "ActivityStarted", "activityStartedEventDetails", {"workerName": entry.get("worker") or None}
    return "LambdaFunctionStarted", None, None


def _submitted(telling: _Telling, entry: Entry) -> Told:
    details = {
        **_resource(telling.scheduled(entry)),
        "output": _text(entry["output"]),
        "outputDetails": {"truncated": False},
    }
    return "TaskSubmitted", "taskSubmittedEventDetails", details


def _succeeded(telling: _Telling, entry: Entry) -> Told:
    scheduled = telling.scheduled(entry)
    kind = _kind(scheduled)
    details = {"output": _text(entry["output"]), "outputDetails": {"truncated": False}}
    if kind == "Task":
        details = {**_resource(scheduled), **details}
    return f"{kind}Succeeded", _details_key(kind, "Succeeded"), details


def _failed(telling: _Telling, entry: Entry) -> Told:
    scheduled = telling.scheduled(entry)
    kind = _kind(scheduled)
    what = "TimedOut" if entry["type"] == "TaskTimedOut" else "Failed"
    details: dict[str, Any] = {"error": entry.get("error"), "cause": entry.get("cause") or None}
    if kind == "Task":
        details = {**_resource(scheduled), **details}
    return f"{kind}{what}", _details_key(kind, what), details


def _resource(scheduled: Entry) -> dict[str, Any]:
    return {"resourceType": scheduled.get("resourceType"), "resource": scheduled.get("resource")}


def _details_key(kind: str, what: str) -> str:
    return f"{kind[0].lower()}{kind[1:]}{what}EventDetails"


def _plain(telling: _Telling, entry: Entry) -> Told:
    return entry["type"], None, None


def _map_started(telling: _Telling, entry: Entry) -> Told:
    return "MapStateStarted", "mapStateStartedEventDetails", {"length": entry["length"]}


def _iteration(telling: _Telling, entry: Entry) -> Told:
    type = entry["type"]
    key = f"{type[0].lower()}{type[1:]}EventDetails"
    return type, key, {"name": entry["state"], "index": entry["index"]}


def _run_started(telling: _Telling, entry: Entry) -> Told:
    return "MapRunStarted", "mapRunStartedEventDetails", {"mapRunArn": telling.run_arn(entry)}


def _run_failed(telling: _Telling, entry: Entry) -> Told:
    return "MapRunFailed", "mapRunFailedEventDetails", {"error": entry["error"], "cause": entry["cause"]}


def _evaluation(telling: _Telling, entry: Entry) -> Told:
    details = {name: entry.get(name) for name in ("error", "cause", "location", "state")}
    return "EvaluationFailed", "evaluationFailedEventDetails", details


def _began(telling: _Telling, entry: Entry) -> Told:
    details = {"input": _text(entry["input"]), "inputDetails": {"truncated": False}}
    return "ExecutionStarted", "executionStartedEventDetails", details


def _ended_well(telling: _Telling, entry: Entry) -> Told:
    details = {"output": _text(entry["output"]), "outputDetails": {"truncated": False}}
    return "ExecutionSucceeded", "executionSucceededEventDetails", details


def _ended_badly(telling: _Telling, entry: Entry) -> Told:
    type = entry["type"]
    key = f"{type[0].lower()}{type[1:]}EventDetails"
    return type, key, {"error": entry.get("error"), "cause": entry.get("cause") or None}


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


_STATES: Final = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
_TELLING: Final[dict[str, Callable[[_Telling, Entry], Told]]] = {
    **{f"{state}StateEntered": _entered for state in _STATES},
    **{f"{state}StateExited": _exited for state in _STATES},
    **{f"{state}StateAborted": _plain for state in _STATES},
    **{
        f"{state}State{what}": _plain
        for state in ("Parallel", "Map")
        for what in ("Started", "Succeeded", "Failed")
    },
    "MapStateStarted": _map_started,
    **{f"MapIteration{what}": _iteration for what in ("Started", "Succeeded", "Failed", "Aborted")},
    "MapRunStarted": _run_started,
    "MapRunSucceeded": _plain,
    "MapRunFailed": _run_failed,
    "TaskScheduled": _scheduled,
    "TaskStarted": _started,
    "TaskSubmitted": _submitted,
    "TaskSucceeded": _succeeded,
    "TaskFailed": _failed,
    "TaskTimedOut": _failed,
    "EvaluationFailed": _evaluation,
    "ExecutionStarted": _began,
    "ExecutionSucceeded": _ended_well,
    "ExecutionFailed": _ended_badly,
    "ExecutionTimedOut": _ended_badly,
    "ExecutionAborted": _ended_badly,
}
