"""What the lowering of all states shares: the activities and resources it may use, and the problems it finds."""

from collections.abc import Mapping
from typing import Any, Final

from stepwell_schemas.catalog import ActivityDescription

from stepwell_interpreter.asl.resource_names import READERS, WRITERS
from stepwell_interpreter.asl.resources import ANY, Integration, ResourceProblem, ResourceTable, resolve
from stepwell_interpreter.failures import did_you_mean, pointer_to
from stepwell_interpreter.findings import DefinitionProblem
from stepwell_interpreter.program import Milliseconds

LONGEST_SECONDS: Final = 99_999_999
"""What AWS takes where a Task says no TimeoutSeconds."""


class Lowering:
    """Compiles resources and keeps account of what is used and what is wrong."""

    def __init__(self, activities: Mapping[str, ActivityDescription], resources: ResourceTable) -> None:
        self.problems: list[DefinitionProblem] = []
        self.used: set[str] = set()
        self._activities = activities
        self._resources = resources

    def add(self, code: str, pointer: str, message: str, help: str = "") -> None:
        """Note a problem."""
        self.problems.append(DefinitionProblem(code, pointer, message, help))

    def integration(self, resource: str, arguments: Any, state: str, pointer: str) -> Integration | None:
        """What a resource leads to; None, and a problem, where it leads to nothing."""
        try:
            found = resolve(resource, self._resources, arguments)
        except ResourceProblem as problem:
            message = f"state {state}: {problem.message}"
            self.add("unknown-resource", pointer_to(pointer, "Resource"), message, problem.help)
            return None
        if found.activity is not None:
            self.used.add(found.activity)
            if found.activity not in self._known(found.activity):
                near = did_you_mean(found.activity, self._activities)
                message = f"state {state}: there is no activity `{found.activity}` for {resource}. {near}"
                help = "A worker publishes its activities when it starts; or name another in `resources`."
                self.add("unknown-activity", pointer_to(pointer, "Resource"), message, help)
        return found

    def service(self, resource: str, state: str, pointer: str) -> Integration | None:
        """What reads the items of a Map, or keeps its results: an activity of the table."""
        table = self._resources
        if resource not in known_services():
            return self.integration(resource, None, state, pointer)
        name = resource.rpartition(":::")[2]
        if table is not ANY and resource not in table:
            message = f"state {state}: {resource} is not available here"
            help = f'map it to an activity in the resources table: {{"{resource}": "ACTIVITY"}}'
            self.add("unknown-resource", pointer_to(pointer, "Resource"), message, help)
            return None
        activity = name if table is ANY else table[resource]
        self.used.add(activity)
        kind, _, action = name.partition(":")
        return Integration("integration", activity, None, name, kind, action, None, False)

    def described(self, activity: str) -> ActivityDescription:
        """The activity as its worker published it."""
        return self._activities.get(activity) or ActivityDescription(name=activity)

    def _known(self, activity: str) -> Mapping[str, ActivityDescription] | tuple[str, ...]:
        return (activity,) if self._activities.get(activity) is not None else ()


def known_services() -> frozenset[str]:
    """The resources that only Maps have."""
    return frozenset(f"arn:aws:states:::{name}" for name in READERS | WRITERS)


def fixed(seconds: float) -> Milliseconds:
    """A duration that is always so long."""
    milliseconds = round(seconds * 1_000)
    return lambda scope: milliseconds
