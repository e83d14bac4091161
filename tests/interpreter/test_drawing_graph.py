"""What of a definition is drawn: nodes, edges, clusters and their ids, in both dialects, also unfinished."""

from typing import Any

import pytest
from stepwell_interpreter.drawing import DrawingTooLarge, Edge, Node, graph_of
from stepwell_interpreter.drawing.graph import MAX_DEPTH, MAX_STATES

NATIVE: dict[str, Any] = {
    "id": "orders",
    "configuration": {"onError": "Undo"},
    "startAt": "Reserve",
    "states": {
        "Reserve": {
            "type": "Task",
            "activity": "stock.reserve",
            "compensateWith": {"activity": "stock/release"},
            "catch": {"errors": ["OutOfStock"], "next": "Undo"},
            "next": "Paid",
        },
        "Paid": {"type": "wait", "event": "Paid", "timeout": "PT48H", "timeoutNext": "Undo", "next": "Big"},
        "Big": {
            "type": "choice",
            "choices": [
                {"variable": "$.state.count", "greaterThanOrEquals": 2, "next": "Ship"},
                {"variable": "$.state.count", "isNull": True, "next": "Ship"},
            ],
            "default": "Undo",
        },
        "Ship": {
            "type": "parallel",
            "branches": {
                "box": {
                    "startAt": "Each",
                    "states": {
                        "Each": {
                            "type": "map",
                            "items": "$.input.items",
                            "startAt": "Pack",
                            "states": {"Pack": {"type": "task", "activity": "pack", "end": True}},
                            "end": True,
                        }
                    },
                }
            },
            "end": True,
        },
        "Undo": {"type": "compensation", "steps": "auto", "next": "Failed"},
        "Failed": {"type": "fail", "error": "OrderFailed"},
    },
}
AMAZON: dict[str, Any] = {
    "Comment": "an order",
    "StartAt": "Big",
    "States": {
        "Big": {
            "Type": "Choice",
            "Choices": [{"Not": {"Variable": "$.total", "NumericLessThan": 10}, "Next": "Both"}],
            "Default": "Each",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "No"}],
            "End": True,
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "Iterator": {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 90, "End": True}}},
            "End": True,
        },
        "No": {"Type": "Fail", "Error": "Refused"},
    },
}


def nodes(document: dict[str, Any]) -> dict[str, Node]:
    return {node.id: node for node in graph_of(document).every_node()}


def edges(document: dict[str, Any]) -> dict[str, Edge]:
    return {edge.id: edge for edge in graph_of(document).every_edge()}


def one(state: dict[str, Any], name: str = "A") -> Node:
    return nodes({"startAt": name, "states": {name: state}})[f"/states/{name}"]


def test_states_are_named_by_their_json_pointers_at_any_depth() -> None:
    states = [id for id in nodes(NATIVE) if "#" not in id]
    assert states == [
        "/states/Reserve",
        "/states/Paid",
        "/states/Big",
        "/states/Ship",
        "/states/Ship/branches/box/states/Each",
        "/states/Ship/branches/box/states/Each/states/Pack",
        "/states/Undo",
        "/states/Failed",
    ]


def test_edges_are_named_by_source_target_and_kind() -> None:
    assert [
        id for id in edges(NATIVE) if id.startswith(("#", "/states/Reserve", "/states/Paid", "/states/Big"))
    ] == [
        "#start->Reserve#start",
        "/states/Reserve->Paid#next",
        "/states/Reserve->Undo#catch",
        "/states/Paid->Big#next",
        "/states/Paid->Undo#timeout",
        "/states/Big->Ship#rule",
        "/states/Big->Undo#default",
        "#error->Undo#error",
        "/states/Reserve->stock~1release#compensate",
    ]


def test_an_edge_leads_from_the_last_state_to_the_end_of_its_own_machine() -> None:
    found = edges(NATIVE)
    assert found["/states/Ship->#next"].target == "#end"
    inner = "/states/Ship/branches/box/states/Each"
    assert found[f"{inner}/states/Pack->#next"].target == f"{inner}#end"


