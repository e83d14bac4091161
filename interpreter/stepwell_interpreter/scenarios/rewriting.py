"""Writes generated scenarios into a scenario file without touching what people wrote there.

A scenario is ours while its content has the hash it carries; any other is kept, letter for letter, comments included.
Ours are replaced by their new form, or go; new ones come at the end. The same input gives the same text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from stepwell_schemas.scalars import ScalarRefused, plain_value

from stepwell_interpreter.scenarios.generating import content_hash
from stepwell_interpreter.scenarios.reading import TESTS, ScenarioSet

WIDTH: Final = 110
HEAD: Final = """\
# Written by `stepwell generate tests`. Edit what you like: a scenario that you have changed is kept as it is.
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A scenario of the file as it stands there. `ours`: generated, and not changed since."""

    name: str
    text: str
    document: Mapping[str, Any]
    ours: bool


def kept_indexes(scenarios: ScenarioSet) -> list[int]:
    """The scenarios that are not ours to change."""
    return [index for index, document in enumerate(_documents(scenarios)) if not is_ours(document)]


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether a scenario was generated and has not been changed since."""
    marker = document.get("generated")
    return isinstance(marker, str) and marker == content_hash(document)


def new_file(definition: str, generated: Sequence[Mapping[str, Any]], activities: Sequence[str] = ()) -> str:
    """The text of a scenario file that is written for the first time."""
    head: dict[str, Any] = {"definition": definition}
    if activities:
        head["activities"] = list(activities)
    return HEAD + _dumped(head) + "tests:\n" + "\n".join(_item(each, 2) for each in generated)


def rewritten(scenarios: ScenarioSet, generated: Sequence[Mapping[str, Any]]) -> str | None:
    """The text of the file with the generated scenarios in it; None where its `tests` are no list in block style."""
    head, blocks = _blocks(scenarios)
    if head is None:
        return None
    indent = _indent(scenarios)
    new = {each["name"]: each for each in generated}
    parts: list[str] = []
    for block in blocks:
        if not block.ours:
            parts.append(block.text)
        elif block.name in new:
            document = new.pop(block.name)
            same = document["generated"] == block.document.get("generated")
            parts.append(block.text if same else _item(document, indent) + "\n" * block.text.endswith("\n\n"))
    written = "".join(_ended(part) for part in parts)
    for document in new.values():
        written = written.rstrip("\n") + "\n" * (2 if written else 0) + _item(document, indent)
    return head + (written if written.strip() else "")


def _documents(scenarios: ScenarioSet) -> list[Mapping[str, Any]]:
    found = scenarios.document.get(TESTS) if isinstance(scenarios.document, Mapping) else None
    return list(found) if isinstance(found, list) else []


def _blocks(scenarios: ScenarioSet) -> tuple[str | None, list[Kept]]:
    """The text before the first scenario, and the text of each, with the comments right above it."""
    lines = scenarios.source.splitlines(keepends=True)
    documents = _documents(scenarios)
    places = [scenarios.positions.values.get((TESTS, index)) for index in range(len(documents))]
    starts: list[int] = []
    for place in places:
        if place is None or not lines[place.line - 1].lstrip().startswith("- "):
            return None, []
        start = place.line - 1
        while start > 0 and lines[start - 1].lstrip().startswith("#"):
            start -= 1
        starts.append(start)
    if not starts or starts != sorted(set(starts)):
        return None, []
    ends = [*starts[1:], len(lines)]
    blocks = [
        Kept(str(document.get("name")), "".join(lines[start:end]), document, is_ours(document))
        for document, start, end in zip(documents, starts, ends, strict=True)
    ]
    return "".join(lines[: starts[0]]), blocks


def _indent(scenarios: ScenarioSet) -> int:
    place = scenarios.positions.values.get((TESTS, 0))
    if place is None:
        return 2
    line = scenarios.source.splitlines()[place.line - 1]
    return len(line) - len(line.lstrip())


def _item(document: Mapping[str, Any], indent: int) -> str:
    """One scenario as an item of a list: its own keys on lines of their own, what is inside them compact."""
    lines: list[str] = []
    for key, value in document.items():
        if isinstance(value, Mapping) and value and key in ("tasks", "expect"):
            lines.append(f"{key}:")
            lines += [f"  {line}" for name, part in value.items() for line in _entry(name, part)]
        elif isinstance(value, list) and value and key == "events":
            lines.append(f"{key}:")
            lines += [
                f"  - {line}" if not n else f"    {line}"
                for part in value
                for n, line in enumerate(_flow(part))
            ]
        else:
            lines += _entry(key, value)
    margin = " " * indent
    return "".join(f"{margin}{'- ' if not number else '  '}{line}\n" for number, line in enumerate(lines))


def _entry(key: str, value: Any) -> list[str]:
    """`key: value` with the value in flow style, on further lines where it is long."""
    first, *rest = _flow(value)
    return [f"{_flow(key)[0]}: {first}", *(f"  {line}" for line in rest)]


def _flow(value: Any) -> list[str]:
    text = yaml.dump(
        value, Dumper=_Writer, default_flow_style=True, sort_keys=False, allow_unicode=True, width=WIDTH
    )
    return str(text).removesuffix("...\n").splitlines()


def _dumped(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=WIDTH))


class _Writer(yaml.SafeDumper):
    """Quotes what our reader would take for something else than a text: it reads YAML 1.2."""

    def ignore_aliases(self, data: Any) -> bool:
        """An anchor says nothing to an author."""
        return True


def _text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = text == "" or plain_value(text) == text
    except ScalarRefused:
        plain = False
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Writer.add_representer(str, _text)


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
