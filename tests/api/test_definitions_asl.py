"""Step Functions definitions over HTTP: in an envelope, or as they are with parameters beside them."""

import json
from typing import Any

import pytest
from api_world import Api, api
from stepwell_schemas.catalog import ActivityDescription

CHARGE = "arn:aws:lambda:us-east-1:111111111111:function:charge"
MACHINE = {"StartAt": "Charge", "States": {"Charge": {"Type": "Task", "Resource": CHARGE, "End": True}}}
ENVELOPE = {"id": "orders", "version": "1.0.0", "name": "Orders", "definition": MACHINE}
BESIDE = {"id": "orders", "version": "1.0.0"}
JSON = {"content-type": "application/json"}


def upload(client: Api, document: Any, path: str = "/definitions", **parameters: str) -> Any:
    client.store.publish_activities([ActivityDescription(name="charge"), ActivityDescription(name="cards")])
    return client.post(path, document, headers=JSON, params=parameters)


def test_an_envelope_is_published_and_listed_with_its_dialect() -> None:
    with api() as client:
        assert upload(client, ENVELOPE).status_code == 201
        (item,) = client.get("/definitions").json()["items"]
        assert (item["id"], item["dialect"], item["name"]) == ("orders", "asl", "Orders")
        assert client.get("/definitions/orders").json()["document"]["definition"] == MACHINE


def test_a_definition_is_published_with_id_and_version_beside_it() -> None:
    with api() as client:
        answer = upload(client, MACHINE, **BESIDE, type="EXPRESS", resources='{"charge": "cards"}')
        assert answer.status_code == 201
        document = client.get("/definitions/orders").json()["document"]
        assert (document["type"], document["resources"]) == ("EXPRESS", {"charge": "cards"})


@pytest.mark.parametrize("path", ["/definitions", "/definitions/validate"])
@pytest.mark.parametrize(("expected", "accepted"), [("succeeded", True), ("failed", False)])
def test_tests_of_an_envelope_gate_its_upload(path: str, expected: str, accepted: bool) -> None:
    test = {"name": "paid", "tasks": {"Charge": {"output": 1}}, "expect": {"status": expected}}
    with api() as client:
        answer = upload(client, {**ENVELOPE, "tests": [test]}, path)
        problems = answer.json().get("problems", [])
        found = [(problem["code"], problem["pointer"]) for problem in problems]
        assert found == ([] if accepted else [("test-failed", "/tests/0/name")])
        stored = client.get("/definitions").json()["items"]
        assert bool(stored) == (accepted and path == "/definitions")


def test_yaml_is_taken_too() -> None:
    text = b"id: orders\nversion: 1.0.0\ndefinition:\n  StartAt: A\n  States: {A: {Type: Succeed}}\n"
    with api() as client:
        assert (
            client.post("/definitions", text, headers={"content-type": "application/yaml"}).status_code == 201
        )


def test_a_definition_alone_is_told_what_it_lacks() -> None:
    with api() as client:
        answer = upload(client, MACHINE)
        assert answer.status_code == 422
        assert answer.json()["problems"][0]["code"] == "missing-key"


@pytest.mark.parametrize("path", ["/definitions", "/definitions/validate"])
def test_problems_have_awss_codes_and_their_place_in_the_source(path: str) -> None:
    wrong = {**ENVELOPE, "definition": {**MACHINE, "StartAt": "Nope"}}
    with api() as client:
        answer = upload(client, json.dumps(wrong, indent=1).encode(), path, file="orders.json")
        problem = answer.json()["problems"][0]
        assert (problem["code"], problem["file"]) == ("MISSING_TRANSITION_TARGET", "orders.json")
        assert (problem["pointer"], problem["line"]) == ("/definition/StartAt", 6)


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"id": "No Id"}, "id"),
        ({"type": "FAST"}, "type"),
        ({"resources": "{"}, "resources"),
        ({"resources": "[1]"}, "resources"),
        ({"resources": '{"f": 1}'}, "resources"),
    ],
)
def test_a_wrong_parameter_is_422_and_named(parameters: dict[str, str], pointer: str) -> None:
    with api() as client:
        answer = upload(client, MACHINE, **{**BESIDE, **parameters})
        assert answer.status_code == 422
        assert pointer in answer.text
        assert client.get("/definitions").json()["items"] == []


def test_a_table_that_names_no_activity_is_refused() -> None:
    with api() as client:
        answer = upload(client, MACHINE, **BESIDE, resources='{"charge": "not an activity"}')
        assert answer.status_code == 422
