"""What browsers, pages and other programs send, over real sockets: none of it ends the wait or takes the code."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from oidcclient._shell.redirect import Limits
from oidcclient._shell.redirect.connection import Connection
from oidcclient._words.errors import CallbackRefused
from oidcclient._words.receiver import LoginOutcome
from oidcclient._words.ways import Loopback
from tests.redirect.visitor import (
    PATIENCE_S,
    STATE,
    Opened,
    OpenReceiver,
    aside,
    connect,
    follow,
    host_of,
    parse_reply,
    read_to_end,
    send,
    until,
    visit,
)

GOOD_FORM = f"code=the-code&state={STATE}".encode()
FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt", "/", "/callback/", "/done/guess", "/start/guess"])
def test_favicons_and_other_paths_get_an_empty_404_and_never_end_the_wait(opened: Opened, path: str) -> None:
    reply = visit(opened.at(path))
    assert (reply.status, reply.body) == (404, b"")
    assert opened.nothing_came()
    opened.still_works()


def test_a_wrong_state_is_told_so_and_the_right_one_still_signs_in(opened: Opened) -> None:
    forged = visit(f"{opened.redirect_uri}?code=evil&state=guess")
    assert forged.status == 400
    assert "This is not the sign-in we started" in forged.text
    denied = visit(f"{opened.redirect_uri}?error=access_denied&error_description=<b>no</b>")
    assert denied.status == 400
    assert "<b>" not in denied.text
    assert opened.nothing_came()
    opened.still_works()


def test_twenty_wrong_states_end_the_wait_with_a_clear_error(opened: Opened) -> None:
    for _ in range(19):
        visit(f"{opened.redirect_uri}?state=guess")
    assert opened.nothing_came()
    visit(opened.redirect_uri)
    with pytest.raises(CallbackRefused, match="20 responses") as refusal:
        opened.receiver.wait(PATIENCE_S)
    assert refusal.value.rule == "state"
    assert "Close old sign-in tabs" in refusal.value.hint
    with pytest.raises(CallbackRefused):
        opened.receiver.wait(0)


def test_wrong_states_after_the_response_do_not_count(opened: Opened) -> None:
    tab = aside(lambda: follow(opened.good))
    opened.arrived()
    for _ in range(25):
        assert visit(f"{opened.redirect_uri}?state=guess").status == 400
    assert opened.nothing_came()
    opened.receiver.finish(LoginOutcome(ok=True))
    assert tab.result(PATIENCE_S).status == 200


def test_a_second_tab_and_a_reload_get_the_same_result_and_no_second_exchange(opened: Opened) -> None:
    first = aside(lambda: follow(opened.good))
    opened.arrived()
    second = aside(lambda: follow(opened.good))
    start_again = aside(lambda: follow(opened.start))
    assert opened.nothing_came()
    opened.receiver.finish(LoginOutcome(ok=True))
    pages = [tab.result(PATIENCE_S) for tab in (first, second, start_again)] + [follow(opened.good)]
    assert {(page.status, page.body) for page in pages} == {(200, pages[0].body)}
    assert opened.nothing_came()


def test_of_many_valid_responses_at_once_exactly_one_wins(opened: Opened) -> None:
    with ThreadPoolExecutor(16) as pool:
        tabs = [pool.submit(follow, opened.good) for _ in range(16)]
        opened.arrived()
        assert opened.receiver.wait(0.1) is None
        opened.receiver.finish(LoginOutcome(ok=True))
        assert [tab.result(PATIENCE_S).status for tab in tabs] == [200] * 16


@pytest.mark.parametrize("header", ["Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Purpose: prefetch"])
def test_a_prefetch_of_the_callback_never_consumes_the_code(opened: Opened, header: str) -> None:
    reply = visit(opened.good, header)
    assert (reply.status, reply.body) == (503, b"")
    assert opened.nothing_came()
    opened.still_works()


def test_head_of_the_callback_never_consumes_the_code(opened: Opened) -> None:
    reply = visit(opened.good, method="HEAD")
    assert (reply.status, reply.body) == (503, b"")
    opened.still_works()


def test_head_and_prefetch_of_the_start_address_do_nothing(opened: Opened) -> None:
    assert visit(opened.start, method="HEAD").status == 503
    assert visit(opened.start, "Sec-Purpose: prefetch").status == 503
    assert opened.nothing_came()


def test_an_options_preflight_carrying_the_code_never_consumes_it(opened: Opened) -> None:
    reply = visit(
        opened.good,
        "Origin: https://login.example.com",
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Private-Network: true",
        method="OPTIONS",
    )
    assert (reply.status, reply.body) == (405, b"")
    assert reply.headers["allow"] == "GET"
    assert not [name for name in reply.headers if name.startswith("access-control")]
    assert opened.nothing_came()
    opened.still_works()


def test_images_and_fetches_of_a_page_are_refused(opened: Opened) -> None:
    image = visit(opened.good, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", "Sec-Fetch-Site: cross-site")
    fetched = visit(opened.good, "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Origin: https://evil.example")
    framed = visit(opened.good, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")
    assert [(reply.status, reply.body) for reply in (image, fetched, framed)] == [(403, b"")] * 3
    assert opened.nothing_came()
    opened.still_works()


def test_a_navigation_with_fetch_metadata_signs_in(opened: Opened) -> None:
    tab = aside(lambda: follow(opened.good, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"))
    opened.arrived()
    opened.receiver.finish(LoginOutcome(ok=True))
    assert tab.result(PATIENCE_S).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost:{port}", "127.0.0.1", "[::1]:{port}", "127.0.0.1:1"])
def test_a_name_rebound_to_loopback_gets_nothing(opened: Opened, host: str) -> None:
    port = host_of(opened.redirect_uri).rpartition(":")[2]
    reply = visit(opened.good, host=host.format(port=port))
    assert (reply.status, reply.body) == (421, b"")
    assert opened.nothing_came()
    opened.still_works()


def test_an_absolute_target_cannot_get_past_the_host_check(opened: Opened) -> None:
    sent = f"GET {opened.good} HTTP/1.1\r\nHost: {host_of(opened.redirect_uri)}\r\n\r\n"
    assert parse_reply(send(opened.redirect_uri, sent.encode())).status == 400
    assert opened.nothing_came()


def test_a_post_is_refused_where_form_post_was_not_asked_for(opened: Opened) -> None:
    reply = visit(opened.redirect_uri, FORM, method="POST", body=GOOD_FORM)
    assert (reply.status, reply.body) == (405, b"")
    assert opened.nothing_came()
    opened.still_works()


def test_a_posted_form_signs_in_where_it_was_asked_for(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(Loopback(form_post=True))
    tab = aside(
        lambda: follow(
            opened.redirect_uri, FORM, "Origin: https://login.example.com", method="POST", body=GOOD_FORM + b"&iss=a+b"
        )
    )
    event = opened.arrived()
    assert event.parameters == (("code", "the-code"), ("state", STATE), ("iss", "a b"))
    opened.receiver.finish(LoginOutcome(ok=True))
    assert tab.result(PATIENCE_S).status == 200


def test_state_twice_is_not_ours(opened: Opened) -> None:
    assert visit(f"{opened.good}&state={STATE}").status == 400
    assert opened.nothing_came()
    opened.still_works()


def test_a_fragment_response_is_explained(opened: Opened) -> None:
    reply = visit(opened.redirect_uri)
    assert reply.status == 400
    assert "There is no answer in this address" in reply.text
    assert "<script" not in reply.text
    opened.still_works()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GET /callback?" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 431, id="request line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 65 + b"\r\n", 431, id="many headers"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"b" * 40_000 + b"\r\n\r\n", 431, id="long header"),
        pytest.param(b"POST /callback HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70_000, 413, id="body"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"\x00\x01\x02\r\n", 400, id="binary"),
    ],
)
def test_huge_and_broken_requests_are_refused_with_their_status(opened: Opened, sent: bytes, status: int) -> None:
    reply = parse_reply(send(opened.redirect_uri, sent))
    assert (reply.status, reply.body) == (status, b"")
    opened.still_works()


def test_a_preconnect_that_says_nothing_keeps_nobody_waiting(opened: Opened) -> None:
    with connect(opened.redirect_uri):
        began = time.monotonic()
        opened.still_works()
        assert time.monotonic() - began < 2


def test_forty_idle_connections_keep_nobody_waiting(opened: Opened) -> None:
    idle = [connect(opened.redirect_uri) for _ in range(40)]
    began = time.monotonic()
    opened.still_works()
    assert time.monotonic() - began < 2
    for connection in idle:
        connection.close()


def test_a_slow_client_is_let_go_at_an_absolute_deadline(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(limits=Limits(request_seconds=0.4))
    began = time.monotonic()
    with connect(opened.redirect_uri) as connection:
        connection.settimeout(PATIENCE_S)
        with suppress(OSError):  # a reset or a broken pipe, as the system likes
            while time.monotonic() - began < PATIENCE_S:
                connection.sendall(b"A")
                time.sleep(0.02)
        assert time.monotonic() - began < 3
    opened.still_works()


def test_beyond_the_limit_of_connections_all_busy_a_new_one_is_let_go(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(limits=Limits(connections=2))
    tabs = [aside(lambda: follow(opened.good))]
    opened.arrived()
    tabs.append(aside(lambda: visit(opened.good)))
    until(lambda: all(connection.busy for connection in _served(opened)) and len(_served(opened)) == 2)
    with connect(opened.redirect_uri) as third:
        assert third.recv(1) == b""
    opened.receiver.finish(LoginOutcome(ok=True))
    assert tabs[0].result(PATIENCE_S).status == 200


def _served(opened: Opened) -> list[Connection]:
    server = opened.receiver._server
    assert server is not None
    return list(server._served)


def test_a_client_that_goes_away_harms_nobody(opened: Opened) -> None:
    for sent in (b"", b"GET /ca", f"GET /callback?state=x HTTP/1.1\r\nHost: {host_of(opened.good)}\r\n\r\n".encode()):
        connection = connect(opened.redirect_uri)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, not a goodbye
        connection.sendall(sent)
        connection.close()
    opened.still_works()


def test_no_reset_overtakes_the_answer_to_a_client_that_keeps_talking(opened: Opened) -> None:
    with connect(opened.redirect_uri) as connection:
        connection.sendall(b"POST /callback HTTP/1.1\r\nContent-Length: 70000\r\n\r\n")
        time.sleep(0.05)
        connection.sendall(b"a" * 70_000)
        assert parse_reply(read_to_end(connection)).status == 413
