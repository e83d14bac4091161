"""One real installation for each pytest process, shared by the tests of the client commands."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import Up, run, start_up

WORKFLOW = """
id: greeting
version: 1.0.0
input: {type: object, properties: {name: {type: string}}}
events: {Nod: {}, Ping: {}}
configuration: {timeout: PT1H}
startAt: Wait
states:
  Wait: {type: wait, event: Nod, timeout: PT30M, resultPath: $.state.nod, next: Done}
  Done: {type: succeed, output: {hello: $.input.name}}
"""


@pytest.fixture(scope="session")
def up() -> Iterator[Up]:
    """A running installation with the definition `greeting`."""
    with tempfile.TemporaryDirectory(prefix="stepwell-test-") as folder:
        running = start_up(Path(folder) / "data", "--workers", "1")
        try:
            (Path(folder) / "greeting.yaml").write_text(WORKFLOW, encoding="utf-8")
            url = running.running.url
            assert run("deploy", f"{folder}/greeting.yaml", url=url).exit_code == 0
            yield running
        finally:
            if running.process.poll() is None:
                assert running.end() == 0, running.log()


@pytest.fixture
def url(up: Up) -> str:
    """The installation's address."""
    return up.running.url
