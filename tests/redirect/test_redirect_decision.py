"""The decision: what each request does to the wait, without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient._shell.redirect.decision import (
    Accept,
    AwaitResult,
    Decision,
    Empty,
    Expected,
    NoAnswer,
    NotOurs,
    ServeDone,
    ServeStart,
    decide,
)
from oidcclient._shell.redirect.wire import Request, RequestParser

HOST = "127.0.0.1:5"


REDIRECT_URI = "http://127.0.0.1:5/callback"


FORM = (("content-type", "application/x-www-form-urlencoded"),)


GOOD = "code=c&state=ours"


def expected(*, form_post: bool = False) -> Expected:
    return Expected(
        state="ours",
        path="/callback",
        addresses=((HOST, REDIRECT_URI),),
        form_post=form_post,
        start_path="/start/random",
        done_path="/done/random",
    )


def decided(
    path: str = "/callback",
    query: str | None = GOOD,
    *headers: tuple[str, str],
    method: str = "GET",
    host: str = HOST,
    body: bytes = b"",
    form_post: bool = False,
    accepted: bool = False,
) -> Decision:
    request = Request(method, path, query, (("host", host), *headers), body)
    return decide(request, expected(form_post=form_post), accepted=accepted)


ACCEPTED = Accept((("code", "c"), ("state", "ours")), REDIRECT_URI)


def test_a_response_with_our_state_is_accepted_with_every_parameter_in_order() -> None:
    assert decided() == ACCEPTED
    doubled = decided(query="code=1&code=2&state=ours&iss=a&iss=b&error=x")
    assert isinstance(doubled, Accept)  # the flow refuses duplicates of all but state
    assert [name for name, _ in doubled.parameters] == ["code", "code", "state", "iss", "iss", "error"]


def test_a_response_after_the_first_gets_the_same_result_and_no_second_exchange() -> None:
    assert decided(accepted=True) == AwaitResult()
    assert decided(query="code=other&state=ours", accepted=True) == AwaitResult()


@pytest.mark.parametrize(
    "query",
    [
        "code=c",
        "code=c&state=",
        "code=c&state=other",
        "code=c&state=ours%20",
        "code=c&state=OURS",
        "code=c&state=ours&state=ours",
        "code=c&state=ours&state=other",
        "code=c&state=%C3%A9",
        "error=access_denied",
        "error=access_denied&state=other",
    ],
)
@pytest.mark.parametrize("accepted", [False, True])
def test_a_wrong_or_missing_state_is_not_ours_whatever_else_is_said(query: str, accepted: bool) -> None:
    assert decided(query=query, accepted=accepted) == NotOurs("state")


@pytest.mark.parametrize("query", ["state=ours&code=%", "state=ours&code=%ff", "state=ours&code=%zz"])
def test_a_query_that_cannot_be_decoded_is_not_ours(query: str) -> None:
    assert decided(query=query) == NotOurs("encoding")


@pytest.mark.parametrize("query", [None, ""])
def test_the_redirect_uri_without_a_query_says_that_no_answer_came(query: str | None) -> None:
    assert decided(query=query) == NoAnswer()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/favicon.ico",
        "/robots.txt",
        "/callback/",
        "/Callback",
        "//callback",
        "/%63allback",
        "/callback;a",
        "/.well-known/appspecific/com.chrome.devtools.json",
        "/start/",
        "/start/other",
        "/start/random/",
        "/done/other",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_every_path_but_our_own_is_not_found(path: str, method: str) -> None:
    assert decided(path, method=method, accepted=True) == Empty(404)


def test_the_done_page_exists_only_once_the_response_came() -> None:
    assert decided("/done/random", None) == Empty(404)
    assert decided("/done/random", None, accepted=True) == ServeDone()
    assert decided("/done/random", "wait", accepted=True) == ServeDone(patient=True)


def test_the_start_address_sends_a_browser_on_until_the_response_came() -> None:
    assert decided("/start/random", None) == ServeStart()
    assert decided("/start/random", None, accepted=True) == AwaitResult()


OWN = ["/callback", "/start/random", "/done/random"]


AHEAD = [
    ("sec-purpose", "prefetch"),
    ("sec-purpose", "prefetch;prerender"),
    ("sec-purpose", "Prefetch;anonymous-client-ip"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
]


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("header", AHEAD)
def test_a_prefetch_never_consumes_the_code(path: str, header: tuple[str, str]) -> None:
    assert decided(path, GOOD, header, accepted=path.startswith("/done")) == Empty(503)


@pytest.mark.parametrize("path", OWN)
def test_head_never_consumes_the_code(path: str) -> None:
    assert decided(path, method="HEAD", accepted=path.startswith("/done")) == Empty(503)


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "TRACE", "get"])
def test_a_preflight_or_another_method_never_consumes_the_code(path: str, method: str) -> None:
    assert decided(path, GOOD, ("sec-fetch-mode", "cors"), method=method, accepted=path.startswith("/done")) == Empty(
        405, allow="GET"
    )


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "object")],
        [("sec-fetch-mode", "websocket")],
        [("sec-fetch-dest", "script")],
        [("sec-fetch-mode", "")],
        [("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "cors")],
    ],
)
def test_what_a_page_fetches_is_refused(path: str, headers: list[tuple[str, str]]) -> None:
    assert decided(path, GOOD, *headers, accepted=path.startswith("/done")) == Empty(403)


def test_a_navigation_with_or_without_fetch_metadata_is_served() -> None:
    headers = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-fetch-site", "cross-site")]
    assert decided("/callback", GOOD, *headers) == ACCEPTED
    assert decided("/callback", GOOD, ("purpose", "navigation")) == ACCEPTED


@pytest.mark.parametrize(
    "host", ["", "127.0.0.1", "127.0.0.1:6", "localhost:5", "[::1]:5", "evil.example", "evil.example:5", "127.0.0.1:5."]
)
def test_a_foreign_host_is_refused_before_all_else(host: str) -> None:
    assert decided(host=host) == Empty(421)
    assert decided("/favicon.ico", host=host) == Empty(421)


def test_a_request_without_host_is_refused() -> None:
    assert decide(Request("GET", "/callback", GOOD), expected(), accepted=False) == Empty(400)


def test_a_posted_form_is_accepted_if_form_post_was_asked_for() -> None:
    assert decided("/callback", None, *FORM, method="POST", body=GOOD.encode(), form_post=True) == ACCEPTED
    charset = ("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")
    origin_of_provider = ("origin", "https://login.example.com")
    assert (
        decided("/callback", None, charset, origin_of_provider, method="POST", body=GOOD.encode(), form_post=True)
        == ACCEPTED
    )


def test_a_post_that_nobody_asked_for_is_no_method_of_ours() -> None:
    assert decided("/callback", None, *FORM, method="POST", body=GOOD.encode()) == Empty(405, allow="GET")
    assert decided("/start/random", None, *FORM, method="POST", form_post=True) == Empty(405, allow="GET")


def test_with_form_post_a_query_is_taken_too_for_errors_may_come_so() -> None:
    assert decided(form_post=True) == ACCEPTED
    assert decided(method="PUT", form_post=True) == Empty(405, allow="GET, POST")


@pytest.mark.parametrize(
    ("headers", "query", "body", "decision"),
    [
        ([], None, GOOD, Empty(415)),
        ([("content-type", "text/plain")], None, GOOD, Empty(415)),
        ([("content-type", "multipart/form-data; boundary=a")], None, GOOD, Empty(415)),
        ([*FORM, *FORM], None, GOOD, Empty(415)),
        ([*FORM], GOOD, GOOD, NotOurs("query")),
        ([*FORM], "", GOOD, NotOurs("query")),
        ([*FORM], None, "", NotOurs("state")),
        ([*FORM], None, "state=ours&state=ours", NotOurs("state")),
        ([*FORM], None, "state=ours&code=%", NotOurs("encoding")),
    ],
)
def test_a_posted_form_that_does_not_fit_is_refused(
    headers: list[tuple[str, str]], query: str | None, body: str, decision: Decision
) -> None:
    assert decided("/callback", query, *headers, method="POST", body=body.encode(), form_post=True) == decision


def test_nothing_that_is_decided_shows_a_secret() -> None:
    assert "ours" not in repr(decided()) + repr(expected())
    assert "random" not in repr(expected())


HEADERS = st.lists(
    st.sampled_from(
        [
            b"Host: 127.0.0.1:5",
            b"Host: evil.example",
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Length: 17",
            b"Sec-Fetch-Mode: cors",
            b"Sec-Purpose: prefetch",
            b"Origin: null",
        ]
    ),
    max_size=4,
)


TARGETS = st.one_of(
    st.sampled_from([b"/callback?" + GOOD.encode(), b"/callback", b"/start/random", b"/done/random", b"/"]),
    st.binary(max_size=40).map(lambda query: b"/callback?" + query),
)


@given(st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS"]), TARGETS, HEADERS, st.binary(max_size=17), st.booleans())
def test_whatever_bytes_a_client_sends_nothing_but_a_clean_visit_with_our_state_is_accepted(
    method: bytes, target: bytes, headers: list[bytes], body: bytes, form_post: bool
) -> None:
    sent = b"\r\n".join([method + b" " + target + b" HTTP/1.1", *headers, b"", body or GOOD.encode()])
    request = RequestParser().feed(sent)
    if not isinstance(request, Request):
        return
    decision = decide(request, expected(form_post=form_post), accepted=False)
    if isinstance(decision, Accept):
        assert method == b"GET" or (method == b"POST" and form_post)
        assert headers.count(b"Host: 127.0.0.1:5") == 1
        assert b"Sec-Fetch-Mode: cors" not in headers
        assert b"Sec-Purpose: prefetch" not in headers
        assert [value for name, value in decision.parameters if name == "state"] == ["ours"]
