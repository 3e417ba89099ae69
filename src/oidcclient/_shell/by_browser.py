"""A sign-in whose answer a browser brings, as the clients run it: by a listener, by pasting, or by both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidcclient._flows.login import LoginPlan, Started, finish, start
from oidcclient._flows.preparing import abandon, forgetting
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import BrowserUnavailable, LoginCancelled
from oidcclient._words.receiver import Receiver
from oidcclient._words.record import SessionRecord
from oidcclient._words.ways import DeviceCode, Loopback, Paste
from oidcclient.protocol import callback_path

from .browser.environment import Detection, stderr_is_tty
from .opener import CODE_TOO, PASTE, PASTE_TOO, GivenBrowser, Opener, ShownAddress, choose_opener
from .pending import LoginOptions, Memory, memory_of, plan_settings
from .redirect import AskedProgram, Limits, LoopbackReceiver, PastingReceiver, UnheardReceiver
from .terminal import Keyboard, open_keyboard

if TYPE_CHECKING:
    from .core import ClientCore

__all__ = ["PendingBrowser", "start_browser"]


class PendingBrowser:
    """A sign-in that waits for a browser or a paste; implements `Pending`."""

    device_code: DeviceCode | None = None

    def __init__(self, plan: LoginPlan, opener: Opener, started: Started) -> None:
        self._plan = plan
        self._opener = opener
        self._started = started

    @property
    def address(self) -> str:
        """What a browser opens."""
        return self._started.address

    def show(self, issuer: str) -> Flow[None]:
        """Open the address, or show it."""
        address = self._started.address
        return forgetting(self._plan, self._started.hooks, run(lambda: self._opener.open(address, issuer)))

    def finish(self) -> Flow[SessionRecord]:
        """Wait for the person."""
        try:
            return (yield from finish(self._plan, self._started))
        except LoginCancelled:
            failure = self._opener.failure()
            if failure is not None:
                raise failure from None
            raise

    @property
    def memory(self) -> Memory:
        """What the hooks know."""
        return memory_of(self._started.hooks)

    def forget(self) -> Flow[None]:
        """Let the hooks remove what they made."""
        return abandon(self._plan, self._started.hooks)

    def cancel(self) -> None:
        """Stop the sign-in."""
        self._plan.receiver.cancel()

    def close(self) -> None:
        """Stop listening."""
        self._plan.receiver.close()


def start_browser(
    core: ClientCore,
    options: LoginOptions,
    via: Loopback | Paste,
    *,
    opens: bool,
    detection: Detection | None,
    offers_code: bool = False,
) -> Flow[PendingBrowser]:
    """
    Start a sign-in.

    Args:
        core: The client.
        options: What was asked for.
        via: How the answer comes back.
        opens: Whether `login` opens the address later; otherwise the program has it.
        detection: What was found out already about browsers here.
        offers_code: Whether a key at the terminal asks for a code instead; `CodeWanted` then ends the wait.
    """
    receiver, opener = yield from run(
        lambda: (
            _pasted(core, options, via, opens=opens, offers_code=offers_code)
            if isinstance(via, Paste)
            else _heard(core, options, via, opens=opens, detection=detection, offers_code=offers_code)
        )
    )
    plan = LoginPlan(
        **plan_settings(core, options),
        receiver=receiver,
        form_post=isinstance(via, Loopback) and via.form_post,
        own_start=opener.own_start,
        show_again=opener.show_again,
    )
    try:
        started = yield from start(plan)
    except BaseException:
        receiver.close()
        raise
    return PendingBrowser(plan, opener, started)


def _heard(
    core: ClientCore,
    options: LoginOptions,
    via: Loopback,
    *,
    opens: bool,
    detection: Detection | None,
    offers_code: bool,
) -> tuple[Receiver, Opener]:
    """Listen; where a person is talked to at a terminal, let them paste as well."""
    opener = Opener(core.emit)
    receiver = LoopbackReceiver(
        via,
        default_path=callback_path(core.issuer, core.policy),
        limits=Limits(wrong_answers=core.policy.max_wrong_callbacks),
        on_notice=lambda text: opener.notice(text),  # noqa: PLW0108 - the opener is chosen further down
    )
    if opens:
        opener = choose_opener(options.open_browser, receiver, core.emit, detection)
    wanted = via.paste and not via.form_post and opener.talks and stderr_is_tty()
    keyboard = open_keyboard() if wanted else None
    if keyboard is None:
        return receiver, opener
    opener.advice = f"{PASTE_TOO} {CODE_TOO}" if offers_code else PASTE_TOO
    return _pasting(core, receiver, keyboard, opener, alone=False, offers_code=offers_code), opener


def _pasted(
    core: ClientCore, options: LoginOptions, via: Paste, *, opens: bool, offers_code: bool
) -> tuple[Receiver, Opener]:
    """Wait for a paste alone."""
    keyboard = open_keyboard() if via.read is None else AskedProgram(via.read)
    if keyboard is None:
        raise BrowserUnavailable(
            "nobody can paste an address here: the standard input is no terminal",
            rule="terminal",
            hint="Sign in at a terminal, or pass Paste(read=...).",
        )
    silent = via.read is not None and not opens  # a program with a window of its own: events tell it all
    talker = Opener(core.emit) if silent else ShownAddress(core.emit)
    talker.advice = f"{PASTE} {CODE_TOO}" if offers_code else PASTE
    unheard = UnheardReceiver(via.redirect_uri, callback_path(core.issuer, core.policy))
    receiver = _pasting(core, unheard, keyboard, talker, alone=True, offers_code=offers_code)
    if not opens:
        return receiver, Opener(core.emit)
    given = options.open_browser
    return receiver, talker if given is None else GivenBrowser(given, receiver, core.emit)


def _pasting(
    core: ClientCore, receiver: Receiver, keyboard: Keyboard, talker: Opener, *, alone: bool, offers_code: bool
) -> PastingReceiver:
    wrong = core.policy.max_wrong_callbacks
    return PastingReceiver(
        receiver, keyboard, tell=talker.notice, wrong_pastes=wrong, alone=alone, offers_code=offers_code
    )
