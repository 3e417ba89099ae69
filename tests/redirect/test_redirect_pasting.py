"""An address that a person pastes: checked as strictly as what comes to the listener."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import CallbackRefused, LocalError, LoginCancelled, UsageError
from oidcclient._shell.redirect import AskedProgram, CodeWanted, LoopbackReceiver, PastingReceiver, UnheardReceiver
from oidcclient._shell.redirect.binding import reserve
from oidcclient._shell.redirect.pasted import LONGEST, WrongPaste, read_pasted
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, Receiver, StartRequested
from oidcclient._words.ways import Loopback, Paste
from tests.redirect.visitor import STATE, aside, follow

REDIRECT_URI = "http://127.0.0.1:49152/callback"
SECRET = "s3cr3t-code"
GOOD = f"{REDIRECT_URI}?code={SECRET}&state={STATE}&iss=https%3A%2F%2Flogin.example.com"


def test_the_final_address_is_taken_apart() -> None:
    """As with the listener, the flow sees every parameter, in order and decoded."""
    arrived = read_pasted(f"  {GOOD}\n", redirect_uri=REDIRECT_URI, state=STATE)
    assert arrived == CallbackArrived(
        (("code", SECRET), ("state", STATE), ("iss", "https://login.example.com")), REDIRECT_URI
    )
    assert SECRET not in repr(arrived)


def test_a_fragment_is_not_looked_at() -> None:
    """A browser would not have sent it to a listener either."""
    assert read_pasted(f"{GOOD}#_=_", redirect_uri=REDIRECT_URI, state=STATE).parameters[0] == ("code", SECRET)
    with pytest.raises(WrongPaste):
        read_pasted(f"{REDIRECT_URI}#code={SECRET}&state={STATE}", redirect_uri=REDIRECT_URI, state=STATE)


def test_an_error_with_our_state_is_the_flows_to_judge() -> None:
    pasted = f"{REDIRECT_URI}?error=access_denied&state={STATE}"
    assert dict(read_pasted(pasted, redirect_uri=REDIRECT_URI, state=STATE).parameters)["error"] == "access_denied"


WRONG = [
    (SECRET, "That is no address"),  # RFC 9207, RFC 6749 section 10.12: a bare code has neither iss nor state
    (f"code={SECRET}", "That is no address"),
    (f"127.0.0.1:49152/callback?code={SECRET}&state={STATE}", "That is no address"),
    (GOOD.replace("&", " &"), "That is no address"),
    ("https://login.example.com/authorize?client_id=x", f"begins with {REDIRECT_URI}"),
    (GOOD.replace("127.0.0.1", "localhost"), f"begins with {REDIRECT_URI}"),
    (GOOD.replace("49152", "49153"), f"begins with {REDIRECT_URI}"),
    (GOOD.replace("/callback", "/callback/"), f"begins with {REDIRECT_URI}"),
    (GOOD.replace("/callback", "/Callback"), f"begins with {REDIRECT_URI}"),
    (GOOD.replace("http:", "https:"), f"begins with {REDIRECT_URI}"),
    (GOOD.replace("127.0.0.1", "ann@127.0.0.1"), f"begins with {REDIRECT_URI}"),
    (REDIRECT_URI, "brings no answer"),
    (f"{REDIRECT_URI}?", "brings no answer"),
    (GOOD + "%zz", "damaged"),
    (GOOD + "é", "damaged"),
    (f"{REDIRECT_URI}?code={SECRET}", "another sign-in"),
    (f"{REDIRECT_URI}?code={SECRET}&state=other", "another sign-in"),
    (f"{GOOD}&state={STATE}", "another sign-in"),  # RFC 6749 section 3.1: not more than once
    (f"{REDIRECT_URI}?error=access_denied", "another sign-in"),  # an error is believed with our state alone
    (GOOD + "a" * LONGEST, "too long"),
]


@pytest.mark.parametrize(("pasted", "words"), WRONG)
def test_what_is_not_the_answer_is_told_apart(pasted: str, words: str) -> None:
    """RFC 8252 section 8.10: the address equals the redirect URI exactly; and nothing that came is repeated."""
    with pytest.raises(WrongPaste) as wrong:
        read_pasted(pasted, redirect_uri=REDIRECT_URI, state=STATE)
    assert words in str(wrong.value)
    assert SECRET not in str(wrong.value)


@given(text=st.text(max_size=200) | st.text(max_size=60).map(lambda tail: GOOD + tail))
def test_whatever_is_pasted_it_is_ours_or_told_apart(text: str) -> None:
    try:
        arrived = read_pasted(text, redirect_uri=REDIRECT_URI, state=STATE)
    except WrongPaste as wrong:
        said = str(wrong)
        assert SECRET not in said
    else:
        assert [value for name, value in arrived.parameters if name == "state"] == [STATE]
        assert text.strip().startswith(f"{REDIRECT_URI}?")


# -- where a redirect URI may be


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:8000/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:8000/",
        "http://localhost:8000/cb",
        "https://app.example.com/signed-in",
        "com.example.app:/cb",
    ],
)
def test_a_redirect_uri_that_can_be_registered_is_taken(redirect_uri: str) -> None:
    """RFC 8252 section 7."""
    assert Paste(redirect_uri=redirect_uri).redirect_uri == redirect_uri
    receiver = UnheardReceiver(redirect_uri, "/callback")
    assert receiver.open(STATE) == redirect_uri
    receiver.close()


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "",
        "http://127.0.0.1:8000",  # browsers add the slash, and then it is another one
        "http://app.example.com/callback",
        "http://127.0.0.1:8000/callback?x=1",
        "http://127.0.0.1:8000/callback#x",
        "http://ann@127.0.0.1/callback",
        "urn:ietf:wg:oauth:2.0:oob",
        "myapp:/cb",  # RFC 8252 section 8.4: a private-use scheme has a dot
        "javascript:alert(1)",
        "https://app.example.com/a b",
    ],
)
def test_a_redirect_uri_that_could_not_be_compared_is_refused(redirect_uri: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Paste(redirect_uri=redirect_uri)
    assert refusal.value.rule == "redirect_uri"


def test_nobody_listens_at_the_default_address_and_nobody_else_can() -> None:
    """A browser sent there fails at once; no other program of this machine gets the code."""
    receiver = UnheardReceiver(None, "/callback")
    parts = urlsplit(receiver.open(STATE))
    assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")
    assert receiver.start_uri is None
    port = parts.port or 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with socket.socket() as other, pytest.raises(OSError, match=r"in use|10048"):
        other.bind(("127.0.0.1", port))
    receiver.close()
    receiver.close()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_without_ipv4_the_port_is_held_on_ipv6_and_without_either_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8252 section 7.3."""
    real, refused = socket.socket, {socket.AF_INET}

    def limited(family: int, kind: int) -> socket.socket:
        if family in refused:
            raise OSError(97, "no such family")
        return real(family, kind)

    monkeypatch.setattr("oidcclient._shell.redirect.binding.socket.socket", limited)
    host, held = reserve()
    held.close()
    assert host == "::1"
    refused.add(socket.AF_INET6)
    with pytest.raises(LocalError) as refusal:
        reserve()
    assert "redirect_uri" in refusal.value.hint


