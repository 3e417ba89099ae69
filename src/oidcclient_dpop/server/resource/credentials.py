"""The access token as a request brings it (RFC 6750 section 2, RFC 9449 section 7.1)."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl

from oidcclient_dpop.server.errors import INVALID_DPOP_PROOF

__all__ = ["ApiRequest", "Problem", "Scheme", "brings_token", "presented", "several", "tried_scheme"]

Scheme = Literal["DPoP", "Bearer"]
_SCHEMES: dict[str, Scheme] = {"dpop": "DPoP", "bearer": "Bearer"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.?)*"?')  # RFC 9110 section 5.6.4, or up to the end: it never has to go back
_TOKEN68 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"  # RFC 9110 section 11.2


class ApiRequest(NamedTuple):
    """
    What is looked at of a request.

    Args:
        method: As it came, its case kept.
        raw_path: The path as it came, still encoded, without the query.
        authorization: The values of all its `Authorization` fields.
        proofs: The values of all its `DPoP` fields.
        query: The query as it came: only to see that no token is in it.
    """

    method: str
    raw_path: str
    authorization: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    query: str = ""

    def __repr__(self) -> str:
        return f"ApiRequest(method={self.method!r}, raw_path={self.raw_path!r})"  # all else may be secret


class Problem(Exception):
    """A request that may not go on, before it is told as an answer; `error` is None if it brought no token."""

    def __init__(self, status: int, error: str | None, message: str, **parameters: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.parameters = parameters


def presented(request: ApiRequest, *, bearer: bool) -> tuple[Scheme, str]:
    """
    Return the one token of a request, in one Authorization field and nowhere else, and before it its scheme.

    Raises:
        Problem: There is none, there are several, or it came in another way.
    """
    if request.query and _in_query(request.query):  # RFC 9700 section 4.3.2: no access token in a query, ever
        raise Problem(400, "invalid_request", "An access token goes into the Authorization header, never into a query")
    fields = request.authorization
    # RFC 9110 section 5.3: two fields may arrive joined by a comma.
    sent = fields[0] if len(fields) == 1 else ",".join(fields)
    if "," in sent and several(sent, bearer=bearer):  # RFC 9449 section 7.2: both schemes at once
        raise Problem(400, "invalid_request", "Multiple methods used to include access token")
    name, _, token = sent.partition(" ")
    scheme = _SCHEMES.get(name.lower())
    # RFC 6750 section 3.1: no error code for a request with no token, or with a scheme that is not spoken here.
    if scheme is None or (scheme == "Bearer" and not bearer):
        raise Problem(401, None, "No access token was sent")
    token = token.strip(" ")
    if not _is_token68(token):
        raise Problem(400, "invalid_request", "The Authorization header holds no access token")
    if scheme == "DPoP" and not request.proofs:
        raise Problem(401, INVALID_DPOP_PROOF, "There is no DPoP header")
    return scheme, token


def several(field: str, *, bearer: bool) -> bool:
    """Tell whether a field with a comma has one of our schemes in it; otherwise it is all of another one."""
    names = (part.strip(" \t").partition(" ")[0].lower() for part in _QUOTED.sub("", field).split(","))
    return any(name == "dpop" or (bearer and name == "bearer") for name in names)


def _is_token68(text: str) -> bool:
    core = text.rstrip("=")
    return core != "" and not core.encode("ascii", "replace").translate(None, _TOKEN68)


def tried_scheme(request: ApiRequest) -> Scheme | None:
    """Return the scheme that a request used, if it is one of ours; schemes have no case (RFC 9110 section 11.1)."""
    if len(request.authorization) != 1:
        return None
    return _SCHEMES.get(request.authorization[0].partition(" ")[0].lower())


def brings_token(request: ApiRequest, *, bearer: bool) -> bool:
    """Tell whether a request brings a token, in whatever way, be it a wrong one."""
    try:
        presented(request, bearer=bearer)
    except Problem as problem:
        return problem.error is not None
    return True


def _in_query(query: str) -> bool:
    if "access_token" not in query and "%" not in query:
        return False
    return any(name == "access_token" for name, _ in parse_qsl(query, keep_blank_values=True))
