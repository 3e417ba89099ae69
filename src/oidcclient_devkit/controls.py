"""What a test told the provider to do."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .answers import Answer
from .grant_rules import GrantRules
from .proof_rules import ProofRules
from .store import ACCESS_TOKEN_LIFETIME

ENDPOINTS = (
    "home",
    "style",
    "log",
    "metrics",
    "metadata",
    "jwks",
    "par",
    "authorize",
    "sign_in",
    "consent",
    "token",
    "userinfo",
    "revoke",
    "introspect",
    "register",
    "device_authorization",
    "device",
    "end_session",
    "api",
    "preflight",
    "unknown",
)


def check_endpoint(name: str) -> str:
    """Refuse a name that no endpoint has.

    Raises:
        ValueError: with the names there are.
    """
    if name not in ENDPOINTS:
        raise ValueError(f"no endpoint is called {name!r}; there are {', '.join(ENDPOINTS)}")
    return name


@dataclass(slots=True)
class Active:
    """A misbehaviour that is switched on; `times` left, or None for always."""

    options: Mapping[str, Any]
    times: int | None = None


@dataclass(slots=True)
class Controls:
    """The switches; the endpoints ask for them at each request."""

    sign_in_as: str | None = None
    delays: dict[str, float] = field(default_factory=dict)
    prepared: dict[str, deque[Answer]] = field(default_factory=dict)
    active: dict[str, Active] = field(default_factory=dict)
    refuse_refreshes: int = 0
    access_token_lifetime: int = ACCESS_TOKEN_LIFETIME  # seconds
    access_token_algorithm: str = "RS256"  # noqa: S105 - RFC 9068 section 2.1: every resource server must know it
    proofs: ProofRules = field(default_factory=ProofRules)
    grants: GrantRules = field(default_factory=GrantRules)
    origins: tuple[str, ...] = ("*",)  # whose pages may call what is for programs
    acted: list[str] = field(default_factory=list)  # the misbehaviours that took part in the answer being made
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def prepare(self, endpoint: str, answer: Answer, times: int) -> None:
        """Replace the next answers of an endpoint."""
        self.prepared.setdefault(check_endpoint(endpoint), deque()).extend([answer] * times)

    def next_prepared(self, endpoint: str) -> Answer | None:
        """Take the answer that was prepared for this request."""
        waiting = self.prepared.get(endpoint)
        if not waiting:
            return None
        answer = waiting.popleft()
        return replace(answer, headers=list(answer.headers))  # it may be prepared for several requests

    async def wait(self, seconds: float) -> None:
        """Hold an answer back, but never the end of the provider."""
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return


def prepared_answer(
    status: int, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes | str | Mapping[str, Any]
) -> Answer:
    """Build an answer from what a test gives: a mapping is sent as JSON."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    answer = Answer(status, pairs)
    if isinstance(body, Mapping):
        answer.body = json.dumps(dict(body)).encode()
        if answer.header("content-type") is None:
            answer.headers.append(("Content-Type", "application/json"))
    else:
        answer.body = body.encode() if isinstance(body, str) else body
    return answer
