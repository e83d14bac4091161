"""Conditions, as choices, `where` and `when` have them: one comparison, or and/or/not of conditions."""

from typing import Any, Literal, Self, get_args

from pydantic import ConfigDict, Field, model_validator

from stepwell_schemas.words import LanguageModel, Path, StateName, Template

Operator = Literal[
    "equals",
    "notEquals",
    "greaterThan",
    "greaterThanOrEquals",
    "lessThan",
    "lessThanOrEquals",
    "before",
    "after",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "in",
    "isNull",
    "isPresent",
    "isString",
    "isNumber",
    "isBoolean",
    "isObject",
    "isArray",
    "isTimestamp",
]
OPERATORS: tuple[str, ...] = get_args(Operator)
Combinator = Literal["and", "or", "not"]
COMBINATORS: tuple[str, ...] = get_args(Combinator)

_SHAPE: dict[str, Any] = {
    "oneOf": [{"required": [key]} for key in ("variable", *COMBINATORS)],
    "if": {"required": ["variable"]},
    "then": {"oneOf": [{"required": [operator]} for operator in OPERATORS]},
    "dependentRequired": {operator: ["variable"] for operator in OPERATORS},
}


class Condition(LanguageModel):
    """`{variable, <one operator>: value}`, or `{and: [..]}`, `{or: [..]}`, `{not: {..}}`.

    `kind` says which; a comparison has `operator` and `value`, a combination has `parts`.
    """

    model_config = ConfigDict(json_schema_extra=_SHAPE)

    variable: Path | None = None
    """The path whose value is compared."""
    equals: Template = None
    """Equal in type and value."""
    not_equals: Template = None
    """Not equal, or of another type."""
    greater_than: Template = None
    """A number against a number, a text against a text."""
    greater_than_or_equals: Template = None
    """A number against a number, a text against a text."""
    less_than: Template = None
    """A number against a number, a text against a text."""
    less_than_or_equals: Template = None
    """A number against a number, a text against a text."""
    before: Template = None
    """The variable's timestamp lies before this one."""
    after: Template = None
    """The variable's timestamp lies after this one."""
    contains: Template = None
    """A text contains this text, a list this element."""
    starts_with: Template = None
    """The text begins with this one."""
    ends_with: Template = None
    """The text ends with this one."""
    matches: Template = None
    r"""The text matches this glob: `*` is any text, `\*` a star."""
    in_: Template = Field(default=None, alias="in")
    """The value is one of this list (or path to a list)."""
    is_null: bool | None = None
    """Whether the value is null."""
    is_present: bool | None = None
    """Whether the path finds anything."""
    is_string: bool | None = None
    """Whether the value is a text."""
    is_number: bool | None = None
    """Whether the value is a number."""
    is_boolean: bool | None = None
    """Whether the value is true or false."""
    is_object: bool | None = None
    """Whether the value is an object."""
    is_array: bool | None = None
    """Whether the value is a list."""
    is_timestamp: bool | None = None
    """Whether the value is an RFC 3339 timestamp."""
    and_: "list[Condition] | None" = Field(default=None, alias="and", min_length=1)
    """All of these hold."""
    or_: "list[Condition] | None" = Field(default=None, alias="or", min_length=1)
    """At least one of these holds."""
    not_: "Condition | None" = Field(default=None, alias="not")
    """This does not hold."""

    @property
    def kind(self) -> Literal["comparison", "and", "or", "not"]:
        """Which of the four forms this is."""
        if self.and_ is not None:
            return "and"
        if self.or_ is not None:
            return "or"
        return "not" if self.not_ is not None else "comparison"

    @property
    def operator(self) -> str:
        """The comparison's operator as it is written (`greaterThan`); "" for a combination."""
        return next((name for name in OPERATORS if _ATTRIBUTES[name] in self.model_fields_set), "")

    @property
    def value(self) -> Any:
        """The right side of the comparison (a template); None for a combination."""
        operator = self.operator
        return getattr(self, _ATTRIBUTES[operator]) if operator else None

    @property
    def parts(self) -> "list[Condition]":
        """What is combined: the members of `and` or `or`, or the one of `not`."""
        return [self.not_] if self.not_ is not None else self.and_ or self.or_ or []

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [name for name in ("variable", "and_", "or_", "not_") if getattr(self, name) is not None]
        operators = [name for name in OPERATORS if _ATTRIBUTES[name] in self.model_fields_set]
        if len(forms) != 1:
            raise ValueError("a condition has exactly one of variable, and, or, not")
        if forms == ["variable"] and len(operators) != 1:
            raise ValueError(f"a comparison has exactly one operator, here {', '.join(operators) or 'none'}")
        if forms != ["variable"] and operators:
            raise ValueError(f"{operators[0]} needs a variable beside it")
        return self


class ChoiceRule(Condition):
    """A condition and the state to go to when it holds."""

    next: StateName
    """The state that follows when the condition holds."""
    comment: str | None = None
    """For the reader."""


_ATTRIBUTES: dict[str, str] = {field.alias or name: name for name, field in Condition.model_fields.items()}
