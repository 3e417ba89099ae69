"""
One HTTP/1.x request out of bytes, without I/O.

Whatever bytes a client sends, they become a request, a refusal, or a wish for more; nothing else escapes. What comes
out does not depend on how the bytes were cut. Bytes after the first request are ignored: a connection carries one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = [
    "BODY_BYTES",
    "HEADER_FIELDS",
    "HEAD_BYTES",
    "LINE_BYTES",
    "NeedMore",
    "Refused",
    "Request",
    "RequestParser",
    "TlsHello",
]

LINE_BYTES = 16 * 1024  # request line with CRLF: codes and JWT responses are long, browsers stop far below
HEAD_BYTES = 32 * 1024  # request line, header fields and the empty line together
HEADER_FIELDS = 64  # browsers send about 20
BODY_BYTES = 64 * 1024  # a form_post response with an ID Token is some 4 KiB

BAD_REQUEST = 400
LENGTH_REQUIRED = 411
CONTENT_TOO_LARGE = 413
FIELDS_TOO_LARGE = 431  # also for the request line
VERSION_NOT_SUPPORTED = 505

_TLS_HANDSHAKE = b"\x16"  # RFC 8446 section 5.1: ContentType handshake(22) opens a ClientHello record
_FORBIDDEN = re.compile(rb"\x00|(?<!\r)\n|\r(?!\n|\Z)")  # NUL, bare LF, bare CR (one at the end may still get its LF)
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2: token
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 section 5.5: VCHAR, obs-text, inner white space
_DIGITS = re.compile(r"[0-9]+")
_LENGTH_DIGITS = 10  # a longer Content-Length is too large, whatever its digits are
_SINGLE = frozenset({"host", "content-length"})  # RFC 9112 sections 3.2 and 6.3: a second one is an attack


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The request is not complete yet."""


@dataclass(frozen=True, slots=True)
class TlsHello:
    """The client speaks TLS to a listener that does not."""


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The bytes are no request that is served here.

    Args:
        status: The HTTP status to answer with.
    """

    status: int


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request, as it came; nothing is decoded yet.

    Args:
        method: The method, in the client's spelling.
        path: The target up to the `?`.
        query: What follows the first `?`, or None where there is none. Secret: it holds the code.
        headers: Names in lower case and values, in order.
        body: As long as Content-Length said. Secret likewise.
    """

    method: str
    path: str
    query: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def values(self, name: str) -> tuple[str, ...]:
        """Return every value of the header field `name` (in lower case)."""
        return tuple(value for field_name, value in self.headers if field_name == name)


class _RefusalError(Exception):
    """Leaves the parser's steps with the status to answer; never leaves this module."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class RequestParser:
    """Take bytes as they come and give the one request they make; the first result that is not NeedMore stands."""

    __slots__ = ("_buffer", "_headers", "_line", "_line_start", "_result", "_searched", "_wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._line_start = 0  # where the line not yet complete begins
        self._searched = 0  # up to here no line end was found: each byte is looked at once
        self._line: tuple[str, str, str | None] | None = None  # method, path, query
        self._headers: list[tuple[str, str]] = []
        self._wanted: int | None = None  # bytes of body, once the head is complete
        self._result: NeedMore | Request | Refused | TlsHello = NeedMore()

    def feed(self, data: bytes) -> NeedMore | Request | Refused | TlsHello:
        """Take the next bytes and say what they make together with those before."""
        if isinstance(self._result, NeedMore):
            self._buffer += data
            try:
                self._result = self._advance()
            except _RefusalError as refusal:
                self._result = Refused(refusal.status)
        return self._result

    def _advance(self) -> NeedMore | Request | TlsHello:
        if self._buffer.startswith(_TLS_HANDSHAKE):
            return TlsHello()
        while self._wanted is None:
            line = self._next_line()
            if line is None:
                return NeedMore()
            self._take(line)
        body = bytes(self._buffer[self._line_start : self._line_start + self._wanted])
        if len(body) < self._wanted or self._line is None:
            return NeedMore()
        method, path, query = self._line
        return Request(method, path, query, tuple(self._headers), body)

    def _next_line(self) -> bytes | None:
        """Cut off the next line, refusing it as soon as a byte or its length is wrong, wherever the reads were cut."""
        limit = HEAD_BYTES - self._line_start if self._line else LINE_BYTES
        newline = self._buffer.find(b"\n", self._searched)
        end = newline + 1 if newline >= 0 else len(self._buffer)
        first = max(self._line_start, self._searched - 1)  # a CR that was last is looked at again
        # RFC 9112 section 2.2: a recipient may take a bare LF for a line end; we do not, and a bare CR must be refused.
        if _FORBIDDEN.search(self._buffer, first, min(end, self._line_start + limit)):
            raise _RefusalError(BAD_REQUEST)
        if end - self._line_start > limit:
            raise _RefusalError(FIELDS_TOO_LARGE)
        self._searched = end
        if newline < 0:
            return None
        line = bytes(self._buffer[self._line_start : end - 2])
        self._line_start = end
        return line

    def _take(self, line: bytes) -> None:
        if self._line is None:
            self._line = _parse_request_line(line)
        elif line:
            self._headers.append(self._parse_header(line))
        else:
            self._wanted = _body_length(self._line[0], self._headers)

    def _parse_header(self, line: bytes) -> tuple[str, str]:
        """Split a header field; a line that begins with white space (obs-fold, RFC 9112 section 5.2) has no name."""
        if len(self._headers) == HEADER_FIELDS:
            raise _RefusalError(FIELDS_TOO_LARGE)
        raw_name, colon, raw_value = line.partition(b":")
        value = raw_value.strip(b" \t")
        # RFC 9112 section 5.1: "No whitespace is allowed between the field name and colon."
        if not colon or not _NAME.fullmatch(raw_name) or not _VALUE.fullmatch(value):
            raise _RefusalError(BAD_REQUEST)
        name = raw_name.decode("ascii").lower()
        if name in _SINGLE and any(name == earlier for earlier, _ in self._headers):
            raise _RefusalError(BAD_REQUEST)
        return name, value.decode("latin-1")


def _parse_request_line(line: bytes) -> tuple[str, str, str | None]:
    """Split the request line (RFC 9112 section 3) into method, path and query."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _RefusalError(BAD_REQUEST)
    method, target, major, minor = (part.decode("ascii") for part in match.groups())
    if (major, minor) not in {("1", "0"), ("1", "1")}:
        raise _RefusalError(VERSION_NOT_SUPPORTED)
    # Only origin-form (RFC 9112 section 3.2.1): an absolute-form target names a host past the Host check.
    if not target.startswith("/") or "#" in target:
        raise _RefusalError(BAD_REQUEST)
    path, mark, query = target.partition("?")
    return method, path, query if mark else None


def _body_length(method: str, headers: list[tuple[str, str]]) -> int:
    """Return how many bytes of body follow the head (RFC 9112 section 6), which Content-Length alone may say."""
    fields = dict(headers)
    if "transfer-encoding" in fields:
        raise _RefusalError(BAD_REQUEST)
    length = fields.get("content-length")
    if length is None:
        if method == "POST":
            raise _RefusalError(LENGTH_REQUIRED)
        return 0
    if not _DIGITS.fullmatch(length):
        raise _RefusalError(BAD_REQUEST)
    if len(length) > _LENGTH_DIGITS or int(length) > BODY_BYTES:
        raise _RefusalError(CONTENT_TOO_LARGE)
    return int(length)
