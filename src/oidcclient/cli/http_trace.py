"""An httpx transport that says on stderr what goes over the wire, secrets left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from .output import plain, say
from .redaction import shown_address, shown_body, shown_headers
from .routes import Routes

__all__ = ["TracingTransport"]

LONGEST_BODY = 1 << 20  # bytes; as much as the library accepts from a provider


class _Overheard(httpx.SyncByteStream):
    """Pass a body on as it comes, and tell of it when it has ended."""

    def __init__(self, stream: httpx.SyncByteStream, tell: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._tell = tell
        self._heard = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if len(self._heard) < LONGEST_BODY:
                self._heard += chunk
            yield chunk

    def close(self) -> None:
        self._stream.close()
        self._tell(bytes(self._heard))


class TracingTransport(Routes):
    """
    Send as usual, and say what was sent and what came.

    Args:
        ca_bundle: A PEM file with the certificate authorities to trust; None for the system's.
        bodies: Whether bodies are shown: the provider's are, an API's are the person's own business.
        unsafe: Whether all is shown, secrets too.
    """

    def __init__(self, ca_bundle: str | None, *, bodies: bool, unsafe: bool) -> None:
        super().__init__(ca_bundle)
        self._bodies = bodies
        self._unsafe = unsafe

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the answer."""
        address = str(request.url)
        say(f"> {request.method} {plain(address) if self._unsafe else shown_address(address)}")
        self._say(">", _pairs(request.headers), request.read() if self._bodies else b"", address)
        response = super().handle_request(request)
        say(f"< {response.status_code} {plain(response.reason_phrase)}")
        headers = _pairs(response.headers)
        self._say("<", headers, b"", address)
        if self._bodies and isinstance(response.stream, httpx.SyncByteStream):
            kind = response.headers.get("content-type", "")
            response.stream = _Overheard(response.stream, lambda body: self._say_body("<", body, kind, address))
        return response

    def _say(self, sign: str, headers: list[tuple[str, str]], body: bytes, address: str) -> None:
        lines = [f"{plain(name)}: {plain(value)}" for name, value in headers]
        say(*(f"{sign}   {line}" for line in (lines if self._unsafe else shown_headers(headers))))
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        self._say_body(sign, body, kind, address)

    def _say_body(self, sign: str, body: bytes, kind: str, address: str) -> None:
        if not body:
            return
        if self._unsafe:
            lines = [plain(body.decode("utf-8", "replace"))]
        else:
            lines = shown_body(body, kind, metadata="/.well-known/" in address)
        say(*(f"{sign}   {line}" for line in lines))


def _pairs(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw]
