"""One client, its keys and its scripts: how every part of the Redis store talks to the server.

Nothing is repeated by itself, since a repeat could write twice; only a script the server has forgotten (it was
restarted) is loaded and run again, because then it has not run at all.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from stepwell_store.errors import StoreError
from stepwell_store.keys import Keys
from stepwell_store.redis_errors import translate, translated

SCRIPTS = (
    "acquire",
    "append_entries",
    "claim",
    "commit",
    "due_attempts",
    "engine_heartbeat",
    "extend",
    "list_instances",
    "load_available",
    "load_behind",
    "load_devices",
    "load_seen",
    "open_layout",
    "publish_definition",
    "release",
    "rename_members",
    "renew",
    "replace_fields",
    "report",
    "request_start",
    "unclaim",
)

Command = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the hash the server knows it by."""

    text: str
    sha: str


@dataclass(frozen=True, slots=True)
class Call:
    """A script with what it is called on."""

    script: str
    keys: Sequence[str]
    arguments: Sequence[Any] = ()


Request = Command | Call


class RedisLink:
    """Runs commands and scripts, each method one round trip. Raises errors of the store only."""

    __slots__ = ("_execute", "_scripts", "client", "keys")

    def __init__(self, client: Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self._execute: Callable[..., Any] = client.execute_command
        self._scripts = {name: _load_script(name) for name in SCRIPTS}

    def command(self, *command: Any, **options: Any) -> Any:
        """Run one command; `options` are for redis-py's reading of the answer."""
        with translated():
            return self._execute(*command, **options)

    def script(self, name: str, keys: Sequence[str], *arguments: Any) -> Any:
        """Run one script. A pipeline of one would take 1.2 to 2.2 times the processor time."""
        script = self._scripts[name]
        with translated():
            try:
                return self._execute("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self._execute("EVAL", script.text, len(keys), *keys, *arguments)

    def run(self, requests: Sequence[Request], together: bool = False) -> list[Any]:
        """Like `run_each`; the first error is raised after all were run."""
        answers = self.run_each(requests, together)
        for answer in answers:
            if isinstance(answer, StoreError):
                raise answer
        return answers

    def run_each(self, requests: Sequence[Request], together: bool = False) -> list[Any]:
        """Run commands and scripts in order; what one of them fails with stands in its answer's place (a StoreError).

        `together` runs them without anything in between. Each still succeeds or fails by itself, but a server that
        syncs its file always does it once for all of them, and not whenever a part of a large request is read.
        """
        answers = self._pipe([self.spell(request) for request in requests], together)
        self.run_forgotten(requests, answers, together)
        return [_translated(answer) if isinstance(answer, RedisError) else answer for answer in answers]

    def run_forgotten(self, requests: Sequence[Request], answers: list[Any], together: bool) -> None:
        """Load the scripts that the server did not know, run what needs them, put the answers in their places."""
        forgotten = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if not forgotten:
            return
        calls = [requests[index] for index in forgotten]
        names = sorted({call.script for call in calls if isinstance(call, Call)})
        self._pipe([("SCRIPT LOAD", self._scripts[name].text) for name in names])
        again = self._pipe([self.spell(call) for call in calls], together)
        for index, answer in zip(forgotten, again, strict=True):
            answers[index] = answer

    def spell(self, request: Request) -> Command:
        """A request as the server takes it."""
        if isinstance(request, Call):
            sha = self._scripts[request.script].sha
            return ("EVALSHA", sha, len(request.keys), *request.keys, *request.arguments)
        return request

    def _pipe(self, commands: Sequence[Command], together: bool = False) -> list[Any]:
        if not commands:
            return []
        if len(commands) == 1:
            return [self._alone(commands[0])]
        with translated(), self.client.pipeline(transaction=together) as pipeline:
            queue: Callable[..., Any] = pipeline.execute_command
            for command in commands:
                queue(*command)
            return list(pipeline.execute(raise_on_error=False))

    def _alone(self, command: Command) -> Any:
        """What a pipeline of one would answer, for 1 / 1.2 to 1 / 2.2 of its processor time."""
        with translated():
            try:
                return self._execute(*command)
            except ResponseError as refused:
                return refused


def _translated(error: RedisError) -> Exception:
    mine = translate(error)
    mine.__cause__ = error
    return mine


def _load_script(name: str) -> Script:
    text = files("stepwell_store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Linked:
    """A part of the Redis store."""

    _link: RedisLink
    _keys: Keys
    namespace: str
    partitions: int
