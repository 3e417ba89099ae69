"""The request parser: tables of bytes and what they make, and whatever hypothesis thinks of."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient._shell.redirect.forms import FIELDS, parse_form
from oidcclient._shell.redirect.wire import (
    BODY_BYTES,
    HEAD_BYTES,
    HEADER_FIELDS,
    LINE_BYTES,
    NeedMore,
    Refused,
    Request,
    RequestParser,
    TlsHello,
)

HEAD = b"GET /callback?code=1&state=2 HTTP/1.1\r\nHost: 127.0.0.1:5\r\n"


def parsed(*pieces: bytes) -> NeedMore | Refused | Request | TlsHello:
    parser = RequestParser()
    result: NeedMore | Refused | Request | TlsHello = NeedMore()
    for piece in pieces:
        result = parser.feed(piece)
    return result


def line(length: int) -> bytes:
    """Return a request line of so many bytes, its CRLF included."""
    around = len(b"GET / HTTP/1.1\r\n")
    return b"GET /" + b"a" * (length - around) + b" HTTP/1.1\r\n"


def filled(length: int) -> bytes:
    """Return a whole head of so many bytes."""
    start = b"GET / HTTP/1.1\r\nA: "
    return start + b"b" * (length - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "request_"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Request("GET", "/")),
        (b"GET / HTTP/1.0\r\n\r\n", Request("GET", "/")),
        (b"OPTIONS /a HTTP/1.1\r\n\r\n", Request("OPTIONS", "/a")),
        (b"GET /a? HTTP/1.1\r\n\r\n", Request("GET", "/a", "")),
        (b"GET /a?b=c?d HTTP/1.1\r\n\r\n", Request("GET", "/a", "b=c?d")),
        (b"GET //a HTTP/1.1\r\n\r\n", Request("GET", "//a")),
        (b"GET /%zz HTTP/1.1\r\n\r\n", Request("GET", "/%zz")),
        (b"GET / HTTP/1.1\r\nX-A:\t b c \t\r\n\r\n", Request("GET", "/", None, (("x-a", "b c"),))),
        (b"GET / HTTP/1.1\r\nA:\r\n\r\n", Request("GET", "/", None, (("a", ""),))),
        (b"GET / HTTP/1.1\r\nA: \xe9\r\n\r\n", Request("GET", "/", None, (("a", "\xe9"),))),
        (b"GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n", Request("GET", "/", None, (("a", "1"), ("a", "2")))),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b",
            Request("POST", "/", None, (("content-length", "3"),), b"a=b"),
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            Request("POST", "/", None, (("content-length", "0"),)),
        ),
        (b"GET / HTTP/1.1\r\n\r\nGET /again HTTP/1.1\r\n\r\n", Request("GET", "/")),
        (b"GET / HTTP/1.1\r\n\r\n\x00\n", Request("GET", "/")),
    ],
)
def test_a_well_formed_request_is_parsed(sent: bytes, request_: Request) -> None:
    assert parsed(sent) == request_


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\n\n", 400, id="bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\n\r\n", 400, id="bare LF after a field"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400, id="bare CR"),
        pytest.param(b"\n", 400, id="LF first"),
        pytest.param(b"\r\n", 400, id="empty line first"),
        pytest.param(b"GET /\x00 HTTP/1.1", 400, id="NUL, before the line is complete"),
        pytest.param(b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n", 400, id="NUL in a value"),
        pytest.param(b"GET / HTTP/1.1\r\nA: \x1b\r\n\r\n", 400, id="control character in a value"),
        pytest.param(b"GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", 400, id="DEL in a value"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, id="obs-fold"),
        pytest.param(b"GET / HTTP/1.1\r\n A: b\r\n\r\n", 400, id="white space before the first field"),
        pytest.param(b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400, id="white space before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nA\r\n\r\n", 400, id="no colon"),
        pytest.param(b"GET / HTTP/1.1\r\n: b\r\n\r\n", 400, id="no name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, id="Host twice"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, id="length twice"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", 400, id="length as a list"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400, id="signed length"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\na", 400, id="length as Python writes it"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\na", 400, id="empty length"),
        pytest.param("POST / HTTP/1.1\r\nContent-Length: \u00b2\r\n\r\na".encode("latin-1"), 400, id="superscript"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="Transfer-Encoding"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: identity\r\n\r\na", 400, id="both lengths"
        ),
        pytest.param(b"POST / HTTP/1.1\r\n\r\n", 411, id="POST without a length"),
        pytest.param(b"GET http://127.0.0.1:5/callback HTTP/1.1\r\n\r\n", 400, id="absolute-form"),
        pytest.param(b"CONNECT 127.0.0.1:5 HTTP/1.1\r\n\r\n", 400, id="authority-form"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\n\r\n", 400, id="asterisk-form"),
        pytest.param(b"GET /#a HTTP/1.1\r\n\r\n", 400, id="fragment"),
        pytest.param(b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", 400, id="bytes above ASCII in the target"),
        pytest.param(b"GET /a b HTTP/1.1\r\n\r\n", 400, id="space in the target"),
        pytest.param(b"GET  / HTTP/1.1\r\n\r\n", 400, id="two spaces"),
        pytest.param(b"G(T / HTTP/1.1\r\n\r\n", 400, id="method is no token"),
        pytest.param(b"GET /\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"GET / http/1.1\r\n\r\n", 400, id="version in lower case"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="HTTP/2"),
        pytest.param(b"GET / HTTP/1.2\r\n\r\n", 505, id="HTTP/1.2"),
    ],
)
def test_what_is_no_request_is_refused(sent: bytes, status: int) -> None:
    assert parsed(sent) == Refused(status)
    assert parsed(*(bytes([byte]) for byte in sent)) == Refused(status)


@pytest.mark.parametrize(
    "sent", [b"", b"GET", HEAD, HEAD + b"\r", b"GET / HTTP/1.1\r", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na="]
)
def test_an_incomplete_request_wants_more(sent: bytes) -> None:
    assert parsed(sent) == NeedMore()


@pytest.mark.parametrize(
    ("sent", "result"),
    [
        (line(LINE_BYTES) + b"\r\n", Request),
        (line(LINE_BYTES + 1), Refused(431)),
        (line(LINE_BYTES + 1)[:-2], NeedMore),
        (line(LINE_BYTES + 1)[:-1], NeedMore),
        (b"GET /" + b"a" * LINE_BYTES, Refused(431)),
        (filled(HEAD_BYTES), Request),
        (filled(HEAD_BYTES + 1), Refused(431)),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES, Refused(431)),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * HEADER_FIELDS + b"\r\n", Request),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (HEADER_FIELDS + 1), Refused(431)),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES + b"a" * BODY_BYTES, Request),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1), Refused(413)),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", Refused(413)),
        (b"POST / HTTP/1.1\r\nContent-Length: 00000000001\r\n\r\na", Refused(413)),
    ],
)
def test_huge_requests_are_refused_at_the_limit(sent: bytes, result: object) -> None:
    assert parsed(sent) == result or type(parsed(sent)) is result


def test_a_tls_client_hello_is_recognised_by_its_first_byte() -> None:
    assert parsed(b"\x16") == TlsHello()
    assert parsed(b"\x16\x03\x01\x02\x00\x01") == TlsHello()
    assert parsed(b"GET /\x16 HTTP/1.1\r\n\r\n") == Refused(400)


def test_the_first_result_stands() -> None:
    parser = RequestParser()
    assert parser.feed(b"\n") == Refused(400)
    assert parser.feed(b"GET / HTTP/1.1\r\n\r\n") == Refused(400)


def test_a_request_hides_its_secrets() -> None:
    shown = repr(Request("POST", "/callback", "code=secret", (("cookie", "secret"),), b"code=secret"))
    assert "secret" not in shown


def test_white_space_without_end_is_parsed_in_no_time() -> None:
    sent = b"GET / HTTP/1.1\r\nA: b" + b" " * (HEAD_BYTES - 100) + b"\x01\r\n\r\n"
    assert parsed(*(sent[at : at + 7] for at in range(0, len(sent), 7))) == Refused(400)


@pytest.mark.parametrize(
    ("encoded", "fields"),
    [
        (b"", ()),
        (b"&&", ()),
        (b"a", (("a", ""),)),
        (b"=b", (("", "b"),)),
        (b"a=b=c", (("a", "b=c"),)),
        (b"a=b+c%20d%2B", (("a", "b c d+"),)),
        (b"a=1&a=2", (("a", "1"), ("a", "2"))),
        (b"%61=%C3%A9", (("a", "é"),)),
        (b"a=%00", (("a", "\x00"),)),
        (b"&".join([b"a=b"] * FIELDS), (("a", "b"),) * FIELDS),
        (b"&" * 200 + b"a=b", (("a", "b"),)),
        (b"&".join([b"a=b"] * (FIELDS + 1)), None),
        (b"a=%", None),
        (b"a=%4", None),
        (b"a=%zz", None),
        (b"a=%\xc3\xa9", None),
        (b"a=%C3", None),  # half a character
        (b"a=%ED%A0%80", None),  # a surrogate
        (b"a=%C0%80", None),  # overlong
        (b"a=b c", None),
        (b"a=\xc3\xa9", None),
        (b"a=b\r\n", None),
        (b"a=\x00", None),
    ],
)
def test_forms_are_decoded_strictly(encoded: bytes, fields: object) -> None:
    assert parse_form(encoded) == fields


FRAGMENTS = st.sampled_from(
    [
        b"GET ",
        b"POST ",
        b"/callback",
        b"?code=1&state=",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Host: 127.0.0.1:5\r\n",
        b"Content-Length: 7\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Type: application/x-www-form-urlencoded\r\n",
        b"Sec-Purpose: prefetch\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b":",
        b"%",
        b"\x00",
        b"\x16",
        b"state=a",
        b"a" * 5000,
    ]
)
SENT = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(FRAGMENTS, st.binary(max_size=8)), max_size=20).map(b"".join)
)


@given(SENT, st.lists(st.integers(min_value=0, max_value=400), max_size=6))
def test_whatever_bytes_a_client_sends_are_parsed_or_refused_however_they_are_cut(sent: bytes, cuts: list[int]) -> None:
    at_once = parsed(sent)
    assert isinstance(at_once, NeedMore | Refused | Request | TlsHello)
    edges = [0, *sorted(cuts), len(sent)]
    assert parsed(*(sent[start:end] for start, end in pairwise(edges))) == at_once
    assert parsed(*(bytes([byte]) for byte in sent)) == at_once


@given(st.one_of(st.binary(max_size=60), st.text(alphabet="a=&%+C3A9é\x00", max_size=30).map(str.encode)))
def test_whatever_a_form_holds_is_decoded_or_refused(encoded: bytes) -> None:
    fields = parse_form(encoded)
    assert fields is None or all(isinstance(text, str) for pair in fields for text in pair)
