"""Mermaid and DOT: every text of a definition stays inside its quotes."""

import re
from typing import Any

import pytest
from stepwell_interpreter.drawing import dot, mermaid

NESTED: dict[str, Any] = {
    "name": "Nested",
    "startAt": "Each",
    "states": {
        "Each": {
            "type": "map",
            "items": "$.input.all",
            "startAt": "Do",
            "states": {
                "Do": {
                    "type": "task",
                    "activity": "x.do",
                    "compensateWith": {"activity": "x.undo"},
                    "end": True,
                }
            },
            "catch": {"errors": ["Broken"], "next": "Failed"},
            "next": "Done",
        },
        "Done": {"type": "succeed"},
        "Failed": {"type": "fail", "error": "Broken"},
    },
}
HOSTILE = 'a"]; end\n click n0 "javascript:x" %% <b>`{}#quot;\\"'


def hostile(name: str) -> dict[str, Any]:
    rule = {"variable": "$.state.x", "equals": name, "next": name}
    return {"name": name, "startAt": name, "states": {name: {"type": "choice", "choices": [rule]}}}


def test_mermaid_shows_states_subgraphs_and_labelled_edges() -> None:
    text = mermaid(NESTED)
    assert text.startswith('---\ntitle: "Nested"\n---\nflowchart TD\n')
    assert 'subgraph n1["Each<br/><small>over input.all</small>"]' in text
    assert 'n3["Do<br/><small>x.do</small>"]:::task' in text
    assert 'n3u["↶ x.undo"]:::compensation' in text
    assert 'n1 -.->|"Broken"| n6' in text
    assert text.count("subgraph ") == text.count("\n  end") + text.count("\n    end")


def test_dot_shows_states_clusters_and_labelled_edges() -> None:
    text = dot(NESTED)
    assert text.startswith("digraph {")
    assert text.endswith("}\n")
    assert "subgraph cluster_n1 {" in text
    assert 'n3 [label="Do\\nx.do"' in text
    assert "ltail=cluster_n1" in text
    assert text.count("{") == text.count("}")


def test_a_hostile_text_cannot_leave_its_quotes_in_mermaid() -> None:
    for line in mermaid(hostile(HOSTILE)).splitlines()[4:]:
        inside = re.findall(r'"([^"]*)"', line)
        assert line.count('"') == 2 * len(inside)
        assert not any(set(text) & set("`<>{}[]\\%") for text in inside if "<br/>" not in text)
        assert "javascript:x" not in re.sub(r'"[^"]*"', "", line)


def test_a_hostile_text_cannot_leave_its_quotes_in_dot() -> None:
    for line in dot(hostile(HOSTILE)).splitlines():
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert '"' not in outside
        assert "javascript" not in outside


@pytest.mark.parametrize("write", [mermaid, dot])
def test_a_document_without_states_is_an_empty_picture(write: Any) -> None:
    assert "n0" not in write({})
