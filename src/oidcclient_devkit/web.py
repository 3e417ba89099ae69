"""One page load, with the headers a real browser sends and no proxy ever."""

import http.client
import ssl
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

TIMEOUT = 10.0  # seconds
MAX_PAGE = 4 * 1024 * 1024  # bytes

NAVIGATION = {
    "User-Agent": "Mozilla/5.0 (oidcclient-devkit scripted browser)",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en",
    "Accept-Encoding": "identity",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What came back for one address."""

    method: str
    url: str = field(repr=False)
    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    text: str = field(repr=False)

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Cookies:
    """Cookies by host: as in a real browser, ports do not tell them apart."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, str]] = {}

    def keep(self, host: str, headers: tuple[tuple[str, str], ...]) -> None:
        """Take the cookies of an answer."""
        for name, value in headers:
            if name.lower() == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    self._by_host.setdefault(host, {})[key] = morsel.value

    def header(self, host: str) -> str | None:
        """Return the Cookie header for a host."""
        known = self._by_host.get(host)
        return "; ".join(f"{name}={value}" for name, value in known.items()) if known else None


def fetch(
    method: str, url: str, *, body: bytes | None, referrer: str | None, origin: str | None, cookies: Cookies
) -> Page:
    """Load one address, following nothing."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    headers = {**NAVIGATION, "Sec-Fetch-Site": _site(referrer, url)}
    if (known := cookies.header(host)) is not None:
        headers["Cookie"] = known
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if origin is not None:
        headers["Origin"] = origin
    connection = _connection(parts.scheme, host, parts.port)
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        received = tuple(answer.getheaders())
        with answer:
            text = answer.read(MAX_PAGE).decode("utf-8", "replace")
            status = answer.status
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {type(error).__name__}") from error
    finally:
        connection.close()
    cookies.keep(host, received)
    return Page(method, url, status, received, text)


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT)


def _site(referrer: str | None, url: str) -> str:
    """Return Sec-Fetch-Site: a site is scheme and host, an origin has a port too."""
    if referrer is None:
        return "none"
    source, target = urlsplit(referrer), urlsplit(url)
    if (source.scheme, source.netloc) == (target.scheme, target.netloc):
        return "same-origin"
    return "same-site" if (source.scheme, source.hostname) == (target.scheme, target.hostname) else "cross-site"
