"""One sign-in from its first address to its last page, and every way it can end early."""

import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from queue import Empty, SimpleQueue

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._shell.redirect.server import Server
from oidcclient._words.errors import DiscoveryRefused, LoginCancelled
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, StartRequested
from oidcclient._words.ways import Loopback
from tests.redirect.visitor import (
    PATIENCE_S,
    STATE,
    Opened,
    OpenReceiver,
    Reply,
    aside,
    connect,
    follow,
    need_ipv6,
    parse_reply,
    read_to_end,
    send,
    until,
    visit,
)

PROVIDER = "https://login.example.com/authorize?client_id=a&request_uri=urn%3Ab"


def started(opened: Opened) -> StartRequested:
    event = opened.receiver.wait(PATIENCE_S)
    assert isinstance(event, StartRequested)
    return event


def test_the_start_address_sends_the_browser_to_the_provider(opened: Opened) -> None:
    tab = aside(lambda: visit(opened.start))
    opened.receiver.send_on(started(opened), PROVIDER)
    reply = tab.result(PATIENCE_S)
    assert (reply.status, reply.headers["location"], reply.body) == (302, PROVIDER, b"")
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    opened.still_works()


def test_each_visit_of_the_start_address_is_sent_on_by_itself(opened: Opened) -> None:
    tabs = [aside(lambda: visit(opened.start)) for _ in range(2)]
    one, two = started(opened), started(opened)
    assert one != two
    opened.receiver.send_on(two, f"{PROVIDER}&n=2")
    opened.receiver.send_on(one, f"{PROVIDER}&n=1")
    assert {tab.result(PATIENCE_S).headers["location"] for tab in tabs} == {f"{PROVIDER}&n=1", f"{PROVIDER}&n=2"}
    opened.receiver.send_on(one, PROVIDER)  # gone already, and no error


def test_a_sign_in_that_cannot_be_started_is_said_in_the_browser(opened: Opened) -> None:
    tab = aside(lambda: visit(opened.start))
    opened.receiver.send_on(started(opened), None)
    reply = tab.result(PATIENCE_S)
    assert reply.status == 503
    assert "The sign-in could not be started" in reply.text


@pytest.mark.parametrize(
    "address", ["http://login.example.com/", "javascript:a", "https://a.example/\r\nSet-Cookie: a"]
)
def test_no_browser_is_sent_to_an_unsafe_address(opened: Opened, address: str) -> None:
    tab = aside(lambda: visit(opened.start))
    event = started(opened)
    with pytest.raises(DiscoveryRefused) as refusal:
        opened.receiver.send_on(event, address)
    assert refusal.value.rule == "authorization_endpoint"
    reply = tab.result(PATIENCE_S)
    assert reply.status == 503
    assert "location" not in reply.headers