# -- the wait


class ListedKeyboard:
    """Brings the lines listed, one for each look."""

    def __init__(self, *lines: str | EOFError | None) -> None:
        self.lines = list(lines)
        self.typed: list[str] = []
        self.closed = 0

    def poll(self) -> str | None:
        line = self.lines.pop(0) if self.lines else None
        if isinstance(line, EOFError):
            raise line
        return line

    def pressed(self) -> str:
        return self.typed.pop(0) if self.typed else ""

    def close(self) -> None:
        self.closed += 1


class Waiting:
    def __init__(
        self, *lines: str | EOFError | None, inner: Receiver | None = None, most: int = 20, code: bool = False
    ) -> None:
        self.told: list[str] = []
        self.keyboard = ListedKeyboard(*lines)
        self.receiver = PastingReceiver(
            inner or UnheardReceiver(REDIRECT_URI, "/callback"),
            self.keyboard,
            tell=self.told.append,
            wrong_pastes=most,
            alone=inner is None,
            offers_code=code,
        )
        self.redirect_uri = self.receiver.open(STATE)


def test_a_paste_ends_the_wait() -> None:
    waiting = Waiting(None, GOOD)
    arrived = waiting.receiver.wait(10)
    assert isinstance(arrived, CallbackArrived)
    assert arrived.redirect_uri == REDIRECT_URI
    assert SECRET not in "".join(waiting.told)
    waiting.receiver.finish(LoginOutcome(ok=True))
    assert waiting.keyboard.closed == 1
    waiting.receiver.send_on(StartRequested(1), None)
    waiting.receiver.close()


@pytest.mark.parametrize(
    ("lines", "typed"), [(["d"], []), ([" D "], []), ([], ["d", "d"]), ([], ["D", "d"]), ([], ["d", "", "d", "d"])]
)
def test_a_key_asks_for_a_code_with_enter_or_when_nothing_follows(lines: list[str], typed: list[str]) -> None:
    waiting = Waiting(*lines, code=True)
    waiting.keyboard.typed = typed
    with pytest.raises(CodeWanted):
        waiting.receiver.wait(10)
    assert waiting.keyboard.closed == 1
    assert not waiting.told


