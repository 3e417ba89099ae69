"""Our own addresses, and those a browser may be sent to."""

import pytest

from oidcclient._shell.redirect.addresses import host_addresses, is_safe_to_open, origin


@pytest.mark.parametrize(
    ("scheme", "host", "port", "hosts"),
    [
        ("http", "127.0.0.1", 8000, ["127.0.0.1:8000"]),
        ("http", "::1", 8000, ["[::1]:8000"]),
        ("http", "localhost", 8000, ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"]),
        ("http", "127.0.0.1", 80, ["127.0.0.1:80", "127.0.0.1"]),
        ("https", "127.0.0.1", 443, ["127.0.0.1:443", "127.0.0.1"]),
        ("https", "127.0.0.1", 80, ["127.0.0.1:80"]),
    ],
)
def test_host_is_the_advertised_one_or_a_literal_bound_with_it(
    scheme: str, host: str, port: int, hosts: list[str]
) -> None:
    addresses = host_addresses(scheme, host, port, "/callback")
    assert [name for name, _ in addresses] == hosts
    assert addresses[0][1] == origin(scheme, host, port) + "/callback"


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://login.example.com/authorize?a=b%20c", True),
        ("https://[2001:db8::1]/a", True),
        ("http://127.0.0.1:8000/authorize", True),
        ("http://[::1]:8000/authorize", True),
        ("http://localhost/authorize", True),
        ("http://login.example.com/authorize", False),
        ("http://127.0.0.1.evil.example/", False),
        ("HTTPS://login.example.com/", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("//login.example.com/", False),
        ("https:///authorize", False),
        ("https://[::1/", False),
        ("", False),
        ("https://login.example.com/a\r\nSet-Cookie: a=b", False),
        ("https://login.example.com/a b", False),
        ("https://login.example.com/\u00e9", False),
        ("https:\\\\login.example.com", False),
        ('https://login.example.com/"$(id)"', False),
    ],
)
def test_a_browser_is_only_sent_to_https_or_loopback(address: str, safe: bool) -> None:
    assert is_safe_to_open(address) is safe