def test_a_start_that_the_flow_never_answers_is_let_go(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(limits=Limits(hold_seconds=0.1))
    assert visit(opened.start).status == 503
    opened.receiver.send_on(started(opened), PROVIDER)  # too late, and no error


def test_the_code_is_gone_from_the_address_bar_when_the_page_shows(opened: Opened) -> None:
    tab = aside(lambda: visit(opened.good))
    opened.arrived()
    opened.receiver.finish(LoginOutcome(ok=True))
    reply = tab.result(PATIENCE_S)
    assert reply.status == 303
    assert reply.body == b""
    assert reply.headers["location"].startswith("/done/")
    assert "code" not in reply.headers["location"]
    assert len(reply.headers["location"]) > len("/done/") + 128 / 6


def test_success_is_never_shown_before_the_flow_says_so(opened: Opened) -> None:
    tab = aside(lambda: follow(opened.good))
    opened.arrived()
    time.sleep(0.1)
    assert not tab.done()
    opened.receiver.finish(LoginOutcome(ok=False, message="The ID Token was refused.", detail="nonce"))
    reply = tab.result(PATIENCE_S)
    assert reply.status == 400
    assert "Not signed in" in reply.text
    assert "You are signed in" not in reply.text


def test_the_callback_hands_on_all_parameters_and_hides_them(opened: Opened) -> None:
    tab = aside(lambda: follow(f"{opened.good}&iss=https%3A%2F%2Fa.example&name=J%C3%BCrgen+M"))
    event = opened.arrived()
    assert event.parameters[2:] == (("iss", "https://a.example"), ("name", "Jürgen M"))
    assert event.redirect_uri == opened.redirect_uri
    assert "the-code" not in repr(event)
    opened.receiver.finish(LoginOutcome(ok=True))
    tab.result(PATIENCE_S)


def test_a_slow_exchange_shows_a_page_that_waits_and_then_the_truth(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(limits=Limits(hold_seconds=0.1))
    done = visit(opened.good).headers["location"]
    opened.arrived()
    waiting = visit(opened.at(done))
    assert waiting.status == 200
    assert "Finishing" in waiting.text
    assert waiting.headers["refresh"] == f"0; url={done}?wait"
    assert visit(opened.at(done), method="HEAD").status == 503
    began = time.monotonic()
    assert visit(opened.at(f"{done}?wait")).headers["refresh"] == f"0; url={done}?wait"
    assert time.monotonic() - began > 0.09  # held, so that a browser does not ask all the time
    tab = aside(lambda: follow_refresh(opened, done))
    opened.receiver.finish(LoginOutcome(ok=True))
    assert "You are signed in" in tab.result(PATIENCE_S).text


def follow_refresh(opened: Opened, done: str) -> Reply:
    """Do as a browser does with the Refresh header."""
    reply = visit(opened.at(done))
    while "refresh" in reply.headers:
        reply = visit(opened.at(reply.headers["refresh"].partition("url=")[2]))
    return reply


def test_the_page_that_waits_gets_the_result_the_moment_it_is_known(open_receiver: OpenReceiver) -> None:
    opened = open_receiver()
    callback = aside(lambda: visit(opened.good))
    opened.arrived()
    done = opened.receiver._opened().expected.done_path
    patient = aside(lambda: visit(opened.at(f"{done}?wait")))
    time.sleep(0.1)
    assert not patient.done()
    began = time.monotonic()
    opened.receiver.finish(LoginOutcome(ok=True))
    assert time.monotonic() - began < 0.5
    assert "You are signed in" in patient.result(PATIENCE_S).text
    assert callback.result(PATIENCE_S).status == 303


def test_the_page_that_waits_is_told_when_the_program_stops(opened: Opened) -> None:
    callback = aside(lambda: visit(opened.good))
    opened.arrived()
    done = opened.receiver._opened().expected.done_path
    patient = aside(lambda: visit(opened.at(f"{done}?wait")))
    until(lambda: len(_server(opened)._served) == 2 and not any(one.reading for one in _server(opened)._served))
    opened.receiver.close()
    for tab in (callback, patient):
        assert "The sign-in was stopped" in tab.result(PATIENCE_S).text


def test_finish_returns_as_soon_as_the_page_was_fetched(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(limits=Limits(result_seconds=PATIENCE_S * 2))
    tab = aside(lambda: follow(opened.good))
    opened.arrived()
    began = time.monotonic()
    opened.receiver.finish(LoginOutcome(ok=True))
    assert time.monotonic() - began < PATIENCE_S
    assert tab.result(PATIENCE_S).status == 200


def test_finish_waits_one_second_for_a_browser_that_never_fetches_the_page(open_receiver: OpenReceiver) -> None:
    opened = open_receiver()
    tab = aside(lambda: visit(opened.good))
    opened.arrived()
    began = time.monotonic()
    opened.receiver.finish(LoginOutcome(ok=True))
    assert 0.9 < time.monotonic() - began < 2
    assert tab.result(PATIENCE_S).status == 303


def test_finish_returns_at_once_where_no_response_came(opened: Opened) -> None:
    tab = aside(lambda: visit(opened.start))
    started(opened)
    began = time.monotonic()
    opened.receiver.finish(LoginOutcome(ok=False, message="Nobody signed in."))
    assert time.monotonic() - began < 0.5
    assert tab.result(PATIENCE_S).status == 503
    assert visit(opened.start).status == 503  # nobody would answer this one any more
    assert "Nobody signed in." in follow(opened.good).text


def test_the_wait_ends_without_an_event_when_its_time_is_over(opened: Opened) -> None:
    began = time.monotonic()
    assert opened.receiver.wait(0.25) is None
    assert 0.2 < time.monotonic() - began < 2
    assert opened.receiver.wait(-1) is None


def test_cancel_from_another_thread_ends_the_wait_at_once(opened: Opened) -> None:
    threading.Timer(0.1, opened.receiver.cancel).start()
    began = time.monotonic()
    with pytest.raises(LoginCancelled):
        opened.receiver.wait(PATIENCE_S)
    assert time.monotonic() - began < 1
    with pytest.raises(LoginCancelled):
        opened.receiver.wait(0)


def test_close_from_another_thread_ends_the_wait_at_once(opened: Opened) -> None:
    threading.Timer(0.1, opened.receiver.close).start()
    with pytest.raises(LoginCancelled):
        opened.receiver.wait(PATIENCE_S)


def test_close_is_quick_and_lets_every_connection_go(opened: Opened) -> None:
    held = aside(lambda: visit(opened.good))
    opened.arrived()
    starting = aside(lambda: visit(opened.start))
    idle = [connect(opened.redirect_uri) for _ in range(5)]
    until(lambda: len(_server(opened)._served) == 7)
    began = time.monotonic()
    opened.receiver.close()
    assert time.monotonic() - began < 1
    assert not _server(opened)._served
    assert "The sign-in was stopped" in held.result(PATIENCE_S).text
    assert "The sign-in was stopped" in starting.result(PATIENCE_S).text
    for connection in idle:
        with connection:
            assert connection.recv(1) == b""
    with pytest.raises(OSError):  # noqa: PT011 - refused, in the system's words
        connect(opened.redirect_uri)


def test_close_tells_a_browser_at_the_start_address_that_nothing_starts(opened: Opened) -> None:
    tab = aside(lambda: visit(opened.start))
    started(opened)
    opened.receiver.close()
    assert tab.result(PATIENCE_S).status == 503


def test_close_is_idempotent_and_needs_no_open() -> None:
    receiver = LoopbackReceiver(Loopback())
    receiver.close()
    receiver.close()
    with pytest.raises(LoginCancelled):
        receiver.open(STATE)


def test_requests_that_were_read_before_the_close_are_answered_truly(opened: Opened) -> None:
    opened.receiver.close()
    room = opened.receiver._opened()
    _, ticket = room.ask_for_start()
    assert ticket.answered.is_set()
    assert ticket.address is None


def test_a_server_that_is_closing_takes_nobody_in(opened: Opened) -> None:
    opened.receiver.close()
    ours, theirs = socket.socketpair()
    with theirs:
        _server(opened)._admit(ours)
        assert theirs.recv(1) == b""


def _server(opened: Opened) -> Server:
    server = opened.receiver._server
    assert server is not None
    return server


def test_a_system_without_room_for_a_connection_does_not_end_the_listening(open_receiver: OpenReceiver) -> None:
    class Full:
        """A listening socket whose accept() fails first and is closed by its server after."""

        def __init__(self) -> None:
            self.tries = 0

        def settimeout(self, seconds: float) -> None:
            raise OSError("closed already")

        def accept(self) -> None:
            self.tries += 1
            raise OSError("too many open files")

        def shutdown(self, how: int) -> None:
            raise OSError("not connected")

        def close(self) -> None:
            pass

    full = Full()
    server = Server([full], Limits(), connect=lambda _: pytest.fail("nobody came"), on_tls=lambda: None)  # type: ignore[list-item]  # stands in for a socket
    until(lambda: full.tries > 2)
    server.close()
    assert full.tries < 100


def test_a_browser_that_forces_https_is_noticed_and_said_once(open_receiver: OpenReceiver) -> None:
    notices: list[str] = []
    opened = open_receiver(notices=notices)
    assert not opened.receiver.https_was_forced
    for _ in range(2):
        assert send(opened.redirect_uri, b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03") == b""
    until(lambda: bool(notices) and not _server(opened)._served)
    assert opened.receiver.https_was_forced
    (notice,) = notices
    assert notice.startswith("Your browser insisted on https")
    assert "localhost" not in notice
    opened.still_works()


def test_the_notice_about_https_names_the_literal_where_localhost_is_used(open_receiver: OpenReceiver) -> None:
    need_ipv6()
    notices: list[str] = []
    opened = open_receiver(Loopback(host="localhost"), notices=notices)
    send(opened.redirect_uri, b"\x16", address="::1")
    until(lambda: bool(notices))
    assert "127.0.0.1 in place of localhost" in notices[0]


def test_who_is_told_of_forced_https_may_close_at_once() -> None:
    closed = threading.Event()

    def give_up(_: str) -> None:
        receiver.close()
        closed.set()

    receiver = LoopbackReceiver(Loopback(), on_notice=give_up)
    send(receiver.open(STATE), b"\x16")
    assert closed.wait(PATIENCE_S)


def test_forced_https_without_anybody_to_tell_is_still_known(opened: Opened) -> None:
    send(opened.redirect_uri, b"\x16")
    until(lambda: opened.receiver.https_was_forced)


def test_a_fixed_port_lets_the_client_close_first(open_receiver: OpenReceiver) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    opened = open_receiver(Loopback(ports=(port,)), Limits(yield_seconds=0.3))
    with connect(opened.redirect_uri) as lingering:
        lingering.sendall(b"GET / HTTP/1.1\r\n\r\n")
        began = time.monotonic()
        assert parse_reply(read_to_end(lingering)).status == 400
        assert time.monotonic() - began > 0.2


def test_nothing_secret_is_logged(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visit(f"{opened.redirect_uri}?code=forged-code&state=forged-state")
    visit(opened.at("/a\x1b[31m?code=forged-code".replace("\x1b", "%1b")))
    send(opened.redirect_uri, b"broken forged-code\r\n")
    starting = aside(lambda: visit(opened.start))
    opened.receiver.send_on(started(opened), PROVIDER)
    starting.result(PATIENCE_S)
    opened.still_works()
    assert "path=/callback" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    for secret in ("the-code", "forged", STATE, "login.example.com", opened.start.rpartition("/")[2]):
        assert secret not in caplog.text


WAITING_PROGRAM = """
    from oidcclient._shell.redirect import LoopbackReceiver
    from oidcclient._words.ways import Loopback

    receiver = LoopbackReceiver(Loopback())
    try:
        print(receiver.open("a-state"), flush=True)
        receiver.wait(60)
    finally:
        receiver.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C goes to the whole console, the test's own included")
def test_ctrl_c_ends_a_waiting_program_within_a_second_idle_connections_or_not() -> None:
    program = [sys.executable, "-W", "error", "-c", textwrap.dedent(WAITING_PROGRAM)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        redirect_uri = waiting.stdout.readline().strip()
        with connect(redirect_uri), connect(redirect_uri):
            began = time.monotonic()
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - began < 1
    assert waiting.returncode in {-signal.SIGINT, 130, 1}
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "ResourceWarning" not in said


NO_CONNECTION_PROGRAM = """
    import sys
    from oidcclient._shell.redirect import LoopbackReceiver
    from oidcclient._words.receiver import LoginOutcome
    from oidcclient._words.ways import Loopback

    outgoing = []
    sys.addaudithook(lambda event, _: event in {"socket.connect", "socket.getaddrinfo"} and outgoing.append(event))
    receiver = LoopbackReceiver(Loopback())
    print(receiver.open("the-state-of-this-sign-in"), flush=True)
    receiver.wait(60)
    receiver.finish(LoginOutcome(ok=True))
    receiver.close()
    print(outgoing, flush=True)
"""


def test_nothing_on_loopback_goes_through_a_proxy_for_nothing_connects() -> None:
    program = [sys.executable, "-W", "error", "-c", textwrap.dedent(NO_CONNECTION_PROGRAM)]
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env={**os.environ, **proxies}) as waiting:
        assert waiting.stdout is not None
        redirect_uri = waiting.stdout.readline().strip()
        assert "You are signed in" in follow(f"{redirect_uri}?state={STATE}").text
        assert waiting.stdout.read().strip() == "[]"
    assert waiting.returncode == 0


def test_daemon_threads_hold_no_exit_where_a_program_forgets_to_close() -> None:
    forgetful = textwrap.dedent(WAITING_PROGRAM).replace("receiver.wait(60)", "input()").replace("close()", "start_uri")
    with subprocess.Popen(
        [sys.executable, "-c", forgetful], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        with connect(waiting.stdout.readline().strip()):
            began = time.monotonic()
            waiting.communicate("\n", timeout=PATIENCE_S)
        assert time.monotonic() - began < 2
    assert waiting.returncode == 0


def test_the_main_thread_sleeps_in_short_slices_for_windows_notices_ctrl_c_between_them(opened: Opened) -> None:
    room = opened.receiver._opened()
    slept: list[float] = []

    class Watched:
        def get(self, timeout: float) -> None:
            slept.append(timeout)
            time.sleep(timeout)
            raise Empty

    room._events = Watched()  # type: ignore[assignment]  # stands in for the queue
    assert opened.receiver.wait(0.35) is None
    assert len(slept) >= 4
    assert max(slept) <= 0.1
    room._events = SimpleQueue()


@pytest.mark.parametrize("unwanted", ["ssl", "http.server", "http.client", "asyncio", "email", "httpx"])
def test_importing_the_listener_is_light(unwanted: str) -> None:
    code = f"import sys, oidcclient._shell.redirect; sys.exit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_callback_is_known_by_its_type() -> None:
    assert CallbackArrived((("code", "secret"),), "http://127.0.0.1/").redirect_uri
    assert "secret" not in repr(CallbackArrived((("code", "secret"),), ""))
