"""A request as the endpoints see it: decoded once, at the edge."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request

MAX_BODY = 1_048_576  # bytes; no request of the protocol comes near

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request. `form` is empty unless the body was a form; `raw_path` is the path as it was sent."""

    method: str
    path: str
    query: Pairs = field(default=(), repr=False)
    headers: Pairs = field(default=(), repr=False)
    form: Pairs = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    raw_path: str = ""
    notes: list[str] = field(default_factory=list, compare=False)

    def note(self, text: str) -> None:
        """Tell the developer something about this request that the client is not told. Never a secret."""
        self.notes.append(text)

    @property
    def params(self) -> Pairs:
        """The parameters: of the body for a POST, else of the query."""
        return self.form if self.method == "POST" else self.query

    def value(self, name: str) -> str | None:
        """Return the first parameter of that name."""
        return first(self.params, name)

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        for pair in (self.header("cookie") or "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return None


def first(params: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first value of a parameter."""
    return next((value for key, value in params if key == name), None)


def repeated(params: Iterable[tuple[str, str]], *, may_repeat: frozenset[str] = frozenset()) -> list[str]:
    """Name the parameters that came more than once (RFC 6749 section 3.1)."""
    counts = Counter(name for name, _ in params)
    return sorted(name for name, count in counts.items() if count > 1 and name not in may_repeat)


class TooLarge(Exception):
    """The request's body is larger than anything the protocol needs."""


async def read_exchange(request: Request) -> Exchange:
    """Read and decode a request."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge
    headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in request.headers.raw)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = content_type == "application/x-www-form-urlencoded"
    return Exchange(
        method=request.method,
        path=request.url.path,
        query=_pairs(request.url.query),
        headers=headers,
        form=_pairs(body.decode("utf-8", "replace")) if is_form else (),
        body=bytes(body),
        raw_path=request.scope["raw_path"].decode("latin-1"),
    )


def _pairs(encoded: str) -> Pairs:
    return tuple(parse_qsl(encoded, keep_blank_values=True, errors="replace"))
