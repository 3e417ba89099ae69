"""Which addresses of a provider may be used."""

import pytest

from oidcclient import DiscoveryRefused, Policy, UsageError
from oidcclient.protocol import check_endpoint, check_issuer, is_loopback, origin, redirect_target
from tests.protocol.examples import ISSUER, POLICY, refused

HTTP_LOOPBACK = Policy(allow_http_loopback=True)
LOCAL = "http://127.0.0.1:8080"

BAD_ADDRESSES = [
    ("is not https", "http://login.example.com"),
    ("is not https", "ftp://login.example.com"),
    ("is not https", "javascript://login.example.com"),
    ("is not an absolute URL", "login.example.com"),
    ("is not an absolute URL", "/authorize"),
    ("is not an absolute URL", "https://"),
    ("is not an absolute URL", "https:login.example.com"),
    ("is not an absolute URL", ""),
    ("is not an absolute URL", "https://login.example.com:port"),
    ("is not an absolute URL", "https://login.example.com:65536"),
    ("is not an absolute URL", "https://[::1"),
    ("is not an absolute URL", "https://[login.example.com]"),
    ("is not an absolute URL", "https://login.example.com/a b"),
    ("is not an absolute URL", "https://login.example.com/\r\nX: y"),
    ("is not an absolute URL", "https://login.example.com/\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ("is not an absolute URL", "https://login.example.com\\@evil.example"),
    ("is not an absolute URL", "https://login.example.com/" + "a" * 8192),
    ("holds a user name or password", "https://login.example.com@evil.example"),
    ("holds a user name or password", "https://ann:pw@login.example.com"),
    ("holds a fragment", "https://login.example.com/#"),
    ("holds a fragment", "https://login.example.com/#part"),
]


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("localhost", True),
        ("128.0.0.1", False),
        ("::2", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("2130706433", False),
        ("", False),
        (None, False),
    ],
)
def test_only_loopback_literals_and_localhost_name_this_machine(host: str | None, ours: bool) -> None:
    """RFC 8252 section 7.3."""
    assert is_loopback(host) is ours


@pytest.mark.parametrize(("fault", "address"), [*BAD_ADDRESSES, ("holds a query", f"{ISSUER}?tenant=1")])
def test_an_issuer_that_is_no_plain_https_url_is_refused(fault: str, address: str) -> None:
    """RFC 8414 section 2, OIDC Core section 2."""
    with refused(UsageError, "issuer", "RFC 8414 section 2") as caught:
        check_issuer(address, POLICY)
    assert fault in str(caught[0])


@pytest.mark.parametrize(
    "address", [ISSUER, f"{ISSUER}/", f"{ISSUER}:8443/tenant", "https://[::1]:1/a", f"{ISSUER}/{'a' * 8166}"]
)
def test_an_https_issuer_is_accepted(address: str) -> None:
    check_issuer(address, POLICY)


@pytest.mark.parametrize(("fault", "address"), BAD_ADDRESSES)
def test_an_endpoint_that_is_not_https_is_refused(fault: str, address: str) -> None:
    """RFC 8414 section 2, OIDC Discovery section 3, RFC 9126 section 2."""
    with refused(DiscoveryRefused, "token_endpoint", "RFC 8414 section 2") as caught:
        check_endpoint("token_endpoint", address, issuer=ISSUER, policy=POLICY)
    assert fault in str(caught[0])


@pytest.mark.parametrize("address", [None, 5, True, ["https://login.example.com"], {}, b"https://a.example"])
def test_an_endpoint_that_is_no_text_is_refused(address: object) -> None:
    with refused(DiscoveryRefused, "token_endpoint"):
        check_endpoint("token_endpoint", address, issuer=ISSUER, policy=POLICY)


def test_an_endpoint_may_have_a_query_of_its_own() -> None:
    """RFC 6749 section 3.1."""
    address = f"{ISSUER}/authorize?policy=b2c"
    assert check_endpoint("authorization_endpoint", address, issuer=ISSUER, policy=POLICY) == address


