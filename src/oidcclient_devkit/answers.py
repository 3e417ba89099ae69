"""What an endpoint answers, before it becomes bytes on the wire."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# RFC 6749 section 5.1: both headers on every answer that holds a token.
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))


@dataclass(slots=True)
class Answer:
    """A status, headers in order (a name may repeat) and a body."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = field(default=b"", repr=False)
    delay: float = 0.0  # seconds to wait before sending
    why: str = ""  # in words for the developer, where the answer itself does not say it

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def replace_header(self, name: str, value: str) -> None:
        """Set a header, whatever was there before."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        self.headers.append((name, value))

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object."""
        value: dict[str, Any] = json.loads(self.body)
        return value

    def with_json(self, value: Any) -> "Answer":
        """Return the same answer with another JSON body."""
        return Answer(self.status, list(self.headers), json.dumps(value).encode(), self.delay)


def json_answer(value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = NO_STORE) -> Answer:
    """Answer with a JSON document, by default one that no cache may keep."""
    return Answer(status, [("Content-Type", "application/json"), *headers], json.dumps(value).encode())


def error_answer(error: str, description: str, status: int = 400) -> Answer:
    """Answer with an OAuth error (RFC 6749 section 5.2)."""
    return json_answer({"error": error, "error_description": printable(description)}, status)


def redirect_answer(location: str, method: str) -> Answer:
    """Send the browser on; RFC 9700 section 4.12 wants 303 where a form was posted."""
    status = 302 if method in {"GET", "HEAD"} else 303
    return Answer(status, [("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")])


def printable(text: str) -> str:
    """Keep to the characters RFC 6749 section 5.2 allows in an error_description."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in text)
