"""The SVG picture: well-formed and harmless whatever the texts, laid out without overlaps, coloured as marked."""

import random
import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from stepwell_interpreter.drawing import graph_of, svg
from stepwell_interpreter.drawing.layout import PlacedMachine, laid_out

HOSTILE = "</title><script>alert(1)</script>\"'&<!--]]>\x00\x1b\ud800\u202e\U0001f600" + "x" * 300
SIMPLE: dict[str, Any] = {
    "name": "Simple",
    "startAt": "A",
    "states": {
        "A": {"type": "task", "activity": "a.b", "catch": {"next": "F"}, "next": "S"},
        "S": {"type": "succeed"},
        "F": {"type": "fail"},
    },
}
Rectangle = tuple[float, float, float, float]


def task(next: str, **more: Any) -> dict[str, Any]:
    return {"type": "task", "activity": "some.activity", "next": next, **more}


def random_machine(seed: int, size: int) -> dict[str, Any]:
    """Choices that lead anywhere, with labels, catches and loops."""
    chance = random.Random(seed)

    def state(number: int) -> dict[str, Any]:
        rules = [
            {"variable": "$.state.count", "equals": each, "next": f"S{chance.randrange(size)}"}
            for each in range(chance.randrange(4))
        ]
        if rules:
            return {"type": "choice", "choices": rules, "default": f"S{min(size - 1, number + 1)}"}
        return task(f"S{min(size - 1, number + 1)}", catch={"next": f"S{chance.randrange(size)}"})

    return {"startAt": "S0", "states": {f"S{number}": state(number) for number in range(size)}}


def rectangles(machine: PlacedMachine) -> list[Rectangle]:
    boxes = [(node.x, node.y, node.width, node.height) for node in machine.nodes]
    labels = [
        (
            edge.label_x - edge.label.width / 2,
            edge.label_y - edge.label.height / 2,
            edge.label.width,
            edge.label.height,
        )
        for edge in machine.edges
        if edge.label.lines
    ]
    return boxes + labels


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


@pytest.mark.parametrize("seed", range(12))
def test_nodes_and_labels_never_overlap(seed: int) -> None:
    machine = laid_out(graph_of(random_machine(seed, 25)))
    assert not [pair for pair in combinations(rectangles(machine), 2) if overlap(*pair)]


@pytest.mark.parametrize("seed", range(6))
def test_everything_lies_within_the_machine(seed: int) -> None:
    machine = laid_out(graph_of(random_machine(seed, 25)))
    for x, y, width, height in rectangles(machine):
        assert x >= -0.01
        assert y >= -0.01
        assert x + width <= machine.width + 0.01
        assert y + height <= machine.height + 0.01


def test_every_arrow_ends_on_its_target() -> None:
    machine = laid_out(graph_of(random_machine(3, 30)))
    places = {node.node.id: node for node in machine.nodes}
    for edge in machine.edges:
        assert edge.line.tip is not None
        x, y = edge.line.tip
        target = places[edge.edge.target]
        assert target.x <= x <= target.x + target.width
        assert y == pytest.approx(target.y)


def test_ways_back_turn_at_levels_of_their_own() -> None:
    rules = [{"variable": "$.state.x", "equals": target, "next": target} for target in ("A", "B", "C")]
    states = {"A": task("B"), "B": task("C"), "C": {"type": "choice", "choices": rules, "default": "D"}}
    machine = laid_out(graph_of({"startAt": "A", "states": {**states, "D": {"type": "succeed"}}}))
    back = [edge.line.path for edge in machine.edges if edge.edge.kind == "rule"]
    turns = [path.split("V")[1].split("Q")[0] for path in back]
    assert len(back) == len(set(turns)) == 3


def test_a_chain_is_one_straight_line() -> None:
    states = {f"S{number}": task(f"S{number + 1}", catch={"next": "F"}) for number in range(10)}
    states |= {"S10": {"type": "succeed"}, "F": {"type": "fail"}}
    machine = laid_out(graph_of({"startAt": "S0", "states": states}))
    centres = {round(n.x + n.width / 2, 3) for n in machine.nodes if n.node.title not in ("F",)}
    assert len(centres) == 1


