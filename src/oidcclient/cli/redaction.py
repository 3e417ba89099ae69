"""What a trace may show: what is known to be harmless; of all else the length, and a mark to compare by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from oidcclient.hooks import HttpResponse
from oidcclient.protocol import parse_challenges

from .output import plain

__all__ = ["hidden", "shown_address", "shown_body", "shown_headers"]

HEADERS = frozenset({
    "accept", "accept-encoding", "age", "allow", "cache-control", "connection", "content-encoding", "content-language",
    "content-length", "content-type", "date", "expires", "host", "last-modified", "pragma", "retry-after", "server",
    "strict-transport-security", "transfer-encoding", "user-agent", "vary",
})  # fmt: skip
# Members of forms, queries and JSON bodies. No identifier of a person, and nothing that is good for anything by itself.
MEMBERS = frozenset({
    "acr_values", "alg", "client_assertion_type", "client_id", "code_challenge_method", "crv", "error",
    "error_description", "error_uri", "expires_in", "grant_type", "interval", "issuer", "kty", "max_age", "prompt",
    "redirect_uri", "resource", "response_mode", "response_type", "scope", "token_type", "token_type_hint", "use",
})  # fmt: skip
CHALLENGE = frozenset({"error", "error_description", "scope", "algs", "acr_values", "max_age"})
METADATA_SUFFIXES = ("_endpoint", "_supported", "_uri")  # of the provider's own metadata
SHORTEST_MARKED = 16  # characters; a mark of something shorter could be guessed
MARK = 4  # hexadecimal digits: enough to compare by, too few to find the value with
LONGEST_SHOWN = 200  # characters


def hidden(value: object) -> str:
    """Return what may be told of a secret: its length, and a mark by which two of them can be compared."""
    text = value if isinstance(value, str) else json.dumps(value)
    size = f"{len(text)} chars"
    if len(text) < SHORTEST_MARKED:
        return f"«{size}»"
    return f"«{size}, sha256:{hashlib.sha256(text.encode()).hexdigest()[:MARK]}…»"


def shown(value: object) -> str:
    """Return a harmless value for a terminal."""
    text = plain(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def shown_member(name: str, value: object) -> str:
    """Return a member of a form, a query or a JSON body."""
    return f"{plain(name)} = {shown(value) if name in MEMBERS else hidden(value)}"


def shown_address(address: str) -> str:
    """Return an address whose query is redacted."""
    try:
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}" if parts.netloc else ""
    except ValueError:  # a server may redirect to anything
        return hidden(address)
    query = ", ".join(shown_member(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    where = plain(f"{origin}{parts.path}")
    return f"{where}  ({query})" if query else where


def shown_headers(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return headers, one a line."""
    return [f"{plain(name)}: {shown_header(name.lower(), value)}" for name, value in headers]


def shown_header(name: str, value: str) -> str:
    """Return the value of a header."""
    if name in HEADERS:
        return shown(value)
    if name == "location":
        return shown_address(value)
    if name == "www-authenticate":
        return shown_challenges(value)
    if name == "authorization":
        scheme, _, credentials = value.partition(" ")
        return f"{shown(scheme)} {hidden(credentials)}" if credentials else hidden(value)
    return hidden(value)


def shown_challenges(value: str) -> str:
    """Return challenges without what is not known."""
    texts = []
    for challenge in parse_challenges(HttpResponse(401, (("WWW-Authenticate", value),), b"")):
        members = [f"{key}={shown(text)}" for key, text in challenge.parameters.items() if key in CHALLENGE]
        texts.append(" ".join([plain(challenge.scheme), *members]))
    return "; ".join(texts) or hidden(value)


def shown_body(body: bytes, content_type: str, *, metadata: bool = False) -> list[str]:
    """
    Return a body, one member a line.

    Args:
        body: The body.
        content_type: What it says it is.
        metadata: Whether it is the provider's metadata, which is public.
    """
    if not body:
        return []
    members = _members(body, content_type)
    if members is None:
        return [f"«{len(body)} bytes»"]
    if metadata:
        members = [(name, value) for name, value in members if name in MEMBERS or name.endswith(METADATA_SUFFIXES)]
        return [f"{plain(name)} = {shown(value)}" for name, value in members]
    return [shown_member(name, value) for name, value in members]


def _members(body: bytes, content_type: str) -> list[tuple[str, Any]] | None:
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return list(parse_qsl(body.decode("ascii"), keep_blank_values=True))
        if kind.endswith("json"):
            found = json.loads(body)
            return list(found.items()) if isinstance(found, dict) else None
    except ValueError:
        return None
    return None
