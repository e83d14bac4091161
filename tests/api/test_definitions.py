"""Definitions over HTTP: immutable versions, every problem with its place, the source as it was sent."""

from typing import Any

import orjson
import pytest
from api_world import WAITING, api
from stepwell_schemas.catalog import ActivityDescription

HELLO = """id: hello
version: 1.0.0
startAt: End
states:
  End: {type: succeed}
"""


def test_an_upload_is_created_once_and_then_unchanged() -> None:
    with api() as client:
        first = client.post("/definitions", HELLO.encode())
        assert (first.status_code, first.json()["created"]) == (201, True)
        assert client.get(first.headers["location"]).json()["version"] == "1.0.0"
        again = client.post("/definitions", HELLO.encode())
        assert (again.status_code, again.json()["created"]) == (200, False)
        assert again.json()["hash"] == first.json()["hash"]


def test_other_content_under_a_stored_version_is_409_and_changes_nothing() -> None:
    with api() as client:
        client.post("/definitions", HELLO.encode())
        other = HELLO.replace("End:", "Fin:").replace("startAt: End", "startAt: Fin")
        assert client.post("/definitions", other.encode()).status_code == 409
        assert "End" in client.get("/definitions/hello/versions/1.0.0").json()["document"]["states"]


def test_json_and_yaml_of_the_same_content_are_the_same_version() -> None:
    document = {"id": "hello", "version": "1.0.0", "startAt": "End", "states": {"End": {"type": "succeed"}}}
    with api() as client:
        yaml = client.post("/definitions", HELLO.encode(), headers={"content-type": "application/yaml"})
        as_json = client.post("/definitions", document, headers={"content-type": "application/json"})
        assert (as_json.status_code, as_json.json()["hash"]) == (200, yaml.json()["hash"])


def test_a_problem_is_told_with_file_line_column_and_pointer() -> None:
    wrong = HELLO.replace("succeed", "suceed")
    with api() as client:
        answer = client.post("/definitions?file=hello.yaml", wrong.encode())
        assert answer.status_code == 422
        problem = answer.json()["problems"][0]
        assert (problem["file"], problem["line"]) == ("hello.yaml", 5)
        assert problem["column"] >= 1
        assert problem["pointer"].startswith("/states/End")
        assert answer.json()["errors"][0]["message"].startswith("hello.yaml:5:")
        assert client.get("/definitions").json()["items"] == []


def test_an_unknown_activity_is_found_at_upload() -> None:
    with api() as client:
        client.store.publish_activities([ActivityDescription(name="notify")])
        task = HELLO.replace("{type: succeed}", "{type: task, activity: notfy, end: true}")
        answer = client.post("/definitions", task.encode())
        assert answer.status_code == 422
        assert "notfy" in answer.text
        assert "notify" in answer.text


BAD: list[tuple[str, bytes, dict[str, str], int]] = [
    ("empty", b"", {}, 422),
    ("blank", b" \n", {}, 422),
    ("a scalar", b"hello", {}, 422),
    ("a list", b"[1]", {}, 422),
    ("broken YAML", b"id: [", {}, 422),
    ("broken JSON", b'{"id": ', {"content-type": "application/json"}, 422),
    ("not UTF-8", b"\xff\xfe\x00", {}, 422),
    ("a NUL", b"id: a\x00b", {}, 422),
    (
        "a bomb",
        b"a: &a [x]\nb: &b [*a,*a]\n"
        + b"".join(
            b"k%d: &k%d [%s]\n" % (n, n, b",".join([b"*k%d" % (n - 1) if n else b"*b"] * 9))
            for n in range(12)
        ),
        {},
        422,
    ),
    ("deep", b"[" * 50_000, {}, 422),
    ("deep JSON", b'{"a":' * 50_000, {"content-type": "application/json"}, 422),
    ("a duplicate key", HELLO.encode() + b"id: other\n", {}, 422),
    ("a python object", b"!!python/object/apply:os.system [id]", {}, 422),
    ("another media type", HELLO.encode(), {"content-type": "text/html"}, 415),
    ("compressed", HELLO.encode(), {"content-encoding": "gzip"}, 415),
]