def test_where_no_code_is_offered_the_key_is_a_wrong_paste() -> None:
    waiting = Waiting("d", GOOD)
    assert waiting.receiver.wait(10) is not None
    assert len(waiting.told) == 2


def test_an_address_that_comes_in_pieces_is_no_key() -> None:
    """A slow terminal may bring one character at a time."""
    waiting = Waiting(None, None, None, GOOD, code=True)
    waiting.keyboard.typed = ["d", "dh", "h"]
    assert isinstance(waiting.receiver.wait(10), CallbackArrived)


def test_after_the_end_of_the_input_no_key_is_looked_for() -> None:
    waiting = Waiting(EOFError(), inner=UnheardReceiver(REDIRECT_URI, "/callback"), code=True)
    waiting.keyboard.typed = ["d"] * 9
    assert waiting.receiver.wait(0.4) is None


def test_a_wrong_paste_gets_a_message_and_another_try() -> None:
    waiting = Waiting("nonsense", "", "  ", GOOD)
    assert waiting.receiver.wait(10) is not None
    assert len(waiting.told) == 2  # Enter alone is no paste
    assert waiting.told[0].endswith("Try again.")


def test_too_many_wrong_pastes_end_the_wait() -> None:
    """`Policy.max_wrong_callbacks`."""
    waiting = Waiting("one", "two", "three", GOOD, most=3)
    with pytest.raises(CallbackRefused) as refusal:
        waiting.receiver.wait(10)
    assert refusal.value.rule == "state"
    assert len(waiting.told) == 2


def test_the_wait_for_a_paste_ends_in_time() -> None:
    waiting = Waiting()
    began = time.monotonic()
    assert waiting.receiver.wait(0.15) is None
    assert 0.1 < time.monotonic() - began < 2


def test_the_end_of_the_input_ends_a_wait_for_nothing_else() -> None:
    with pytest.raises(LoginCancelled):
        Waiting(EOFError()).receiver.wait(10)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_wait_for_a_paste_is_stopped_at_once(how: str) -> None:
    waiting = Waiting()
    threading.Timer(0.1, getattr(waiting.receiver, how)).start()
    began = time.monotonic()
    with pytest.raises(LoginCancelled):
        waiting.receiver.wait(60)
    assert time.monotonic() - began < 2


def test_the_listener_answers_beside_the_keyboard() -> None:
    """One wait, whichever comes first."""
    listener = LoopbackReceiver(Loopback())
    waiting = Waiting(EOFError(), inner=listener)
    with contextlib.closing(waiting.receiver):
        assert waiting.receiver.start_uri == listener.start_uri
        assert waiting.receiver.wait(0) is None  # the end of the input ends nothing here
        assert waiting.keyboard.closed == 1
        tab = aside(lambda: follow(f"{waiting.redirect_uri}?code=c&state={STATE}"))
        arrived = waiting.receiver.wait(10)
        assert isinstance(arrived, CallbackArrived)
        assert arrived.redirect_uri == waiting.redirect_uri
        waiting.receiver.finish(LoginOutcome(ok=True))
        assert "You are signed in" in tab.result(10).text


def test_a_paste_wins_over_a_listener_that_waits_and_the_browser_is_told_the_same() -> None:
    waiting = Waiting(inner=LoopbackReceiver(Loopback()))
    with contextlib.closing(waiting.receiver):
        answer = f"{waiting.redirect_uri}?code=c&state={STATE}"
        waiting.keyboard.lines.append(answer)
        arrived = waiting.receiver.wait(10)
        assert isinstance(arrived, CallbackArrived)
        assert arrived.parameters == (("code", "c"), ("state", STATE))
        tab = aside(lambda: follow(answer))
        waiting.receiver.finish(LoginOutcome(ok=True))
        assert "You are signed in" in tab.result(10).text


# -- a program that asks by itself


def poll_until(poll: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + 10
    while (answer := poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return answer


def test_a_program_is_asked_again_after_each_answer() -> None:
    answers = iter(["one", "two"])
    asked = AskedProgram(lambda: next(answers))
    assert [poll_until(asked.poll), poll_until(asked.poll)] == ["one", "two"]
    asked.close()


def test_what_a_programs_own_question_raises_comes_out() -> None:
    def broken() -> str:
        raise RuntimeError("no window today")

    with pytest.raises(RuntimeError, match="no window today"):
        poll_until(AskedProgram(broken).poll)