def test_clusters_lie_inside_their_state_and_beside_each_other() -> None:
    branch = {"startAt": "X", "states": {"X": {"type": "succeed"}}}
    state = {"type": "parallel", "branches": {"a": branch, "b": branch, "c": branch}, "end": True}
    machine = laid_out(graph_of({"startAt": "P", "states": {"P": state}}))
    (holder,) = [node for node in machine.nodes if node.clusters]
    inside = [(each.x, each.y, each.width, each.height) for each in holder.clusters]
    assert not [pair for pair in combinations(inside, 2) if overlap(*pair)]
    for x, y, width, height in inside:
        assert holder.x < x < x + width < holder.x + holder.width
        assert holder.y < y < y + height < holder.y + holder.height


def test_the_same_document_gives_the_same_bytes() -> None:
    document = random_machine(5, 40)
    assert svg(document) == svg(document)


def test_hostile_texts_stay_texts() -> None:
    state = {
        "type": "choice",
        "comment": HOSTILE,
        "choices": [{"variable": "$.x", "equals": HOSTILE, "next": HOSTILE}],
        "default": HOSTILE,
    }
    picture = svg(
        {"name": HOSTILE, "description": HOSTILE, "startAt": HOSTILE, "states": {HOSTILE: state}},
        marks={f"/states/{HOSTILE}": HOSTILE},
    )
    root = ElementTree.fromstring(picture)
    names = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert names <= {"svg", "title", "desc", "style", "g", "rect", "path", "circle", "text"}
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    assert "\u202e" not in picture


def test_nothing_is_loaded_from_elsewhere() -> None:
    picture = svg(SIMPLE)
    assert re.findall(r"https?://[^\"' ]+", picture) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in picture
    assert "@import" not in picture


def test_a_long_name_is_shortened_and_told_in_full_on_hovering() -> None:
    name = "AnExtraordinarilyLongStateNameThatNobodyShouldEverWriteButSomebodyWill"
    root = ElementTree.fromstring(svg({"startAt": name, "states": {name: {"type": "succeed"}}}))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert name not in texts
    assert any(text.endswith("…") for text in texts)
    assert any(name in title for title in titles)


def test_the_picture_has_a_role_a_title_and_a_name_for_screen_readers() -> None:
    root = ElementTree.fromstring(svg(SIMPLE))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "Simple, a workflow of 3 states"
    assert root[0].text == "Simple"


def test_only_the_automatic_theme_asks_the_readers_system() -> None:
    assert "prefers-color-scheme:dark" in svg(SIMPLE)
    assert "prefers-color-scheme" not in svg(SIMPLE, theme="light")
    assert svg(SIMPLE, theme="light") != svg(SIMPLE, theme="dark")


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: auto, light, dark"):
        svg(SIMPLE, theme="pink")  # type: ignore[arg-type]  # what a caller without types may do


def test_marks_colour_nodes_and_edges_and_are_counted_in_a_legend() -> None:
    marks = {
        "/states/A": "covered",
        "/states/A->F#catch": "missed",
        "/states/S": "covered",
        "/states/Gone": "missed",
    }
    root = ElementTree.fromstring(svg(SIMPLE, marks=marks))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    classes = {element.attrib.get("data-id"): element.attrib.get("class", "") for element in root.iter()}
    assert [text for text in texts if text and text.endswith(")")] == ["covered (2)", "missed (1)"]
    assert classes["/states/A"].endswith("sw-m0")
    assert classes["/states/A->F#catch"].endswith("sw-m1")
    assert "sw-m" not in classes["/states/F"]


def test_a_word_that_nobody_knows_has_a_colour_too() -> None:
    assert ".sw-m0>.sw-box" in svg(SIMPLE, marks={"/states/A": "pondering"})


@pytest.mark.parametrize("size", [500])
@pytest.mark.laborious
def test_five_hundred_states_are_drawn(size: int) -> None:
    states: dict[str, Any] = {f"S{n}": task(f"S{n + 1}", catch={"next": "F"}) for n in range(size)}
    documents = [
        {"startAt": "S0", "states": {**states, f"S{size}": {"type": "succeed"}, "F": {"type": "fail"}}},
        random_machine(1, size),
    ]
    for document in documents:
        assert svg(document).count("<rect") > size / 2


def test_ways_that_are_too_many_to_draw_end_in_a_label_that_names_their_target() -> None:
    picture = svg(random_machine(1, 500))
    assert "→ S" in picture
    assert len(picture) < 4_000_000