@pytest.mark.parametrize("path", ["/definitions", "/definitions/validate"])
@pytest.mark.parametrize(("body", "headers", "status"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_a_bad_upload_is_told_and_stores_nothing(
    path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    with api() as client:
        answer = client.post(path, body, headers=headers)
        if path.endswith("validate") and body.strip() and status == 422:
            assert answer.status_code == 200
            assert answer.json()["valid"] is False
            assert answer.json()["problems"]
        else:
            assert answer.status_code == status
        assert client.get("/definitions").json()["items"] == []


def test_validating_stores_nothing() -> None:
    with api() as client:
        answer = client.post("/definitions/validate", HELLO.encode()).json()
        assert (answer["valid"], answer["id"], answer["created"]) == (True, "hello", False)
        assert client.get("/definitions").json()["items"] == []


def test_versions_are_listed_and_the_newest_is_the_latest() -> None:
    with api() as client:
        client.post("/definitions", HELLO.encode(), headers={"x-actor": "anna"})
        client.post("/definitions", HELLO.replace("1.0.0", "1.1.0").encode())
        client.post("/definitions", WAITING.encode())
        listed = client.get("/definitions").json()["items"]
        assert [(item["id"], item["version"]) for item in listed] == [
            ("hello", "1.1.0"),
            ("waiting", "1.0.0"),
        ]
        versions = client.get("/definitions/hello/versions").json()["items"]
        assert [(item["version"], item["latest"]) for item in versions] == [("1.0.0", False), ("1.1.0", True)]
        assert versions[0]["createdBy"].startswith("anna")
        assert client.get("/definitions/hello").json()["version"] == "1.1.0"
        assert client.get("/definitions/hello/versions/latest").json()["version"] == "1.1.0"


def test_the_source_comes_back_byte_by_byte_where_it_is_asked_for() -> None:
    source = ("# a comment\n" + HELLO).encode()
    with api() as client:
        client.post("/definitions", source)
        path = "/definitions/hello/versions/1.0.0"
        answer = client.get(path, headers={"accept": "application/yaml"})
        assert answer.content == source
        assert answer.headers["content-type"].startswith("application/yaml")
        detail = client.get(path, headers={"accept": "application/json"}).json()
        assert (detail["source"], detail["document"]["id"]) == (source.decode(), "hello")


def test_a_version_that_did_not_change_is_not_sent_again() -> None:
    with api() as client:
        client.post("/definitions", HELLO.encode())
        path = "/definitions/hello/versions/1.0.0"
        tag = client.get(path).headers["etag"]
        assert client.get(path, headers={"if-none-match": tag}).status_code == 304


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/definitions/helo", 'did you mean "hello"?'),
        ("/definitions/helo/versions", 'did you mean "hello"?'),
        ("/definitions/hello/versions/9.9.9", "it has 1.0.0"),
        ("/definitions/hello/versions/" + "9" * 5_000, "it has 1.0.0"),
    ],
)
def test_what_is_not_there_is_404_and_says_what_is(path: str, said: str) -> None:
    with api() as client:
        client.post("/definitions", HELLO.encode())
        answer = client.get(path)
        assert answer.status_code == 404
        assert said in answer.json()["detail"]


def test_activities_are_listed_with_their_schemas() -> None:
    with api() as client:
        described: dict[str, Any] = {"name": "pay", "queue": "money", "input_schema": {"type": "object"}}
        client.store.publish_activities([ActivityDescription(**described)])
        (item,) = client.get("/activities").json()["items"]
        assert (item["name"], item["queue"], item["inputSchema"]) == ("pay", "money", {"type": "object"})


def test_an_upload_with_warnings_is_stored_and_tells_them() -> None:
    child = HELLO.replace("{type: succeed}", "{type: task, workflow: elsewhere, end: true}")
    with api() as client:
        answer = client.post("/definitions", child.encode())
        assert answer.status_code == 201, answer.text
        assert [problem["severity"] for problem in answer.json()["problems"]] == ["warning"]
        assert orjson.loads(answer.content)["valid"] is True
