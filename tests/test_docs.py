"""The documentation against the product: definitions load and lower, endpoints exist, links lead somewhere."""

import re
from collections import UserDict
from functools import cache
from pathlib import Path

import pytest
from stepwell_api.access import RIGHTS
from stepwell_api.app import create_app
from stepwell_interpreter.functions import FORMS, functions
from stepwell_interpreter.lower import lower
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.conditions import OPERATORS
from stepwell_schemas.loader import load_definition
from stepwell_schemas.settings import Settings
from stepwell_schemas.states import STATE_MODELS
from stepwell_store.memory_store import MemoryStore

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
GUIDES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ENDPOINT = re.compile(r"^\| `(GET|POST|PUT|PATCH|DELETE) (/[^`]*)` \| ([a-z ]+) \|", re.MULTILINE)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


class AnyActivity(UserDict[str, ActivityDescription]):
    """A table that has every activity, taking any input."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> ActivityDescription:
        return ActivityDescription(name=name)


@cache
def definitions() -> dict[str, str]:
    """Every definition shown to users, by page and number of its block there."""
    return {
        f"{page.relative_to(ROOT)}#{number}": text
        for page in GUIDES
        for number, (language, text) in enumerate(FENCE.findall(page.read_text()), 1)
        if language == "yaml" and re.search(r"^startAt:", text, re.MULTILINE)
    }


def prose(page: Path) -> str:
    """A page without its code."""
    return INLINE_CODE.sub("", FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """What a link may name after #, as GitHub makes it of headings."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("place", definitions())
def test_a_documented_definition_loads_without_any_problem(place: str) -> None:
    loaded = load_definition(definitions()[place], file=place, format="yaml")
    assert [str(problem) for problem in loaded.problems] == []


@pytest.mark.parametrize("place", definitions())
def test_a_documented_definition_lowers_to_a_program(place: str) -> None:
    definition = load_definition(definitions()[place], file=place, format="yaml").definition
    assert definition is not None
    assert lower(definition, AnyActivity(), "hash").id == definition.id


def test_the_language_reference_shows_every_type_of_state() -> None:
    text = (ROOT / "docs" / "language.md").read_text()
    shown = set(re.findall(r"\btype: (\w+)", "".join(definitions().values())))
    assert [name for name in STATE_MODELS if name not in shown] == []
    assert [name for name in STATE_MODELS if not re.search(rf"^### .*\b{name}\b", text, re.MULTILINE)] == []


def test_the_language_reference_names_exactly_the_functions_there_are() -> None:
    text = (ROOT / "docs" / "language.md").read_text()
    table = text.partition("### Functions")[2].partition("### Conditions")[0]
    assert set(re.findall(r"\{(\$\w+):", table)) == {*functions(), *FORMS}


def test_the_language_reference_names_every_operator() -> None:
    text = (ROOT / "docs" / "language.md").read_text()
    table = text.partition("### Conditions")[2].partition("## States")[0]
    assert [name for name in OPERATORS if f"`{name}`" not in table] == []


def test_the_activities_page_names_every_builtin_activity() -> None:
    from stepwell_activities.builtin import builtin_registry

    text = (ROOT / "docs" / "activities.md").read_text()
    assert set(re.findall(r"^\| `([a-z.]+)` \|", text.partition("## Built-in")[2], re.MULTILINE)) == set(
        builtin_registry().names()
    )


def test_the_http_page_and_the_application_have_the_same_endpoints() -> None:
    paths = create_app(Settings(), MemoryStore()).openapi()["paths"]
    served = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    documented = ENDPOINT.findall((ROOT / "docs" / "http.md").read_text())
    assert {(method, path) for method, path, _ in documented} == served


def test_the_http_page_says_which_right_each_endpoint_asks_for() -> None:
    documented = ENDPOINT.findall((ROOT / "docs" / "http.md").read_text())
    asked = {
        (method, path.replace(":path", "")): " or ".join(rights) for (method, path), rights in RIGHTS.items()
    }
    assert {(method, path): rights for method, path, rights in documented} == asked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []
