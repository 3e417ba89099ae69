"""Receivers for an address that a person pastes: beside a listener, or where nobody listens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from oidcclient._shell.pause import CancellablePause
from oidcclient._shell.terminal import Keyboard
from oidcclient._words.errors import CallbackRefused, LoginCancelled
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, Receiver, StartRequested

from .addresses import origin
from .binding import reserve
from .pasted import WrongPaste, read_pasted

__all__ = ["AskedProgram", "CodeWanted", "PastingReceiver", "UnheardReceiver"]

SLICE = 0.1  # seconds between two looks at the keyboard
CODE_KEY = "d"  # no address begins with it


class CodeWanted(LoginCancelled):
    """The person pressed the key for a code on another device; never reaches a program."""


class UnheardReceiver:
    """
    A redirect URI at which nobody answers; implements `Receiver`. The answer comes another way.

    Args:
        redirect_uri: The redirect URI; None holds a free port of loopback as long as the sign-in lasts.
        path: The path, where a port is held.
    """

    def __init__(self, redirect_uri: str | None, path: str) -> None:
        self._redirect_uri = redirect_uri
        self._path = path
        self._held: socket.socket | None = None
        self._pause = CancellablePause()

    def open(self, state: str) -> str:
        """Return the redirect URI."""
        del state
        if self._redirect_uri is not None:
            return self._redirect_uri
        host, self._held = reserve()
        return origin("http", host, self._held.getsockname()[1]) + self._path

    @property
    def start_uri(self) -> str | None:
        """There is none."""
        return None

    def wait(self, seconds: float) -> StartRequested | CallbackArrived | None:
        """
        Let the time pass.

        Raises:
            LoginCancelled: `cancel` was called.
        """
        self._pause.wait(seconds)
        return None

    def send_on(self, event: StartRequested, address: str | None) -> None:
        """No browser ever waits here."""

    def finish(self, outcome: LoginOutcome) -> None:
        """No browser hears of it."""

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled at once."""
        self._pause.cancel()

    def close(self) -> None:
        """Let the port go, and end a wait."""
        self._pause.cancel()
        held = self._held
        if held is not None:
            held.close()


class AskedProgram:
    """
    A program's own way to ask a person for the address; implements `Keyboard`.

    It may block for as long as it likes: it is called in a thread of its own, and again when the last answer would not
    do. What it raises reaches the caller of `login()`.

    Args:
        read: Returns what was pasted.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._answers: SimpleQueue[str | BaseException] = SimpleQueue()
        self._asked = False

    def poll(self) -> str | None:
        """Return the answer if there is one; ask, if nobody was asked yet."""
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._ask, daemon=True, name="oidcclient-paste").start()
        try:
            answer = self._answers.get_nowait()
        except Empty:
            return None
        self._asked = False
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _ask(self) -> None:
        try:
            self._answers.put(self._read())
        except BaseException as error:  # noqa: BLE001 - handed to the caller of login(), whatever it is
            self._answers.put(error)

    def pressed(self) -> str:
        """Nothing: a program gives whole answers."""
        return ""

    def close(self) -> None:
        """Take no more answers; a call that still waits for its person is left alone."""


class PastingReceiver:
    """
    Another receiver, and pasting beside it; implements `Receiver`. Whichever answer comes first counts.

    Args:
        receiver: Waits for a browser.
        keyboard: Brings what is pasted.
        tell: Takes a sentence for the person.
        wrong_pastes: How many that will not do end the wait.
        alone: Whether nothing but a paste can bring the answer.
        offers_code: Whether a key asks for a code instead.
    """

    def __init__(
        self,
        receiver: Receiver,
        keyboard: Keyboard,
        *,
        tell: Callable[[str], object],
        wrong_pastes: int,
        alone: bool,
        offers_code: bool = False,
    ) -> None:
        self._receiver = receiver
        self._keyboard: Keyboard | None = keyboard
        self._tell = tell
        self._left = wrong_pastes
        self._alone = alone
        self._offers_code = offers_code
        self._wished = False
        self._state = self._redirect_uri = ""

    def open(self, state: str) -> str:
        """Make ready for the response that carries `state`, and return the redirect URI."""
        self._state, self._redirect_uri = state, self._receiver.open(state)
        return self._redirect_uri

    @property
    def start_uri(self) -> str | None:
        """The other receiver's own address."""
        return self._receiver.start_uri

    def wait(self, seconds: float) -> StartRequested | CallbackArrived | None:
        """
        Block for the next event, or return None when `seconds` are over.

        Raises:
            LoginCancelled: `cancel` or `close` was called, or nothing can be pasted any more and nothing else is left.
            CodeWanted: The person wants a code.
            CallbackRefused: Too much came that was not ours.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            event = self._receiver.wait(max(0.0, min(SLICE, left))) or self._pasted()
            if event is not None or left <= 0:
                return event

    def _pasted(self) -> CallbackArrived | None:
        text = self._look()
        self._check_wish(text)
        if not text or text.isspace():  # Enter alone
            return None
        try:
            arrived = read_pasted(text, redirect_uri=self._redirect_uri, state=self._state)
        except WrongPaste as wrong:
            self._count(str(wrong))
            return None
        self._tell("That is the address of this sign-in.")
        return arrived

    def _look(self) -> str | None:
        keyboard = self._keyboard
        try:
            return None if keyboard is None else keyboard.poll()
        except EOFError:
            self._put_down()
            if self._alone:
                raise LoginCancelled("the input ended before an address was pasted") from None
            return None

    def _check_wish(self, line: str | None) -> None:
        """Stop where the key for a code was pressed, with Enter or without: then nothing follows for one more look."""
        if not self._offers_code or self._keyboard is None:
            return
        wishes = (self._keyboard.pressed() if line is None else line).strip().lower() == CODE_KEY
        if wishes and (self._wished or line is not None):
            self._put_down()
            raise CodeWanted("the person asked for a code")
        self._wished = wishes

    def _count(self, what: str) -> None:
        self._left -= 1
        if self._left > 0:
            self._tell(f"{what} Try again.")
            return
        raise CallbackRefused(
            "too much was pasted that does not belong to this sign-in",
            rule="state",
            section="RFC 6749 section 10.12",
            hint="Start the sign-in again, and paste the address that the browser ends at.",
        )

    def _put_down(self) -> None:
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.close()

    def send_on(self, event: StartRequested, address: str | None) -> None:
        """Send the waiting browser on."""
        self._receiver.send_on(event, address)

    def finish(self, outcome: LoginOutcome) -> None:
        """Tell the waiting browser, if one waits, what came of it."""
        self._put_down()
        self._receiver.finish(outcome)

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled at once."""
        self._receiver.cancel()

    def close(self) -> None:
        """Give the terminal back, stop listening."""
        self._put_down()
        self._receiver.close()


if TYPE_CHECKING:
    _IMPLEMENT: tuple[type[Receiver], ...] = (UnheardReceiver, PastingReceiver)  # for the type checker
    _ASKS: type[Keyboard] = AskedProgram
