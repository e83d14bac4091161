"""How activities are called: known by name, with settings baked in, and with inputs checked as far as they are literal.

Child workflows get the retries a state or the configuration lists, never the built-in ones: a child has made its
own tries. For the same reason only a state's own timeout bounds a child.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.states import RetryPolicy
from stepwell_schemas.words import as_list
from stepwell_schemas.workflow import Configuration

from stepwell_interpreter.contracts import Contract
from stepwell_interpreter.failures import did_you_mean, pointer_to
from stepwell_interpreter.findings import Findings
from stepwell_interpreter.program import Call, Milliseconds, RetryRule, Template

DEFAULT_TIMEOUT: Final = "PT5M"
DEFAULT_RETRY: Final = RetryPolicy(
    max_attempts=3, initial_interval="PT2S", backoff_coefficient=2.0, max_interval="PT30S"
)


class Calls:
    """Compiles calls and keeps account of the activities that are used."""

    def __init__(
        self, findings: Findings, activities: Mapping[str, ActivityDescription], configuration: Configuration
    ) -> None:
        self.findings = findings
        self.used: set[str] = set()
        self._activities = activities
        self._configuration = configuration
        self._contracts: dict[str, Contract | None] = {}

    def call(
        self,
        activity: str,
        pointer: str,
        *,
        input: Template | None,
        queue: str | None,
        timeout: Any,
        heartbeat: Any = None,
        retry: Sequence[RetryPolicy] | None = None,
    ) -> Call:
        """The call of an activity that `pointer` names."""
        self.used.add(activity)
        described = self._activities.get(activity)
        if described is None:
            message = f"there is no activity `{activity}`. {did_you_mean(activity, self._activities)}"
            help = "A worker publishes its activities when it starts; start it, or correct the name."
            self.findings.add("unknown-activity", pointer_to(pointer, "activity"), message, help)
            described = ActivityDescription(name=activity)
        if heartbeat is None:
            heartbeat = described.heartbeat_seconds
        return Call(
            activity=activity,
            input=input,
            queue=queue or described.queue,
            timeout=self._timeout(timeout, described, pointer),
            heartbeat=self.findings.duration(heartbeat, pointer_to(pointer, "heartbeat")),
            retry=self._retries(retry, described, pointer),
        )

    def check_input(self, activity: str, value: Any, pointer: str) -> None:
        """Hold the literal parts of an input against what the activity says it takes."""
        contract = self._contract(activity, pointer)
        if contract is not None:
            self.findings.literal_input(value, contract, pointer, activity)

    def child_retries(self, retry: Sequence[RetryPolicy] | None, pointer: str) -> tuple[RetryRule, ...]:
        """The retries of a task that runs a child workflow."""
        if retry is not None:
            return self.rules(retry, pointer_to(pointer, "retry"))
        return self.rules(self._configuration.retry, "/configuration/retry")

    def rules(self, policies: Sequence[RetryPolicy], pointer: str) -> tuple[RetryRule, ...]:
        """Compiled retry policies."""
        rules = []
        for index, policy in enumerate(policies):
            place = pointer_to(pointer, index)
            interval = self.findings.fixed_duration(
                policy.initial_interval, pointer_to(place, "initialInterval")
            )
            rules.append(
                RetryRule(
                    errors=tuple(policy.errors),
                    max_attempts=policy.max_attempts,
                    interval=interval,
                    coefficient=policy.backoff_coefficient,
                    maximum=self.findings.duration(policy.max_interval, pointer_to(place, "maxInterval")),
                    jitter=policy.jitter,
                )
            )
        return tuple(rules)

    def _timeout(self, own: Any, described: ActivityDescription, pointer: str) -> Milliseconds:
        if own is not None:
            return self.findings.fixed_duration(own, pointer_to(pointer, "timeout"))
        if described.timeout_seconds is not None:
            return self.findings.fixed_duration(described.timeout_seconds, pointer)
        default = self._configuration.task_timeout
        value = DEFAULT_TIMEOUT if default is None else default
        return self.findings.fixed_duration(value, "/configuration/taskTimeout")

    def _retries(
        self, own: Sequence[RetryPolicy] | None, described: ActivityDescription, pointer: str
    ) -> tuple[RetryRule, ...]:
        if own is not None:
            return self.rules(own, pointer_to(pointer, "retry"))
        if described.retry is not None:
            return self._published_retries(described, pointer)
        if "retry" in self._configuration.model_fields_set:
            return self.rules(self._configuration.retry, "/configuration/retry")
        return self.rules([DEFAULT_RETRY], "")

    def _published_retries(self, described: ActivityDescription, pointer: str) -> tuple[RetryRule, ...]:
        try:
            policies = [RetryPolicy.model_validate(each) for each in as_list(described.retry)]
        except ValidationError as error:
            message = (
                f"activity `{described.name}` was published with a wrong retry: {error.errors()[0]['msg']}"
            )
            self.findings.add(
                "activity-retry", pointer_to(pointer, "activity"), message, "Mend its decorator."
            )
            return ()
        return self.rules(policies, pointer)

    def _contract(self, activity: str, pointer: str) -> Contract | None:
        if activity not in self._contracts:
            described = self._activities.get(activity)
            schema = None if described is None else described.input_schema
            self._contracts[activity] = None if schema is None else self.findings.contract(schema, pointer)
        return self._contracts[activity]
