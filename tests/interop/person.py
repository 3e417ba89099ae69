"""A person at a browser, played: fills in the forms of oidc-provider's development pages and follows redirects."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

__all__ = ["Page", "Person", "Visit"]

MAX_STEPS = 40  # a login with consent takes about twelve
STEP_S = 20.0  # our listener holds the callback until the tokens are checked
BROWSER_HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
}


class _Form(HTMLParser):
    """The first form of a page: where it goes, and what is in it or belongs to it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.cancel: str | None = None
        self._link = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = found.get("action", "")
        elif tag in {"input", "button"} and found.get("name") and found["name"] != "abort":
            self.fields.setdefault(found["name"], found.get("value", ""))
        elif tag == "a":
            self._link = found.get("href", "")

    def handle_data(self, data: str) -> None:
        if "Cancel" in data:
            self.cancel = self._link


@dataclass(frozen=True, slots=True)
class Page:
    """
    One answer the browser got.

    Args:
        method: How it was asked for.
        url: Its address. Secret where it is a redirect URI with a code.
        status: The HTTP status.
        headers: The answer's headers.
        text: The body.
    """

    method: str
    url: str = field(repr=False)
    status: int
    headers: httpx.Headers = field(repr=False)
    text: str = field(repr=False)


class Visit:
    """
    One tab: goes to an address in a thread of its own, and on until nothing is left to click.

    A page that is neither a redirect nor a form ends it; so does an address where nobody listens (`unreached`).
    """

    def __init__(self, person: Person, address: str) -> None:
        self.pages: list[Page] = []
        self.unreached: str | None = None
        self._failure: Exception | None = None
        self._person = person
        self._thread = threading.Thread(target=self._run, args=(address,), name=f"person {person.user}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float = 60.0) -> Page | None:
        """Return the last page, None if there was none; raises what went wrong in the browser."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError("the played browser is still at it")
        if self._failure is not None:
            raise self._failure
        return self.pages[-1] if self.pages else None

    def _run(self, address: str) -> None:
        try:
            self._browse(address)
        except Exception as error:  # noqa: BLE001 - shown by wait(), in the thread that asked
            self._failure = error

    def _browse(self, address: str) -> None:
        step: tuple[str, str, dict[str, str] | None] | None = ("GET", address, None)
        for _ in range(MAX_STEPS):
            if step is None:
                return
            method, url, form = step
            try:
                page = self._person.get_page(method, url, form, came_from=self.pages[-1].url if self.pages else None)
            except httpx.ConnectError:
                self.unreached = url
                return
            self.pages.append(page)
            step = self._person.next_step(page)
        raise RuntimeError("the pages lead in a circle")


class Person:
    """
    Signs in as one user, and may be handed to `login(open_browser=...)`.

    The cookies stay from visit to visit, as in a browser.

    Args:
        user: The account to sign in to: ann or bob.
        deny: Click "Cancel" on the first page that offers it.
        user_code: What to type where a device's code is asked for.
    """

    def __init__(self, user: str, *, deny: bool = False, user_code: str = "") -> None:
        self.user = user
        self.deny = deny
        self.user_code = user_code
        self.visits: list[Visit] = []
        self._http = httpx.Client(headers=BROWSER_HEADERS, timeout=STEP_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def __call__(self, address: str) -> Visit:
        """Open a tab and return at once, as a browser does."""
        visit = Visit(self, address)
        self.visits.append(visit)
        return visit

    def get_page(self, method: str, url: str, form: dict[str, str] | None, *, came_from: str | None) -> Page:
        """Ask for one page with the headers of a navigation (Fetch Metadata Request Headers, section 2)."""
        headers = {"Sec-Fetch-Site": _site(came_from, url)}
        if form is not None and came_from is not None:
            headers["Origin"] = _origin(came_from)
        answer = self._http.request(method, url, data=form, headers=headers)
        return Page(method, url, answer.status_code, answer.headers, answer.text)

    def next_step(self, page: Page) -> tuple[str, str, dict[str, str] | None] | None:
        """Say what a person does on this page: go where it sends them, click, or stay."""
        if 300 <= page.status < 400:
            return "GET", urljoin(page.url, page.headers["Location"]), None
        if "url=" in page.headers.get("Refresh", ""):
            return "GET", urljoin(page.url, page.headers["Refresh"].partition("url=")[2].strip()), None
        form = _Form(page.text)
        if page.status >= 400 or form.action is None:
            return None
        if self.deny and form.cancel:
            return "GET", urljoin(page.url, form.cancel), None
        return "POST", urljoin(page.url, form.action), self._fill_in(form.fields)

    def _fill_in(self, fields: dict[str, str]) -> dict[str, str]:
        known = {"login": self.user, "password": "any", "user_code": fields.get("user_code") or self.user_code}
        return {name: known.get(name, value) for name, value in fields.items()}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _site(came_from: str | None, url: str) -> str:
    if came_from is None:
        return "none"
    if _origin(came_from) == _origin(url):
        return "same-origin"
    return "same-site" if urlsplit(came_from).hostname == urlsplit(url).hostname else "cross-site"
