"""What an author asserts of every run of a workflow. `stepwell explore` looks for a run that breaks it.

The shape alone; `stepwell_interpreter.exploration.assertions` compiles the conditions, which may use `$.run` too.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from stepwell_schemas.conditions import Condition
from stepwell_schemas.words import LanguageModel, explained

AssertionForm = Literal["always", "never", "atEnd", "possible"]
ASSERTION_FORMS: tuple[AssertionForm, ...] = ("always", "never", "atEnd", "possible")

_SHAPE: dict[str, Any] = {"oneOf": [{"required": [form]} for form in ASSERTION_FORMS]}


class Assertion(LanguageModel):
    """One thing that must hold, in exactly one of the forms of `ASSERTION_FORMS`."""

    model_config = ConfigDict(json_schema_extra=_SHAPE)

    name: Annotated[
        str,
        Field(min_length=1, max_length=200, json_schema_extra=explained("a text of at most 200 characters")),
    ]
    """What it says, for reports."""
    when: Condition | None = None
    """Only where this holds, too, is the rest looked at."""
    always: Condition | None = None
    """Holds in every state that can be reached."""
    never: Condition | None = None
    """Holds in no state that can be reached."""
    at_end: Condition | None = None
    """Holds whenever the instance has ended, however that came."""
    possible: Condition | None = None
    """Holds in at least one state that can be reached."""
    message: str | None = None
    """What is wrong when it is broken, and what to do about it."""

    @property
    def form(self) -> AssertionForm:
        """Which of `ASSERTION_FORMS` this is."""
        given = (self.always, self.never, self.at_end, self.possible)
        return next(form for form, rule in zip(ASSERTION_FORMS, given, strict=True) if rule is not None)

    @property
    def condition(self) -> Condition:
        """The condition of the form."""
        rules = (self.always, self.never, self.at_end, self.possible)
        return next(rule for rule in rules if rule is not None)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [rule for rule in (self.always, self.never, self.at_end, self.possible) if rule is not None]
        if len(given) != 1:
            raise ValueError(f"an assertion has exactly one of {', '.join(ASSERTION_FORMS)}")
        return self
