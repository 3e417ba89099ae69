"""One HTTP request and one answer, as values."""

from __future__ import annotations

from .value import dataclass, field, replace

__all__ = ["HttpRequest", "HttpResponse"]

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """
    A request to make. Header values and body are secret: the repr shows neither.

    Args:
        method: As it goes on the wire, for example `"POST"`.
        url: Absolute, already percent-encoded.
        headers: Name and value pairs, in order.
        body: The whole body, in bytes.
        max_bytes: The largest answer body accepted, in bytes.
        certificate: Paths of a PEM certificate chain and its key, for TLS client authentication.
    """

    method: str
    url: str = field(repr=False)
    headers: Pairs = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    max_bytes: int = 1 << 20  # 1 MiB: the largest real metadata and key sets are a tenth of it
    certificate: tuple[str, str] | None = field(default=None, repr=False)

    def with_header(self, name: str, value: str) -> HttpRequest:
        """Return the same request with one header set, in place of any of that name."""
        return self.with_headers((name, value))

    def with_headers(self, *pairs: tuple[str, str]) -> HttpRequest:
        """Return the same request with some headers set, in place of any of their names."""
        names = [name.lower() for name, _ in pairs]
        headers = (*[pair for pair in self.headers if pair[0].lower() not in names], *pairs)
        return HttpRequest(self.method, self.url, headers, self.body, self.max_bytes, self.certificate)

    def with_body(self, body: bytes) -> HttpRequest:
        """Return the same request with another body."""
        return replace(self, body=body)

    def header(self, name: str) -> str | None:
        """Return the first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """
    An answer. Header values and body may be secret: the repr shows neither.

    Args:
        status: The HTTP status.
        headers: Name and value pairs, in order; a name may come twice.
        body: The whole body, in bytes.
    """

    status: int
    headers: Pairs = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def all_headers(self, name: str) -> tuple[str, ...]:
        """Return every header of that name, in order."""
        wanted = name.lower()
        return tuple([value for key, value in self.headers if key.lower() == wanted])

    @property
    def media_type(self) -> str:
        """The content type in lower case, without its parameters."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()
