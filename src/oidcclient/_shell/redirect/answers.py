"""Answers as bytes: every one complete, closing its connection, with the headers of our pages."""

from __future__ import annotations

from .pages import PAGE_HEADERS, Page

__all__ = ["empty_answer", "page_answer", "redirect_answer"]

FOUND = 302
SEE_OTHER = 303

_REASONS = {
    200: "OK",
    302: "Found",
    303: "See Other",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


def page_answer(page: Page) -> bytes:
    """Answer with a page."""
    headers = [("Content-Type", "text/html; charset=utf-8")]
    if page.next_address:
        headers.append(("Refresh", f"0; url={page.next_address}"))  # WHATWG HTML, section "shared declarative refresh"
    return _answer(page.status, headers, page.content)


def empty_answer(status: int, *, allow: str = "") -> bytes:
    """Answer with a status alone; `allow` names the methods that would do (RFC 9110 section 15.5.6)."""
    return _answer(status, [("Allow", allow)] if allow else [], b"")


def redirect_answer(status: int, location: str) -> bytes:
    """Send the browser on: FOUND to the provider, SEE_OTHER to our own clean address."""
    return _answer(status, [("Location", location)], b"")


def _answer(status: int, headers: list[tuple[str, str]], content: bytes) -> bytes:
    """Write an answer; headers stand before the content, and no `Access-Control-*` is ever among them."""
    fields = [*headers, ("Content-Length", str(len(content))), ("Connection", "close"), *PAGE_HEADERS]
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode("ascii") + b"\r\n" + content
