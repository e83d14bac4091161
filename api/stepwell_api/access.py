"""Who may do what: API keys, roles, and the one table of rights by route.

A route that is not in the table cannot be served. Without keys everything is allowed, from this machine only.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.types import Scope
from stepwell_schemas.settings import Role

from stepwell_api.problems import ProblemRaised

Right = Literal["open", "read", "publish", "operate", "deploy"]

GRANTS: Mapping[Role, frozenset[Right]] = {
    "reader": frozenset({"open", "read"}),
    "publisher": frozenset({"open", "publish"}),
    "operator": frozenset({"open", "read", "publish", "operate"}),
    "admin": frozenset({"open", "read", "publish", "operate", "deploy"}),
}

RIGHTS: Mapping[tuple[str, str], tuple[Right, ...]] = {
    ("GET", "/"): ("open",),
    ("GET", "/health/live"): ("open",),
    ("GET", "/health/ready"): ("open",),
    ("POST", "/definitions"): ("deploy",),
    ("POST", "/definitions/validate"): ("read", "deploy"),
    ("GET", "/definitions"): ("read",),
    ("GET", "/definitions/{id}"): ("read",),
    ("GET", "/definitions/{id}/versions"): ("read",),
    ("GET", "/definitions/{id}/versions/{version}"): ("read",),
    ("GET", "/definitions/{id}/graph"): ("read",),
    ("GET", "/definitions/{id}/versions/{version}/graph"): ("read",),
    ("GET", "/activities"): ("read",),
    ("POST", "/workflows"): ("publish",),
    ("GET", "/workflows"): ("read",),
    ("GET", "/workflows/{instance}"): ("read", "publish"),
    ("GET", "/workflows/{instance}/history"): ("read",),
    ("GET", "/workflows/{instance}/execution-history"): ("read",),
    ("POST", "/workflows/{instance}/events/{name}"): ("publish",),
    ("POST", "/workflows/{instance}/cancel"): ("operate",),
    ("POST", "/workflows/{instance}/release"): ("operate",),
    ("POST", "/callbacks/{token}"): ("publish",),
    ("POST", "/callbacks/{token}/heartbeat"): ("publish",),
    ("POST", "/events"): ("publish",),
    ("GET", "/events/{id:path}"): ("read", "publish"),
    ("GET", "/devices"): ("read",),
    ("GET", "/devices/{device:path}/events"): ("read",),
    ("GET", "/devices/{device:path}"): ("read",),
    ("GET", "/dead-letters"): ("read",),
    ("GET", "/dead-letters/{id}"): ("read",),
    ("POST", "/dead-letters/{id}/replay"): ("operate",),
    ("POST", "/dead-letters/{id}/discard"): ("operate",),
}
"""Any one of the rights is enough."""

ACTOR = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,128}\Z")
SCOPE_KEY = "stepwell.caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is what audits show; `role` None is someone without a key where keys are needed."""

    name: str
    role: Role | None


class KeyRing:
    """The configured keys, as digests. Every key is compared, so that the time taken tells nothing."""

    def __init__(self, keys: Mapping[str, Role]) -> None:
        self._digests = [(hashlib.sha256(key.encode()).digest(), role) for key, role in keys.items()]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def identify(self, scope: Scope) -> Caller:
        """The caller of a request. Raises ProblemRaised 401 for a key we do not know."""
        presented = _presented_key(scope)
        if not self._digests:
            return Caller("local", "admin")
        if presented is None:
            return Caller("anonymous", None)
        digest = hashlib.sha256(presented).digest()
        found: Role | None = None
        for known, role in self._digests:
            if hmac.compare_digest(known, digest):
                found = role
        if found is None:
            raise unauthenticated("this API key is not known")
        return Caller(f"{found}:{digest.hex()[:8]}", found)


def unauthenticated(detail: str) -> ProblemRaised:
    """401 that says how to do it."""
    return ProblemRaised(
        401,
        f"{detail}; send `Authorization: Bearer <key>` or `X-API-Key: <key>`",
        headers={"www-authenticate": 'Bearer realm="stepwell"'},
    )


async def authorize(request: Request) -> Caller:
    """The caller, if they may use the route that was found. Raises ProblemRaised 401 or 403."""
    method = "GET" if request.method == "HEAD" else request.method
    wanted = RIGHTS[(method, request.scope["route"].path)]
    caller: Caller = request.scope[SCOPE_KEY]
    if "open" in wanted:
        return caller
    if caller.role is None:
        raise unauthenticated("an API key is needed")
    if not GRANTS[caller.role].intersection(wanted):
        allowed = ", ".join(role for role, rights in GRANTS.items() if rights.intersection(wanted))
        raise ProblemRaised(403, f"the role {caller.role!r} may not do this; allowed: {allowed}")
    return caller


def actor_of(request: Request) -> str:
    """Who is named in histories and audits: the `X-Actor` header with the key's mark, or the mark alone."""
    caller: Caller = request.scope[SCOPE_KEY]
    named = request.headers.get("x-actor", "").strip()
    if not named:
        return caller.name
    if ACTOR.match(named) is None:
        raise ProblemRaised(400, "X-Actor is a name of 1 to 128 characters without control characters")
    return f"{named} ({caller.name})"


def _presented_key(scope: Scope) -> bytes | None:
    keys: set[bytes] = set()
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            keys.add(value.strip())
        elif name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() != b"bearer" or not key.strip():
                raise unauthenticated("the Authorization header is not `Bearer <key>`")
            keys.add(key.strip())
    if len(keys) > 1:
        raise unauthenticated("the request carries two different API keys")
    return keys.pop() if keys else None