def test_plain_http_on_loopback_is_refused_without_the_named_exception() -> None:
    """RFC 8414 section 2; the exception is ours and its hint names it."""
    with refused(UsageError, "issuer") as caught:
        check_issuer(LOCAL, POLICY)
    assert "allow_http_loopback" in caught[0].hint
    for address in ("http://login.example.com", f"{LOCAL}?a"):  # there the exception would not help
        with refused(UsageError, "issuer") as caught:
            check_issuer(address, POLICY)
        assert "allow_http_loopback" not in caught[0].hint
    with refused(DiscoveryRefused, "token_endpoint"):
        check_endpoint("token_endpoint", f"{LOCAL}/token", issuer=LOCAL, policy=POLICY)


def test_the_named_exception_covers_loopback_alone() -> None:
    check_issuer(LOCAL, HTTP_LOOPBACK)
    check_issuer("http://[::1]:5/a", HTTP_LOOPBACK)
    with refused(UsageError, "issuer"):
        check_issuer("ftp://127.0.0.1", HTTP_LOOPBACK)
    with refused(UsageError, "issuer"):
        check_issuer("http://login.example.com", HTTP_LOOPBACK)
    with refused(DiscoveryRefused, "token_endpoint"):
        check_endpoint("token_endpoint", "http://login.example.com/token", issuer=LOCAL, policy=HTTP_LOOPBACK)
    assert check_endpoint("token_endpoint", f"{LOCAL}/token", issuer=LOCAL, policy=HTTP_LOOPBACK) == f"{LOCAL}/token"


def test_an_https_issuer_never_leads_to_plain_http_on_this_machine() -> None:
    """RFC 8414 section 2: with the exception on, a provider elsewhere cannot aim requests at local services."""
    with refused(DiscoveryRefused, "jwks_uri"):
        check_endpoint("jwks_uri", f"{LOCAL}/keys", issuer=ISSUER, policy=HTTP_LOOPBACK)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example/x?y", ("https", "a.example", 443)),
        ("HTTPS://A.Example:8443/", ("https", "a.example", 8443)),
        ("http://[::1]/", ("http", "::1", 80)),
        ("other:thing", ("other", "", None)),
    ],
)
def test_an_origin_is_scheme_host_and_port(address: str, expected: tuple[str, str, int | None]) -> None:
    """RFC 6454 section 4."""
    assert origin(address) == expected


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (
            "https://id.example.net/.well-known/openid-configuration",
            "https://id.example.net/.well-known/openid-configuration",
        ),
        ("/other", f"{ISSUER}/other"),
        ("other?x=1", f"{ISSUER}/a/other?x=1"),
        ("//id.example.net/b", "https://id.example.net/b"),
    ],
)
def test_a_redirect_of_metadata_that_stays_with_https_is_followed(location: str, target: str) -> None:
    found = redirect_target("metadata", f"{ISSUER}/a/b", location, issuer=ISSUER, policy=POLICY)
    assert found == target


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "http://login.example.com/",
        "file:///etc/passwd",
        "https://[::1",
        "https://ann@login.example.com/",
        "https://login.example.com:port/",
        "#fragment",
        "\N{SNOWMAN}",
        "https://login.example.com/\x00",
    ],
)
def test_a_redirect_of_metadata_to_another_scheme_or_nowhere_is_refused(location: str | None) -> None:
    """RFC 8414 section 6.1."""
    with refused(DiscoveryRefused):
        redirect_target("metadata", f"{ISSUER}/a", location, issuer=ISSUER, policy=POLICY)


def test_a_redirect_from_plain_http_on_loopback_to_https_is_refused_too() -> None:
    with refused(DiscoveryRefused, "redirect"):
        redirect_target("metadata", f"{LOCAL}/a", f"{ISSUER}/a", issuer=LOCAL, policy=HTTP_LOOPBACK)
