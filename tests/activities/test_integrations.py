"""The envelope of `lambda:invoke` around an activity."""

import orjson
from stepwell_activities.integrations import answer_json, body_input


def test_an_invoked_function_is_given_its_payload_alone() -> None:
    assert body_input("lambda:invoke", {"FunctionName": "f", "Payload": {"a": 1}}) == {"a": 1}


def test_an_invoked_function_without_a_payload_is_given_an_empty_object() -> None:
    assert body_input("lambda:invoke", {"FunctionName": "f"}) == {}


def test_the_answer_of_an_invoked_function_has_the_result_as_its_payload() -> None:
    answer = orjson.loads(answer_json("lambda:invoke", b'{"a":1}'))
    assert answer == {"ExecutedVersion": "$LATEST", "Payload": {"a": 1}, "StatusCode": 200}


def test_any_other_integration_is_given_and_answers_everything() -> None:
    assert body_input("sqs:sendMessage", {"QueueUrl": "q"}) == {"QueueUrl": "q"}
    assert answer_json("sqs:sendMessage", b"[1]") == b"[1]"
    assert body_input(None, {"Payload": 1}) == {"Payload": 1}
