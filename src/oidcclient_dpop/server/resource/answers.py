"""Answers in the resource's place, and the challenges in them (RFC 6750 section 3, RFC 9449 section 7.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AccessRefused", "Answer", "Headers", "challenge", "json_answer", "merged", "told"]

Headers = tuple[tuple[str, str], ...]
NO_STORE = ("Cache-Control", "no-store")
_ONCE = {"cache-control", "dpop-nonce"}
_UNSPEAKABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # RFC 6750 section 3: what no error_description has


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A whole HTTP answer.

    Attributes:
        status: The HTTP status.
        headers: Name and value pairs; a name may come twice.
        body: The body.
    """

    status: int
    headers: Headers = field(repr=False)  # a nonce is among them
    body: bytes = field(default=b"", repr=False)


class AccessRefused(Exception):
    """
    The request may not go on.

    Attributes:
        answer: What the client gets.
        error: The error code in it; None where the request brought no token.
    """

    def __init__(self, message: str, answer: Answer, error: str | None) -> None:
        super().__init__(message)
        self.answer = answer
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.answer, self.error)


def challenge(scheme: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return a WWW-Authenticate header; every value is one that needs no escape."""
    text = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return "WWW-Authenticate", f"{scheme} {text}".rstrip()


def told(text: str) -> str:
    """Return a message with the characters that an `error_description` may have (RFC 6750 section 3)."""
    return _UNSPEAKABLE.sub("?", text)


def json_answer(status: int, value: Mapping[str, Any], headers: Headers) -> Answer:
    """Return an answer with a JSON body."""
    body = json.dumps(value).encode()
    fixed = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
    return Answer(status, (*headers, *fixed), body)


def merged(headers: Iterable[tuple[str, str]], more: Headers) -> list[tuple[str, str]]:
    """
    Return an application's headers with ours.

    There is exactly one `DPoP-Nonce` (RFC 9449 section 8), and what has one is not stored, whatever the application
    says; of all others there may be more than one.
    """
    ours = {name.lower() for name, _ in more} & _ONCE
    return [*(pair for pair in headers if pair[0].lower() not in ours), *more]
