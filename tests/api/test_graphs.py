"""Pictures over HTTP: forms, versions, headers that keep a picture harmless."""

import pytest
from api_world import WAITING, api

TABLE = [
    ("svg", "image/svg+xml", "<svg "),
    ("mermaid", "text/vnd.mermaid", "---"),
    ("dot", "text/vnd.graphviz", "digraph"),
]


@pytest.mark.parametrize(("form", "media", "start"), TABLE)
def test_a_picture_comes_in_the_form_that_is_asked_for(form: str, media: str, start: str) -> None:
    with api() as client:
        client.post("/definitions", WAITING.encode())
        answer = client.get(f"/definitions/waiting/graph?format={form}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media)
        assert answer.text.startswith(start)


def test_a_picture_may_load_and_run_nothing() -> None:
    with api() as client:
        client.post("/definitions", WAITING.encode())
        headers = client.get("/definitions/waiting/graph").headers
        assert headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        assert headers["x-content-type-options"] == "nosniff"


def test_an_older_version_is_drawn_as_it_was() -> None:
    with api() as client:
        client.post("/definitions", WAITING.encode())
        client.post("/definitions", WAITING.replace("1.0.0", "1.1.0").replace("Done", "Over").encode())
        old = client.get("/definitions/waiting/versions/1.0.0/graph?format=dot").text
        assert "Done" in old
        assert client.get("/definitions/waiting/versions/latest/graph?format=dot").text != old
        assert "Over" in client.get("/definitions/waiting/graph?format=dot").text


def test_a_picture_that_did_not_change_is_not_sent_again() -> None:
    with api() as client:
        client.post("/definitions", WAITING.encode())
        tag = client.get("/definitions/waiting/graph").headers["etag"]
        again = client.get("/definitions/waiting/graph", headers={"If-None-Match": tag})
        other = client.get("/definitions/waiting/graph?theme=dark", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, other.status_code) == (304, b"", 200)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/definitions/nobody/graph", 404),
        ("/definitions/waiting/versions/9.9.9/graph", 404),
        ("/definitions/waiting/graph?format=png", 422),
        ("/definitions/waiting/graph?colour=red", 422),
    ],
)
def test_what_cannot_be_drawn_is_a_problem(path: str, status: int) -> None:
    with api() as client:
        client.post("/definitions", WAITING.encode())
        assert client.get(path).status_code == status
