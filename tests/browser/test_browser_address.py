"""Which addresses are handed to a browser."""

from __future__ import annotations

from typing import cast

import pytest

from oidcclient._shell.browser.address import MAX_ADDRESS_CHARACTERS, check_openable
from oidcclient._words.errors import RemoteError, UsageError

GOOD = [
    "https://login.example.com/authorize?client_id=cli&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6e",
    "https://login.example.com",
    "https://login.example.com?client_id=cli",
    "https://login.example.com:8443/$(id)/'a';b",
    "https://[2001:db8::1]/authorize",
    "HTTPS://LOGIN.EXAMPLE.COM/",
    "http://127.0.0.1:51234/start/k3Jt",
    "http://[::1]:51234/start/k3Jt",
    "http://localhost/start/k3Jt",
    "https://example.com/" + "a" * (MAX_ADDRESS_CHARACTERS - 20),
]

BAD = [
    ("https", "http://login.example.com/authorize"),
    ("https", "http://127.0.0.1.example.com/"),
    ("https", "http://localhost.example.com/"),
    ("https", "http://127.1/"),
    ("form", "http://127.0.0.1:80@example.com/"),
    ("form", "https://ann:secret@login.example.com/"),
    ("form", "https://login.example.com@evil.example/"),
    ("form", "https:login.example.com"),
    ("form", "https:///authorize"),
    ("form", "https://ex%61mple.com/"),
    ("form", "https://example.com:port/"),
    ("form", "https://example.com:123456/"),
    ("form", "//login.example.com/"),
    ("form", "file:///etc/passwd"),
    ("form", "javascript:alert(1)"),
    ("form", "ms-settings:about"),
    ("form", "--load-extension=/tmp/x"),
    ("form", "-https://login.example.com/"),
    ("characters", "https://login.example.com/a b"),
    ("characters", " https://login.example.com/"),
    ("characters", "https://login.example.com/\n--flag"),
    ("characters", "https://login.example.com/\n"),
    ("characters", "https://login.example.com/\x1b[31m"),
    ("characters", "https://login.example.com/\x00"),
    ("characters", 'https://login.example.com/"; id; "'),
    ("characters", "https://login.example.com/`id`"),
    ("characters", "https://login.example.com/<b>"),
    ("characters", "https://login.example.com\\@evil.example/"),
    ("characters", "https://login.example.com/%PATH%"),
    ("characters", "https://login.example.com/%s"),
    ("characters", "https://login.example.com/%"),
    ("characters", "https://l\u00f6gin.example.com/"),
    ("characters", "https://login.example.com/\u201c"),
    ("length", "https://example.com/" + "a" * MAX_ADDRESS_CHARACTERS),
]


@pytest.mark.parametrize("address", GOOD, ids=range(len(GOOD)))
def test_an_https_address_or_one_on_loopback_may_be_opened(address: str) -> None:
    check_openable(address)


@pytest.mark.parametrize(("rule", "address"), BAD, ids=range(len(BAD)))
def test_anything_else_is_refused_and_not_repeated(rule: str, address: str) -> None:
    with pytest.raises(RemoteError) as caught:
        check_openable(address)
    assert caught.value.rule == rule
    assert caught.value.section
    assert address not in str(caught.value)


@pytest.mark.parametrize("address", ["", None, b"https://login.example.com/"])
def test_what_is_no_text_is_the_callers_mistake(address: object) -> None:
    with pytest.raises(UsageError):
        check_openable(cast("str", address))  # a caller without a type checker
