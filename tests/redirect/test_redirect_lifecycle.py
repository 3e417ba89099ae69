"""One sign-in from its first address to its last page."""

import socket
import threading
import time

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._shell.redirect.server import Server
from oidcclient._words.errors import DiscoveryRefused
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


def _server(opened: Opened) -> Server:
    server = opened.receiver._server
    assert server is not None
    return server


def test_a_browser_that_forces_https_is_noticed_and_said_once(open_receiver: OpenReceiver) -> None:
    notices: list[str] = []
    opened = open_receiver(notices=notices)
    assert opened.receiver.https_was_forced is bool(notices)
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


def test_a_callback_is_known_by_its_type() -> None:
    assert CallbackArrived((("code", "secret"),), "http://127.0.0.1/").redirect_uri
    assert "secret" not in repr(CallbackArrived((("code", "secret"),), ""))
