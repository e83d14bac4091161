"""The parts of a definition that tests can cover: states, transitions, error routes; each has its JSON pointer.

A part is where it is written: a retry that many tasks take from the configuration is one part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from stepwell_interpreter.failures import BRANCH_FAILED, matches_error, pointer_to
from stepwell_interpreter.program import (
    ChoiceStep,
    FailStep,
    ParallelStep,
    Program,
    Step,
    SucceedStep,
    WaitStep,
)

PartKind = Literal["state", "transition", "error"]
END: Final = "(end)"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to cover. `label` tells it to a person; `next` is the state it leads to, None where to none.

    `drawn` is its id in the definition's picture (see `drawing.graph`); "" where it is not drawn.
    """

    kind: PartKind
    pointer: str
    label: str
    machine: str
    state: str
    next: str | None = None
    drawn: str = ""


@dataclass(frozen=True, slots=True)
class _Words:
    """How a dialect spells what leads on."""

    states: str
    next: str
    end: str
    choices: str
    default: str
    catch: str
    retry: str


_WORDS: Final[dict[str, _Words]] = {
    "native": _Words("states", "next", "end", "choices", "default", "catch", "retry"),
    "asl": _Words("States", "Next", "End", "Choices", "Default", "Catch", "Retry"),
}
CONFIGURED: Final = "/configuration"