@pytest.mark.parametrize(
    ("edge", "label"),
    [
        ("/states/Big->Ship#rule", "count ≥ 2\nor count is null"),
        ("/states/Big->Undo#default", "default"),
        ("/states/Paid->Undo#timeout", "after 48 h"),
        ("/states/Reserve->Undo#catch", "OutOfStock"),
    ],
)
def test_an_edge_says_when_it_is_taken(edge: str, label: str) -> None:
    assert edges(NATIVE)[edge].label == label


@pytest.mark.parametrize(
    ("state", "details"),
    [
        ({"type": "task", "activity": "a.b", "timeout": 90}, ("a.b", "within 90 s")),
        ({"type": "task", "workflow": "child@1", "end": True}, ("workflow child@1",)),
        ({"type": "wait", "event": "Paid", "count": 3, "timeout": "PT48H"}, ("3 of Paid", "within 48 h")),
        ({"type": "wait", "duration": "$.input.pause"}, ("for input.pause",)),
        ({"type": "wait", "absence": {"event": "Beat", "for": "PT5M"}}, ("no Beat for 5 min",)),
        ({"type": "wait", "anyOf": {"x": {"event": "A"}, "y": {"event": "B"}}}, ("any of A, B",)),
        (
            {"type": "map", "items": "$.input.all", "tolerate": {"percent": 5}},
            ("over input.all", "5 % may fail"),
        ),
        ({"type": "parallel", "failure": {"quorum": 2}}, ("2 must succeed",)),
        ({"type": "compensation"}, ("undoes what was done",)),
        ({"type": "compensation", "steps": [{"activity": "x.undo"}]}, ("↶ x.undo",)),
        ({"type": "pass", "set": {"$.state.x": "$.input.y"}}, ("x = input.y",)),
        ({"type": "fail", "error": "Broken"}, ("Broken",)),
    ],
)
def test_a_state_tells_what_it_does(state: dict[str, Any], details: tuple[str, ...]) -> None:
    assert one(state).details == details


def test_a_missing_target_is_drawn_as_missing() -> None:
    found = nodes({"startAt": "A", "states": {"A": {"type": "task", "activity": "x", "next": "Nowhere"}}})
    assert found["/states/Nowhere"].kind == "missing"


def test_a_map_and_a_branch_hold_machines_of_their_own() -> None:
    found = nodes(NATIVE)
    (branch,) = found["/states/Ship"].clusters
    (each,) = found["/states/Ship/branches/box/states/Each"].clusters
    assert (branch.kind, branch.title) == ("branch", "box")
    assert (each.kind, [node.title for node in each.machine.nodes]) == ("iteration", ["start", "Pack", "end"])


def test_the_other_dialect_is_drawn_the_same_way() -> None:
    found = nodes(AMAZON)
    assert [node.kind for id, node in found.items() if "#" not in id] == [
        "choice",
        "parallel",
        "pass",
        "map",
        "wait",
        "fail",
    ]
    assert found["/States/Each/Iterator/States/B"].details == ("for 90 s",)
    ways = edges(AMAZON)
    assert ways["/States/Big->Both#rule"].label == "not (total < 10)"
    assert ways["/States/Both->No#catch"].label == "any error"


def test_an_envelope_is_drawn_as_the_definition_it_holds() -> None:
    graph = graph_of({"id": "order", "version": "1.0.0", "definition": AMAZON})
    assert (graph.title, graph.dialect) == ("order", "asl")
    assert [node.id for node in graph.every_node()] == list(nodes(AMAZON))


