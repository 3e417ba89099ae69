"""Open an address in the system browser."""

from __future__ import annotations

import enum
import logging
import os
from dataclasses import dataclass

from oidcclient._words.errors import printable

from .address import check_openable
from .environment import Surroundings
from .launchers import SHELL_EXECUTE, TEXT_BROWSERS, Launcher, base_name, child_environment, launchers

__all__ = ["Attempt", "LaunchReport", "Outcome", "open_in_browser"]

_logger = logging.getLogger(__name__)


class Outcome(enum.Enum):
    """What came of trying one program. None of them says that a person sees a page."""

    RUNNING = "started and still running"
    ENDED = "started and ended without complaint"
    FAILED = "failed"
    ABSENT = "not installed"
    TEXT_BROWSER = "a text browser"
    REFUSED = "refused"


_STATUS_SAYS_NOTHING = frozenset({"explorer"})  # ends with 1 whatever it did (microsoft/WSL issue 6565)
_STARTED = frozenset({Outcome.RUNNING, Outcome.ENDED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One program that was tried.

    Args:
        program: Its name or path.
        outcome: What came of it.
        detail: The exit status or the reason, for people; holds no part of the address.
    """

    program: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LaunchReport:
    """
    What was tried to open the browser.

    Args:
        attempts: Every program, in the order tried.
    """

    attempts: tuple[Attempt, ...]

    @property
    def started(self) -> bool:
        """
        Whether some program took the address.

        Launchers lie (azure-cli 19929, MSAL 421): show the person the address whatever this says.
        """
        return any(attempt.outcome in _STARTED for attempt in self.attempts)


def open_in_browser(address: str, *, surroundings: Surroundings) -> LaunchReport:
    """
    Start the system browser with an address, without a shell, and return within about two seconds per program tried.

    Python's `webbrowser` is not used: it leaves stdout open to the browser, starts text browsers, may wait for ever
    (MSAL for Python issue 421), and has no idea of WSL.

    Args:
        address: Where to go. It stays one argument and is never logged: it may hold the request.
        surroundings: What `read_surroundings` found.

    Raises:
        UsageError: `address` is no text.
        RemoteError: `address` is not one to open; nothing was started.
    """
    check_openable(address)
    attempts: list[Attempt] = []
    for launcher in launchers(address, surroundings):
        attempt = _try(launcher, surroundings)
        attempts.append(attempt)
        shown = printable(attempt.program, 120)
        _logger.debug("browser launcher program=%s outcome=%s %s", shown, attempt.outcome.name, attempt.detail)
        if attempt.outcome in _STARTED:
            break
    return LaunchReport(tuple(attempts))


def _try(launcher: Launcher, surroundings: Surroundings) -> Attempt:
    from . import _process  # noqa: PLC0415 - subprocess and its like are loaded only when a browser is started

    program = launcher.program
    if launcher.refusal:
        return Attempt(program, Outcome.REFUSED, launcher.refusal)
    try:
        if program == SHELL_EXECUTE:
            return _ask_windows(launcher)
        path = _process.find_program(program, surroundings.environ)
        if path is None:
            return Attempt(program, Outcome.ABSENT)
        if text_browser := _text_browser(program, path):
            return Attempt(program, Outcome.TEXT_BROWSER, text_browser)
        status = _process.start([path, *launcher.arguments], child_environment(program, surroundings))
    except OSError as error:
        return Attempt(program, Outcome.FAILED, error.strerror or type(error).__name__)
    return _attempt(program, status)


def _attempt(program: str, status: int | None) -> Attempt:
    if status is None:
        return Attempt(program, Outcome.RUNNING)
    failed = status != 0 and base_name(program) not in _STATUS_SAYS_NOTHING
    return Attempt(program, Outcome.FAILED if failed else Outcome.ENDED, f"exit status {status}")


def _text_browser(program: str, path: str) -> str | None:
    """Return the name of the text browser behind a program; links (/etc/alternatives) are followed."""
    real = base_name(os.path.realpath(path))
    if real in TEXT_BROWSERS:
        return real
    # www-browser alone says nothing once it leads to a program of another name
    asked = base_name(program)
    return asked if asked in TEXT_BROWSERS - {"www-browser"} else None


def _ask_windows(launcher: Launcher) -> Attempt:
    """
    Use ShellExecute, through `os.startfile`: the address is a value there, and no command line is made of it by us.

    `cmd /c start` would read "&" and "%", and rundll32.exe is one more program that administrators block.
    """
    from . import _process  # noqa: PLC0415 - see _try

    startfile = getattr(os, "startfile", None)
    if startfile is None:
        return Attempt(launcher.program, Outcome.ABSENT)
    return _attempt(launcher.program, _process.shell_execute(startfile, launcher.arguments[0]))