class Parts:
    """The parts of one definition. `all()` lists them; the other methods say which part something was."""

    def __init__(self, program: Program, document: Mapping[str, Any]) -> None:
        self._program = program
        inner = document.get("definition")
        # An Amazon States Language document may come in an envelope; its pointers begin inside.
        self._document = inner if isinstance(inner, Mapping) else document
        self._words = _WORDS[program.dialect]

    def all(self) -> tuple[Part, ...]:
        """Every part, each once: those of the workflow, then those inside its states, in the order of the document."""
        found: dict[str, Part] = {}
        for id, machine in sorted(self._program.scopes.items(), key=lambda pair: pair[0].count("/")):
            for step in machine.steps.values():
                for part in self._of_step(id, step):
                    found.setdefault(part.pointer, part)
        return tuple(found.values())

    def state(self, machine: str, name: str) -> str:
        """The pointer of a state."""
        return pointer_to(machine, self._words.states, name)

    def transition(
        self,
        machine: str,
        step: Step,
        *,
        rule: int | None = None,
        alternative: str | None = None,
        timed_out: bool = False,
    ) -> str:
        """The pointer of the transition by which a state was left well."""
        words, base = self._words, self.state(machine, step.name)
        if isinstance(step, ChoiceStep):
            if rule is not None:
                return pointer_to(base, words.choices, rule, words.next)
            return pointer_to(base, words.default)
        if isinstance(step, WaitStep):
            if timed_out and step.timeout_next is not None:
                return pointer_to(base, "timeoutNext")
            for event in step.events:
                if event.name == alternative and event.next is not None:
                    return pointer_to(base, "anyOf", event.name or "", words.next)
        return pointer_to(base, words.end if step.next is None else words.next)

    def error_route(self, machine: str, step: Step, by: str, error: str, next: str) -> str:
        """The pointer of the catch or onError that took an error. `by` is the trace's word for it."""
        base = self.state(machine, step.name)
        if by == "onError":
            return pointer_to(base, "onError")
        if by != "catch":
            return pointer_to("", *by.split("."))
        leading = [index for index, rule in enumerate(step.catch) if rule.next == next]
        naming = [index for index in leading if _names(step, step.catch[index].errors, error)]
        found = (naming or leading or [0])[0]
        return self._listed(base, self._words.catch, found)

    def retry(self, machine: str, step: Step, error: str) -> str:
        """The pointer of the retry rule that granted another try."""
        rules = step.retry or getattr(step, "own_retry", None) or ()
        found = next((index for index, rule in enumerate(rules) if _names(step, rule.errors, error)), 0)
        base = self.state(machine, step.name)
        if self._words.retry in self._written(base):
            return self._listed(base, self._words.retry, found)
        return self._listed(CONFIGURED, "retry", found)

    def _of_step(self, machine: str, step: Step) -> Iterator[Part]:
        base = self.state(machine, step.name)
        yield Part("state", base, step.name, machine, step.name, drawn=base)
        if not isinstance(step, SucceedStep | FailStep):
            for pointer, target, kind, how in self._transitions(machine, step):
                label = f"{step.name} → {target or END}" + (f" ({how})" if how else "")
                drawn = _edge(base, target, kind)
                yield Part("transition", pointer, label, machine, step.name, target, drawn)
        yield from self._error_parts(machine, step, base)

    def _transitions(self, machine: str, step: Step) -> Iterator[tuple[str, str | None, str, str]]:
        """Each as pointer, target, kind of its edge in a picture, and how it comes about."""
        words, base = self._words, self.state(machine, step.name)
        if isinstance(step, ChoiceStep):
            for number, rule in enumerate(step.rules):
                pointer = pointer_to(base, words.choices, number, words.next)
                yield pointer, rule.next, "rule", f"{words.choices}[{number}]"
            if step.next is not None:
                yield pointer_to(base, words.default), step.next, "default", words.default
            return
        if isinstance(step, WaitStep):
            own = [event for event in step.events if event.name is not None and event.next is not None]
            for event in own:
                yield (
                    pointer_to(base, "anyOf", event.name or "", words.next),
                    event.next,
                    "rule",
                    f"anyOf {event.name}",
                )
            if step.timeout_next is not None:
                yield pointer_to(base, "timeoutNext"), step.timeout_next, "timeout", "timeout"
            if step.form == "anyOf" and len(own) == len(step.events):
                return  # every alternative leads somewhere itself
        yield pointer_to(base, words.end if step.next is None else words.next), step.next, "next", ""

    def _error_parts(self, machine: str, step: Step, base: str) -> Iterator[Part]:
        words = self._words
        written = self._written(base)
        rules = step.retry or getattr(step, "own_retry", None) or ()
        for index, rule in enumerate(rules):
            if rule.max_attempts < 1:
                continue
            errors = ", ".join(rule.errors)
            if words.retry in written:
                pointer = self._listed(base, words.retry, index)
                yield Part("error", pointer, f"{step.name} tries again ({errors})", machine, step.name)
            elif "retry" in self._written(CONFIGURED):
                pointer = self._listed(CONFIGURED, "retry", index)
                yield Part("error", pointer, f"a task tries again ({errors})", machine, step.name)
        for index, catch in enumerate(step.catch):
            label = f"{step.name} → {catch.next} ({words.catch} {', '.join(catch.errors)})"
            drawn = _edge(base, catch.next, "catch")
            pointer = self._listed(base, words.catch, index)
            yield Part("error", pointer, label, machine, step.name, catch.next, drawn)
        if step.on_error is not None:
            label = f"{step.name} → {step.on_error} (onError)"
            drawn = _edge(base, step.on_error, "error")
            yield Part("error", pointer_to(base, "onError"), label, machine, step.name, step.on_error, drawn)
        default = self._program.scopes[machine].on_error
        if default is not None:
            label = f"any state → {default} (configuration.onError)"
            drawn = _edge(f"{machine}#error", default, "error")
            yield Part("error", pointer_to(CONFIGURED, "onError"), label, machine, default, default, drawn)

    def _written(self, pointer: str) -> Mapping[str, Any]:
        found = at_pointer(self._document, pointer)
        return found if isinstance(found, Mapping) else {}

    def _listed(self, base: str, key: str, index: int) -> str:
        """One thing may stand where a list of them is allowed."""
        value = self._written(base).get(key)
        return pointer_to(base, key, index) if isinstance(value, list) else pointer_to(base, key)


def at_pointer(document: Any, pointer: str) -> Any:
    """What a JSON pointer leads to, or None."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def _names(step: Step, errors: tuple[str, ...], error: str) -> bool:
    """Whether a rule takes an error. A branch's error may also be taken by the general name of such."""
    aliases = (error, BRANCH_FAILED) if isinstance(step, ParallelStep) else (error,)
    return any(matches_error(errors, name) for name in aliases)


def _edge(source: str, target: str | None, kind: str) -> str:
    """The id of an edge in the definition's picture."""
    return f"{source}->{pointer_to('', target)[1:] if target else ''}#{kind}"
