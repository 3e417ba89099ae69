"""Addresses that are the same, and others that only look so (RFC 3986 section 6.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient_dpop.server import ProofRefused, Rule, normal_uri, uris

SAME = {
    "as it is": ("https://a.example/b/c", "https://a.example/b/c"),
    "case of scheme and host": ("HTTPS://A.Example/B", "https://a.example/B"),
    "default port of https": ("https://a.example:443/b", "https://a.example/b"),
    "default port of http": ("http://a.example:80/b", "http://a.example/b"),
    "a port with a zero": ("https://a.example:0443/b", "https://a.example/b"),
    "an empty port": ("https://a.example:/b", "https://a.example/b"),
    "another port stays": ("http://a.example:443/b", "http://a.example:443/b"),
    "empty path": ("https://a.example", "https://a.example/"),
    "empty path and a query": ("https://a.example?x=/../y", "https://a.example/"),
    "fragment": ("https://a.example/b#c?d", "https://a.example/b"),
    "a dot": ("https://a.example/b/./c", "https://a.example/b/c"),
    "two dots": ("https://a.example/b/../c", "https://a.example/c"),
    "two dots too many": ("https://a.example/../../c", "https://a.example/c"),
    "dots at the end": ("https://a.example/b/c/..", "https://a.example/b/"),
    "a dot at the end": ("https://a.example/b/.", "https://a.example/b/"),
    "encoded dots": ("https://a.example/b/%2e%2E/c", "https://a.example/c"),
    "three dots are a name": ("https://a.example/.../c", "https://a.example/.../c"),
    "a name that starts with a dot": ("https://a.example/.well-known/x", "https://a.example/.well-known/x"),
    "two slashes stay": ("https://a.example//b//", "https://a.example//b//"),
    "encoded without need": ("https://a.example/%41%7e%2D", "https://a.example/A~-"),
    "encoded with need, case": ("https://a.example/%2fb%c3%a9", "https://a.example/%2Fb%C3%A9"),
    "encoded once, not twice": ("https://a.example/%252f", "https://a.example/%252f"),
    "an encoding of an encoding of a letter": ("https://a.example/%2541", "https://a.example/%2541"),
    "reserved characters stay": ("https://a.example/a+b;c=d,e@f:g!$&'()*", "https://a.example/a+b;c=d,e@f:g!$&'()*"),
    "an address in brackets": ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
    "loopback": ("http://127.0.0.1:9400/token", "http://127.0.0.1:9400/token"),
    "a lone percent": ("https://a.example/100%", "https://a.example/100%"),
    "an encoded letter in the host": ("https://%41.example/", "https://a.example/"),
    "an at sign in the path": ("https://a.example/@b", "https://a.example/@b"),
}


@pytest.mark.parametrize("name", SAME)
def test_normal_form(name: str) -> None:
    uri, normal = SAME[name]
    assert normal_uri(uri) == normal
    assert normal_uri(normal) == normal


DIFFERENT = [
    ("https://a.example/B", "https://a.example/b"),
    ("https://a.example/b", "https://a.example/b/"),
    ("https://a.example/b", "http://a.example/b"),
    ("https://a.example:8443/", "https://a.example/"),
    ("https://a.example/a/b", "https://a.example/a%2Fb"),
    ("https://a.example/a;b", "https://a.example/a%3Bb"),
    ("https://a.example/%2541", "https://a.example/%41"),
    ("https://a.example./", "https://a.example/"),
    ("https://a.example//b", "https://a.example/b"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_addresses_that_are_not_the_same(one: str, other: str) -> None:
    assert normal_uri(one) != normal_uri(other)


NO_ADDRESS = [
    "",
    "a",
    "/b",
    "//a.example/b",
    "https:a.example",
    "https:///b",
    "https://",
    "https://:443/",
    "https://user@a.example/",
    "https://user:password@a.example/",
    "https://@a.example/",
    "https://a.example@evil.example/",
    "ftp://a.example/",
    "javascript://a.example/",
    "https://a.example:port/",
    "https://a.example:123456/",
    "https://a.example:-1/",
    "https://a:b:c/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]x/",
    "https://[evil]/",
    "https://a.example/b c",
    "https://a.example/b\tc",
    "https://a.example/b\n",
    "\nhttps://a.example/",
    " https://a.example/",
    "https://a.example/\\b",
    "https://a.example\\@evil.example/",
    "https://a.example/é",
    "https://bücher.example/",
    "https://a.example/\x00",
    "https://a.example/\ud800",
    'https://a.example/"',
    "https://a.example/{b}",
    "ＨＴＴＰＳ://a.example/",  # noqa: RUF001 - fullwidth letters on purpose
]


@pytest.mark.parametrize("uri", NO_ADDRESS)
def test_what_is_no_web_address_is_refused(uri: str) -> None:
    with pytest.raises(ProofRefused) as caught:
        normal_uri(uri)
    assert caught.value.rule is Rule.HTU


PATHS = st.text("aB./%2eEfF~-_:@+;=", max_size=24)


@given(PATHS)
def test_a_normal_form_stays_as_it_is(path: str) -> None:
    normal = normal_uri(f"https://a.example/{path}")
    assert normal_uri(normal) == normal
    assert "/../" not in normal
    assert "/./" not in normal


@given(st.from_regex(r"https?://[a-z.:0-9]{1,12}(/[A-Za-z0-9._~%:@-]{0,4}){0,4}", fullmatch=True))
def test_what_is_normal_at_a_glance_is_so_when_looked_at_closely(uri: str) -> None:
    if uris._NORMAL.fullmatch(uri):
        assert uris._normalised(uri) == uri


@given(st.text(max_size=40) | st.from_regex(r"https?://[!-~]{0,30}", fullmatch=True))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        normal = normal_uri(text)
    except ProofRefused as error:
        assert error.rule is Rule.HTU  # noqa: PT017 - either is right
    else:
        assert normal.startswith(("http://", "https://"))
        assert not set(normal) & set("?# @" if "@" not in text else "?# ")
