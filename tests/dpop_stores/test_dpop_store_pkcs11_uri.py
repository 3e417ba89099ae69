"""PKCS#11 URIs as RFC 7512 has them, and never a PIN where it could be seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import UsageError
from oidcclient_dpop.stores.pkcs11 import Pkcs11Store
from oidcclient_dpop.stores.pkcs11_uri import parse_uri

MODULE = "module-path=/usr/lib/x.so"


def test_attributes_are_decoded() -> None:
    uri = parse_uri(f"pkcs11:token=The%20token;object=k%C3%A4y;id=%01%ff;type=private;x-vendor=a?{MODULE}&x-b=c")
    assert uri.path == {"token": "The token", "object": "käy", "type": "private"}
    assert uri.key_id == b"\x01\xff"
    assert uri.query == {"module-path": "/usr/lib/x.so"}
    assert uri.names_key
    assert parse_uri(uri.without_pin()) == uri
    assert not parse_uri(f"pkcs11:token=a?{MODULE}").names_key
    assert parse_uri("pkcs11:?module-name=opensc-pkcs11").query == {"module-name": "opensc-pkcs11"}


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=a",
        "PKCS11:token=a?" + MODULE,
        "pkcs11:token=a;token=b?" + MODULE,
        "pkcs11:token?" + MODULE,
        "pkcs11:;?" + MODULE,
        "pkcs11:tokens=a?" + MODULE,
        "pkcs11:token=%zz?" + MODULE,
        "pkcs11:token=%ff?" + MODULE,
        "pkcs11:token=%00?" + MODULE,
        "pkcs11:slot-id=1?" + MODULE,
        "pkcs11:type=cert?" + MODULE,
        "pkcs11:?module-path=x.so",
        "pkcs11:?module-name=../x",
        "pkcs11:?module-name=",
        f"pkcs11:?{MODULE}&{MODULE}",
        f"pkcs11:?{MODULE}&pin-source=file:/a&pin-value=made-up",
        f"pkcs11:?{MODULE}&pin-source=|cat&x-a=made-up",
        f"pkcs11:?{MODULE}&pin-source=relative",
        f"pkcs11:?{MODULE}&unknown=made-up",
        f"pkcs11:token={'a' * 5000}?{MODULE}",
    ],
)
def test_a_wrong_uri_is_refused_and_not_quoted(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(uri)
    assert "made-up" not in f"{caught.value} {caught.value.hint} {caught.value.expected} {caught.value.received}"


def test_a_pin_is_shown_nowhere() -> None:
    uri = f"pkcs11:token=a;object=b?{MODULE}&pin-value=made-up"
    store = Pkcs11Store(uri)
    assert "made-up" not in f"{parse_uri(uri)!r} {parse_uri(uri).without_pin()} {store!r} {store.uri} {store.title}"
    assert parse_uri(uri).pin() == "made-up"


@given(st.text(max_size=60))
def test_no_text_is_a_uri_by_accident(text: str) -> None:
    for uri in (text, f"pkcs11:{text}", f"pkcs11:{text}?{MODULE}", f"pkcs11:?{MODULE}&{text}"):
        try:
            parsed = parse_uri(uri)
        except UsageError:
            continue
        assert parse_uri(parsed.without_pin()).path == parsed.path


@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), st.binary(min_size=1))
def test_what_is_written_is_read_again(label: str, key_id: bytes) -> None:
    from urllib.parse import quote  # noqa: PLC0415 - for this alone

    uri = f"pkcs11:object={quote(label, safe='')};id={''.join(f'%{byte:02x}' for byte in key_id)}?{MODULE}"
    if len(uri) <= 4096:
        assert (parse_uri(uri).path, parse_uri(uri).key_id) == ({"object": label}, key_id)
        assert parse_uri(parse_uri(uri).without_pin()) == parse_uri(uri)
