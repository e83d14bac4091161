"""What templates give as shapes, and what is wrong with the paths and functions they use.

A `Reader` sees one environment: an object whose members are the roots in scope (`input`, `state`, `system`, ..). The
paths it has read for certain are kept, since whatever comes after a success can rely on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stepwell_schemas.problems import Severity

from stepwell_interpreter.comparisons import COMBINATORS
from stepwell_interpreter.failures import CompileProblem, pointer_to
from stepwell_interpreter.paths import compile_path, is_path
from stepwell_interpreter.paths import written as path_text
from stepwell_interpreter.scope import place_of
from stepwell_interpreter.verification.findings import Sink
from stepwell_interpreter.verification.function_shapes import NOTHING, result_of, wrong_argument
from stepwell_interpreter.verification.shapes import (
    ANY,
    Found,
    Member,
    Shape,
    constant,
    join,
    list_of,
    listed,
    lookup,
    made_sure,
    secrets,
)

Path = tuple[str | int, ...]

ACCEPTED: Final = ("sure", "unknown")


@dataclass(slots=True)
class Reader:
    """See the module's header. `lenient`: what may be missing is no finding (in `where`)."""

    environment: Shape
    sink: Sink
    lenient: bool = False
    relied: list[Path] = field(default_factory=list)

    def environment_after(self) -> Shape:
        """The environment, in which all that was read is there."""
        after = self.environment
        for path in dict.fromkeys(self.relied):
            holder = after.members.get(str(path[0]))
            self.sink.work.copy(0 if holder is None else len(holder.shape.members))
            after = made_sure(after, path)
        return after

    def value(self, template: Any, pointer: str) -> Shape:
        """The shape of what a template gives."""
        if isinstance(template, str):
            if is_path(template):
                return self.path(template, pointer)
            return constant(template[1:] if template.startswith(("$$.", "$$[")) else template)
        if isinstance(template, list):
            return listed(
                [self.value(part, pointer_to(pointer, place)) for place, part in enumerate(template)]
            )
        if not isinstance(template, Mapping):
            return constant(template)
        names = [key for key in template if key.startswith("$") and not key.startswith("$$")]
        if names:
            return self._call(names[0], template, pointer)
        members = {
            key.removeprefix("$") if key.startswith("$$") else key: Member(
                self.value(part, pointer_to(pointer, key))
            )
            for key, part in template.items()
        }
        return Shape(frozenset({"object"}), members, "closed")

    def path(self, text: str, pointer: str, *, optional: bool = False) -> Shape:
        """The shape of what a path finds; tells what is wrong with it."""
        return self.find(text, pointer, optional=optional).shape

    def find(self, text: str, pointer: str, *, optional: bool = False) -> Found:
        """What a path finds; tells what is wrong with it."""
        members = members_of(text)
        if members is None:
            return self._query(text, pointer)
        found = lookup(self.environment, members)
        if found.certainty not in ACCEPTED and self.sink.active:
            self._tell(text, members, found, pointer, optional)
        # What nothing writes is not there after a read either: in a loop it would look as if it were.
        unsure = found.certainty not in ("sure", "absent")
        if not optional and unsure and all(isinstance(each, str) for each in members):
            self.relied.append(members)
        return found

    # -- functions -----------------------------------------------------------------------------------------

    def _call(self, name: str, template: Mapping[str, Any], pointer: str) -> Shape:
        if name in ("$path", "$default"):
            return self._path_form(template, pointer)
        raw = template[name]
        place = pointer_to(pointer, name)
        if isinstance(raw, list):
            given = [(part, pointer_to(place, number)) for number, part in enumerate(raw)]
        else:
            given = [] if raw is None else [(raw, place)]
        if name == "$if":
            return self._if_form(given)
        shapes = [self.value(part, where) for part, where in given]
        wrong = wrong_argument(name, shapes)
        if wrong is not None:
            position, allowed = wrong
            message = f"`{name}`: argument {position + 1} is {shapes[position]}; it takes {Shape(allowed)}"
            self.sink.add("function-argument", given[position][1], message)
        return result_of(name, shapes)

    def _path_form(self, template: Mapping[str, Any], pointer: str) -> Shape:
        text = template.get("$path")
        if not isinstance(text, str):
            return ANY
        place = pointer_to(pointer, "$path")
        if "$default" not in template:
            return self.path(text, place)
        found = self.find(text, place, optional=True)
        default = self.value(template["$default"], pointer_to(pointer, "$default"))
        if found.certainty == "sure":
            return found.shape
        return (
            default if found.certainty in ("absent", "scalar") else join(found.shape, default, self.sink.work)
        )

    def _if_form(self, given: Sequence[tuple[Any, str]]) -> Shape:
        # Each side is read only when the condition says so: nothing read there can be relied on.
        from stepwell_interpreter.verification.conditions import Judge

        yes_in = no_in = self.environment
        condition, place = given[0]
        if isinstance(condition, Mapping) and ("variable" in condition or not _is_plain(condition)):
            judge = Judge(self.environment, self.sink, self.lenient)
            decided = judge.decide(condition, place)
            yes_in, no_in = decided.yes or self.environment, decided.no or self.environment
        else:
            self.value(condition, place)
        yes = Reader(yes_in, self.sink, self.lenient).value(*given[1])
        no = Reader(no_in, self.sink, self.lenient).value(*given[2]) if len(given) > 2 else NOTHING
        return join(yes, no, self.sink.work)

    def _query(self, text: str, pointer: str) -> Found:
        """A path that gives a list: its plain beginning must lead somewhere."""
        prefix, members = plain_beginning(text)
        if members is None:
            return Found("unknown", list_of(ANY))
        found = lookup(self.environment, members)
        if found.certainty in ("absent", "scalar", "undeclared") and self.sink.active:
            self._tell(prefix, members, found, pointer, False)
        shape = list_of(ANY)
        kept = next(secrets(found.shape), "")
        return Found("unknown", Shape(shape.kinds, items=ANY, secret=kept))

    # -- what is wrong -------------------------------------------------------------------------------------

    def _tell(self, text: str, members: Path, found: Found, pointer: str, optional: bool) -> None:
        root = str(members[0])
        if found.depth == 0:
            self._tell_root(text, root, found, pointer, optional)
            return
        member, holder = members[found.depth], found.holder or ANY
        at = "$." + path_text(members[: found.depth])
        of_state = root == "state" and found.depth == 1
        near = self.sink.nearest(str(member), self.sink.state_names if of_state else holder.members)
        hint = "" if of_state else _known(holder)
        if near is not None and near != member:
            hint = f"; did you mean `{near}`?"
        match found.certainty:
            case "scalar":
                wanted = "an object" if isinstance(member, str) else "a list"
                if not optional or "null" not in holder.kinds:
                    self.sink.add("path-into-scalar", pointer, f"`{text}`: {at} is {holder}, not {wanted}")
            case "absent" if root == "state" and found.depth == 1:
                message = f"`{text}`: nothing that comes before writes `$.state.{member}`{hint}"
                self.sink.add("path-never-written", pointer, message)
            case "absent":
                self.sink.add("path-unknown-key", pointer, f"`{text}`: {at} never has `{member}`{hint}")
            case "undeclared":
                severity: Severity = "error" if near is not None else "warning"
                message = f"`{text}`: the schema of {at} does not declare `{member}`{hint}"
                self.sink.add("path-undeclared-key", pointer, message, severity=severity)
            case "unpromised" if not optional and not self.lenient:
                message = f"`{text}`: the schema of {at} says nothing of `{member}`{hint}"
                self.sink.add("path-not-promised", pointer, message)
            case "optional" if not optional and not self.lenient:
                self._tell_optional(text, at, root, member, holder, pointer)
            case _:
                pass

    def _tell_root(self, text: str, root: str, found: Found, pointer: str, optional: bool) -> None:
        if found.certainty == "absent":
            known = " ".join(f"$.{name}" for name in self.environment.members)
            where = "where no error has led here" if root == "error" else f"but {place_of(root)}"
            message = f"`{text}`: $.{root} is not known {where}; known here: {known}"
            self.sink.add("path-out-of-scope", pointer, message)
        elif not optional and not self.lenient:
            message = f"`{text}`: on some routes no error has led here, and then there is no $.{root}"
            self.sink.add("path-maybe-missing", pointer, message)

    def _tell_optional(
        self, text: str, at: str, root: str, member: str | int, holder: Shape, pointer: str
    ) -> None:
        inside = holder.members.get(str(member))
        if inside is not None and inside.sure:
            self.sink.add("path-optional", pointer, f"`{text}`: {at} may also be {_others(holder)}")
        elif root == "state":
            message = f"`{text}`: not every route that leads here writes `{member}` of {at}"
            self.sink.add("path-maybe-missing", pointer, message)
        else:
            message = f"`{text}`: `{member}` of {at} is optional and may be missing"
            self.sink.add("path-optional", pointer, message)


def members_of(text: str) -> Path | None:
    """The members of a plain path, its root first; None for any other path."""
    try:
        return compile_path(text).members
    except CompileProblem:
        return None


def plain_beginning(text: str) -> tuple[str, Path | None]:
    """The longest beginning of a query that is a plain path."""
    for cut in range(len(text) - 1, 1, -1):
        if text[cut] in ".[" and not text[:cut].endswith(".") and (members := members_of(text[:cut])):
            return text[:cut], members
    return text, None


def _is_plain(condition: Mapping[str, Any]) -> bool:
    """Whether an object is no combination of conditions."""
    return not any(name in condition for name in COMBINATORS)


def _known(holder: Shape) -> str:
    names = sorted(holder.members)
    if not names:
        return ""
    return (
        "; it has " + ", ".join(f"`{name}`" for name in names[:8]) + (" and more" if len(names) > 8 else "")
    )


def _others(holder: Shape) -> str:
    return str(Shape(holder.kinds - {"object", "list"}))