@pytest.mark.parametrize(
    ("resource", "arguments", "shown"),
    [
        ("arn:aws:lambda:us-east-1:111111111111:function:charge", {}, "charge"),
        ("arn:aws:states:::lambda:invoke", {"FunctionName": "charge"}, "charge"),
        (
            "arn:aws:states:::lambda:invoke.waitForTaskToken",
            {"FunctionName": "arn:aws:lambda:us-east-1:111111111111:function:charge:$LATEST"},
            "charge",
        ),
        ("arn:aws:states:::sqs:sendMessage", {}, "sqs:sendMessage"),
        ("charge", {}, "charge"),
    ],
)
def test_a_resource_is_shown_by_what_it_means(resource: str, arguments: dict[str, str], shown: str) -> None:
    state = {"Type": "Task", "Resource": resource, "Parameters": arguments, "End": True}
    assert nodes({"StartAt": "A", "States": {"A": state}})["/States/A"].details[0] == shown


@pytest.mark.parametrize(
    ("table", "shown"),
    [
        ({"arn:aws:states:::sqs:sendMessage": "queue.send"}, "queue.send"),
        ({"arn:aws:states:::sqs:sendMessage": "workflow:tell"}, "workflow tell"),
        ({"arn:aws:states:::sqs:sendMessage": "no such name"}, "sqs:sendMessage"),
        ({"other": "queue.send"}, "sqs:sendMessage"),
        ({"arn:aws:states:::sqs:sendMessage": 5}, "sqs:sendMessage"),
        (["queue.send"], "sqs:sendMessage"),
    ],
)
def test_a_resource_is_shown_by_what_the_envelope_says(table: Any, shown: str) -> None:
    state = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    machine = {"StartAt": "A", "States": {"A": state}}
    node = nodes({"id": "a", "resources": table, "definition": machine})["/States/A"]
    assert node.details[0] == shown
    assert "arn:aws:states:::sqs:sendMessage" in node.hover


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"states": None},
        {"startAt": 5, "states": []},
        {"states": {"A": None, "B": 5, "C": {}, "D": {"type": ["x"]}}},
        {"states": {"A": {"type": "choice", "choices": "x", "default": {}}}},
        {"states": {"A": {"type": "choice", "choices": [None, {"next": "A"}, {"and": 5, "next": "A"}]}}},
        {"states": {"A": {"type": "parallel", "branches": {"b": None}}, "M": {"type": "map"}}},
        {"states": {"A": {"type": "wait", "duration": 10**400, "anyOf": {"x": 1}, "absence": []}}},
        {"states": {"A": {"type": "task", "timeout": float("inf"), "catch": [{"errors": 5, "next": "B"}]}}},
        {"StartAt": None, "States": {"A": {"Type": "Parallel", "Branches": [None, 3, {}]}}},
        {"States": {"A": {"Type": "Choice", "Choices": [{"And": [{"Or": [{}]}], "Next": 7}]}}},
        {"States": {"A": {"Type": "Task", "Resource": {}, "Catch": "x"}, "B": {"Type": {}}}},
    ],
)
def test_any_shape_of_document_is_drawn_as_far_as_it_goes(document: dict[str, Any]) -> None:
    graph = graph_of(document)
    known = {node.id for node in graph.every_node()}
    assert all(edge.source in known for edge in graph.every_edge())


def test_too_many_states_are_refused_and_the_limit_is_told() -> None:
    states = {f"S{number}": {"type": "succeed"} for number in range(MAX_STATES + 1)}
    with pytest.raises(DrawingTooLarge, match=str(MAX_STATES)):
        graph_of({"states": states})


def test_nesting_beyond_the_limit_is_cut_and_said() -> None:
    state: dict[str, Any] = {"type": "succeed"}
    for _ in range(MAX_DEPTH + 5):
        state = {"type": "map", "items": [], "startAt": "M", "states": {"M": state}}
    deepest = list(graph_of({"startAt": "M", "states": {"M": state}}).every_node())
    assert any("nested too deeply to be drawn" in node.details for node in deepest)
    assert sum(node.kind == "map" for node in deepest) == MAX_DEPTH + 1
