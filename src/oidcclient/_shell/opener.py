"""Getting the sign-in address to a browser, or to the person."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from oidcclient._words.errors import BrowserUnavailable, printable
from oidcclient._words.events import BrowserOpened, EventHandler, Notice
from oidcclient._words.receiver import Receiver

from .browser.environment import Detection, Surroundings, Verdict, detect, read_surroundings
from .browser.launch import open_in_browser

__all__ = [
    "GivenBrowser",
    "Opener",
    "ShownAddress",
    "SystemBrowser",
    "browser_reasons",
    "can_open_browser",
    "choose_opener",
    "nobody_here",
    "say",
]

PASTE = "Then paste the address that the browser ends at here, and press Enter. It is not shown."
PASTE_TOO = "If the browser ends on a page that does not load, paste its address here. It is not shown."
CODE_TOO = "Or press d for a code to enter on another device."


class Opener:
    """Nobody opens anything: the program has the address (`start_login`)."""

    own_start = True
    talks = False  # whether a person reads what we say

    def __init__(self, emit: EventHandler) -> None:
        self._emit = emit
        self.advice = ""  # what to do beside opening the address

    def notice(self, text: str) -> None:
        """Take a sentence that the person should read."""
        self._emit(Notice(text))

    def open(self, address: str, issuer: str, what: str = "sign in to") -> None:
        """Take the address."""

    def show_again(self, address: str) -> None:
        """Take a new address: the one shown has expired."""

    def failure(self) -> BaseException | None:
        """Return what the program's own browser call raised."""
        return None


class GivenBrowser(Opener):
    """The program's own way to open an address; it may block, so it gets a thread of its own."""

    def __init__(self, open_browser: Callable[[str], object], receiver: Receiver, emit: EventHandler) -> None:
        super().__init__(emit)
        self._open_browser = open_browser
        self._receiver = receiver
        self._error: BaseException | None = None

    def open(self, address: str, issuer: str, what: str = "sign in to") -> None:
        """Call the program's function in the background; if it raises, the wait ends with that error."""
        del issuer, what
        threading.Thread(target=self._call, args=(address,), daemon=True, name="oidcclient-browser").start()

    def _call(self, address: str) -> None:
        try:
            self._open_browser(address)
        except BaseException as error:  # noqa: BLE001 - handed to the caller of login(), whatever it is
            self._error = error
            self._receiver.cancel()

    def failure(self) -> BaseException | None:
        """Return what the program's function raised."""
        return self._error


class SystemBrowser(Opener):
    """The system browser, and the address on stderr in case it does not appear."""

    talks = True

    def __init__(self, surroundings: Surroundings, emit: EventHandler) -> None:
        super().__init__(emit)
        self._surroundings = surroundings

    def notice(self, text: str) -> None:
        """Tell the person."""
        super().notice(text)
        say(text)

    def open(self, address: str, issuer: str, what: str = "sign in to") -> None:
        """Start the browser. What it says of its success is not trusted: the address is shown whatever it says."""
        host = urlsplit(issuer).hostname
        say(f"Opening your browser to {what} {host}.", f"If nothing opens, visit:  {address}")
        say(*filter(None, [self.advice]))
        report = open_in_browser(address, surroundings=self._surroundings)
        tried = ", ".join(attempt.program for attempt in report.attempts)
        self._emit(BrowserOpened(report.started, tried))
        if not report.started:
            say("No browser could be started here: open the address above yourself.")


class ShownAddress(Opener):
    """No browser here can reach the person: the provider's own address is shown, to open elsewhere."""

    own_start = False
    talks = True

    def notice(self, text: str) -> None:
        """Tell the person."""
        super().notice(text)
        say(text)

    def open(self, address: str, issuer: str, what: str = "sign in to") -> None:
        """Show the address."""
        say(f"To {what} {urlsplit(issuer).hostname}, visit:", f"  {address}", *filter(None, [self.advice]))

    def show_again(self, address: str) -> None:
        """Show the new address."""
        say("If you have not opened the address above yet, it has expired. Visit this one:", f"  {address}")


def can_open_browser() -> bool:
    """
    Tell whether a browser opened on this machine would reach the person, by the rules that `login()` goes by.

    Over SSH, in a container, without a display it would not: `login()` then shows an address instead of opening one.
    """
    return detect(read_surroundings()).kind is Verdict.BROWSER


def browser_reasons() -> tuple[str, ...]:
    """Return every rule that `can_open_browser` looked at, in order, as "rule: why"; the last one decided."""
    return detect(read_surroundings()).reasons


def say(*lines: str) -> None:
    """Talk to the person on stderr; stdout belongs to the program's results."""
    if lines and sys.stderr is not None:  # a windowed program on Windows has none
        print(*(_fitted(printable(line, 10_000)) for line in lines), sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - the one place a person is talked to


def _fitted(line: str) -> str:
    """Break a line between words where a terminal would break it anywhere; an address stays whole."""
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # no terminal: a file has any width
        return line
    if not 0 < width < len(line):
        return line
    import textwrap  # noqa: PLC0415 - only for long lines

    return "\n".join(textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False))


def choose_opener(
    open_browser: Callable[[str], object] | None,
    receiver: Receiver,
    emit: EventHandler,
    detection: Detection | None = None,
) -> Opener:
    """
    Choose how the address gets to the person.

    Args:
        open_browser: The program's own way.
        receiver: What it cancels if that fails.
        emit: Takes events.
        detection: What was found out already about browsers here.

    Raises:
        BrowserUnavailable: There is neither a browser nor anybody to show an address to.
    """
    if open_browser is not None:
        return GivenBrowser(open_browser, receiver, emit)
    surroundings = read_surroundings()
    detection = detection or detect(surroundings)
    if detection.kind is Verdict.FAIL:
        raise nobody_here(detection.reasons[-1])
    if detection.kind is Verdict.NO_BROWSER:
        return ShownAddress(emit)
    return SystemBrowser(surroundings, emit)


def nobody_here(why: str) -> BrowserUnavailable:
    """Say that there is nobody to sign in."""
    return BrowserUnavailable(
        f"nobody can sign in here: {why}",
        rule="environment",
        hint="Sign in once from a terminal or a desktop, or pass open_browser=.",
    )
