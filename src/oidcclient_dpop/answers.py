"""What a refusal says about a proof (RFC 9449 sections 5, 7.1, 8 and 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from oidcclient.hooks import HttpResponse
from oidcclient.protocol import parse_challenges

from .constants import INVALID_DPOP_PROOF, USE_DPOP_NONCE

__all__ = ["Answer", "read_answer"]

_REFUSALS = frozenset({400, 401})  # providers and APIs mix the two up; the error code decides
_LONGEST_BODY = 65_536  # bytes of an error that are looked at


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A refusal, as far as it concerns proofs.

    Args:
        wants_nonce: It asks for a nonce.
        refuses_proof: It says that the proof is bad.
        date: The server's clock, in Unix seconds, where it told.
        algorithms: Those that an API takes, where it told (section 7.1).
    """

    wants_nonce: bool = False
    refuses_proof: bool = False
    date: float | None = None
    algorithms: tuple[str, ...] = ()


def read_answer(response: HttpResponse, *, with_token: bool) -> Answer:
    """
    Read a refusal.

    Args:
        response: The answer.
        with_token: Whether the request carried an access token: an API tells in `WWW-Authenticate`, a provider's
            endpoint in the body.
    """
    if response.status not in _REFUSALS:
        return Answer()
    challenges = [challenge.parameters for challenge in parse_challenges(response) if challenge.scheme == "dpop"]
    errors = {parameters.get("error") for parameters in challenges}
    if not with_token:
        errors.add(_body_error(response.body))
    algorithms = tuple(name for parameters in challenges for name in parameters.get("algs", "").split())
    return Answer(USE_DPOP_NONCE in errors, INVALID_DPOP_PROOF in errors, _date(response), algorithms)


def _body_error(body: bytes) -> str | None:
    try:
        members = json.loads(body) if len(body) <= _LONGEST_BODY else None
    except (ValueError, RecursionError):
        return None
    error = members.get("error") if isinstance(members, dict) else None
    return error if isinstance(error, str) else None


def _date(response: HttpResponse) -> float | None:
    try:
        return parsedate_to_datetime(response.header("date") or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
