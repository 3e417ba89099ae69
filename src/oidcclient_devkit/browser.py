"""A person with a browser, scripted: signs in, consents, and lands on the app's page."""

import threading
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from .forms import Form, parse_forms
from .web import Cookies, Page, fetch

REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEPS_METHOD = frozenset({307, 308})
MAX_STEPS = 30  # redirects and forms; a sign-in takes less than ten


class BrowserStopped(Exception):
    """The person could not go on."""


@dataclass(frozen=True, slots=True)
class _Step:
    method: str
    url: str
    body: bytes | None = field(default=None, repr=False)
    referrer: str | None = None
    origin: str | None = None


class Browser:
    """Plays one person in a background thread: `open_browser = provider.browser(user="ann")`.

    After `join()`, `pages` holds every answer in order and `error` what went wrong, if anything did.
    """

    def __init__(self, username: str, password: str, *, deny: bool = False, user_code: str | None = None) -> None:
        self.username = username
        self.user_code = user_code  # what a device shows (RFC 8628)
        self._password = password
        self.deny = deny
        self.pages: list[Page] = []
        self.error: Exception | None = None
        self._cookies = Cookies()
        self._threads: list[threading.Thread] = []

    def __call__(self, url: str) -> bool:
        """Open an address and return at once, as a system browser does."""
        thread = threading.Thread(target=self._play, args=(url,), name="devkit-browser", daemon=True)
        self._threads.append(thread)
        thread.start()
        return True

    def join(self, timeout: float = 10.0) -> None:
        """Wait until the person is done.

        Raises:
            TimeoutError: if that takes longer than `timeout` seconds.
        """
        for thread in self._threads:
            thread.join(timeout)
            if thread.is_alive():
                raise TimeoutError(f"the scripted browser is not done after {timeout} seconds")

    @property
    def page(self) -> Page:
        """The page the person sees now."""
        return self.pages[-1]

    def visit(self, url: str) -> Page:
        """Open an address and go on until there is nothing left to do; in this thread.

        Raises:
            BrowserStopped: if a page says no, or the person goes in circles.
        """
        step = _Step("GET", url)
        for _ in range(MAX_STEPS):
            page = self._take(step)
            following = self._next(page, step)
            if following is None:
                return page
            step = following
        raise BrowserStopped(f"no end after {MAX_STEPS} steps")

    def _play(self, url: str) -> None:
        try:
            self.visit(url)
        except (BrowserStopped, OSError, ValueError) as error:
            self.error = error

    def _take(self, step: _Step) -> Page:
        page = fetch(
            step.method, step.url, body=step.body, referrer=step.referrer, origin=step.origin, cookies=self._cookies
        )
        self.pages.append(page)
        return page

    def _next(self, page: Page, step: _Step) -> _Step | None:
        if page.status in REDIRECTS:
            target = urljoin(page.url, page.header("location") or "")
            if urlsplit(target).scheme not in {"http", "https"}:
                return None  # the operating system takes over: a private-use scheme
            if page.status in KEEPS_METHOD:
                return _Step(step.method, target, step.body, step.referrer, step.origin)
            return _Step("GET", target, None, step.referrer)
        if page.status >= 400:  # noqa: PLR2004 - HTTP
            raise BrowserStopped(f"{page.status} at {urlsplit(page.url).path}")
        form = self._form_to_send(page)
        if form is None:
            return None
        return _Step(form.method, urljoin(page.url, form.action), self._fill(form), page.url, _origin(page))

    def _form_to_send(self, page: Page) -> Form | None:
        """Pick a form this person knows what to do with."""
        if not (page.header("content-type") or "").startswith("text/html"):
            return None
        forms = parse_forms(page.text)
        for known in (
            [form for form in forms if form.wants_password],
            [form for form in forms if "decision" in form.buttons],
            [form for form in forms if form.only_hidden and urlsplit(form.action).netloc],
        ):
            if known:
                return known[0]
        return None

    def _fill(self, form: Form) -> bytes:
        press = None
        if not form.wants_password and "decision" in form.buttons:
            choice = "deny" if self.deny else "allow"
            offered = form.buttons["decision"]
            press = choice if choice in offered else offered[0]
        typed = {"username": self.username, "password": self._password}
        if self.user_code is not None:
            typed["user_code"] = self.user_code
        return form.encode(typed, press=press)


def _origin(page: Page) -> str:
    """Return the Origin header of a form sent from this page: a page that hides its address hides it here too."""
    if page.header("referrer-policy") == "no-referrer":
        return "null"
    parts = urlsplit(page.url)
    return f"{parts.scheme}://{parts.netloc}"
