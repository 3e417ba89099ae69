"""What PKCS#11 lets a token say that SoftHSM never says: against a stand-in."""

from types import SimpleNamespace
from typing import Any

import pytest

from oidcclient import KeyUnavailable
from oidcclient_dpop.keys import Protection

pkcs11 = pytest.importorskip("pkcs11", reason="pip install 'oidcclient-dpop[pkcs11]'")

from oidcclient_dpop.stores import pkcs11_token as border  # noqa: E402 - it needs the package
from oidcclient_dpop.stores.pkcs11_uri import parse_uri  # noqa: E402 - beside it

A = pkcs11.Attribute
URI = parse_uri("pkcs11:token=t;object=o?module-path=/none.so")
POINT = b"\x04" + b"x" * 32 + b"y" * 32
GOOD = {
    A.SENSITIVE: True,
    A.EXTRACTABLE: False,
    A.NEVER_EXTRACTABLE: True,
    A.ALWAYS_AUTHENTICATE: False,
    A.ID: b"",
    A.EC_PARAMS: border.P256_PARAMETERS,
    A.EC_POINT: POINT,
}


class Key(dict[Any, Any]):
    """A key whose token does not know every attribute."""

    key_type = pkcs11.KeyType.EC

    def __missing__(self, attribute: Any) -> Any:
        raise pkcs11.AttributeTypeInvalid


def _slot(flags: Any, mechanism: Any) -> Any:
    def info(_: Any) -> Any:
        if mechanism is None:
            raise pkcs11.MechanismInvalid
        return SimpleNamespace(flags=mechanism)

    return SimpleNamespace(slot=SimpleNamespace(flags=flags, get_mechanism_info=info))


@pytest.mark.parametrize(
    ("slot", "mechanism", "protection"),
    [
        (pkcs11.SlotFlag.HW_SLOT, None, Protection.HARDWARE),
        (pkcs11.SlotFlag(0), pkcs11.MechanismFlag.HW, Protection.HARDWARE),
        (pkcs11.SlotFlag(0), pkcs11.MechanismFlag.SIGN, Protection.ISOLATED),
        (pkcs11.SlotFlag(0), None, Protection.ISOLATED),
    ],
)
def test_contract_a_token_says_whether_it_is_hardware(slot: Any, mechanism: Any, protection: Protection) -> None:
    assert border._protection(_slot(slot, mechanism)) is protection


@pytest.mark.parametrize("point", [POINT, border.OCTET_STRING + POINT])
def test_contract_a_point_has_a_frame_or_none(point: bytes) -> None:
    key = border.Token(URI, None)._checked(Key(GOOD | {A.EC_POINT: point}))
    assert (key.x, key.y) == (b"x" * 32, b"y" * 32)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({A.SENSITIVE: False}, "can be taken out"),
        ({A.EXTRACTABLE: True}, "can be taken out"),
        ({A.EXTRACTABLE: None}, "can be taken out"),
        ({A.NEVER_EXTRACTABLE: False}, "could once"),
        ({A.NEVER_EXTRACTABLE: None}, "could once"),
        ({A.ALWAYS_AUTHENTICATE: True}, "for each signature"),
        ({A.EC_POINT: None}, "no public key"),
        ({A.EC_POINT: POINT[:-1]}, "none for ES256"),
        ({A.EC_POINT: b"\2" + POINT[1:]}, "none for ES256"),
        ({A.EC_PARAMS: b"x"}, "none for ES256"),
    ],
)
def test_contract_what_a_token_does_not_promise_is_refused(changes: dict[Any, Any], words: str) -> None:
    said = {name: value for name, value in (GOOD | changes).items() if name not in changes or value is not None}
    with pytest.raises(KeyUnavailable, match=words):
        border.Token(URI, None)._checked(Key(said))


def test_contract_a_key_of_another_type_is_refused() -> None:
    key = Key(GOOD)
    key.key_type = pkcs11.KeyType.RSA
    with pytest.raises(KeyUnavailable, match="none for ES256"):
        border.Token(URI, None)._checked(key)


def test_contract_a_signature_of_another_length_is_refused() -> None:
    private = SimpleNamespace(sign=lambda *_, **__: b"x" * 70)
    key = border.KeyOnToken(None, private, b"", b"", b"", Protection.HARDWARE)
    with pytest.raises(KeyUnavailable, match="another length"):
        border.Token(URI, None).sign(key, b"m")


def test_contract_a_reader_with_keys_of_its_own_asks_for_the_pin() -> None:
    flags = pkcs11.TokenFlag.LOGIN_REQUIRED | pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH
    token = SimpleNamespace(flags=flags)
    assert border.Token(URI, None)._pin(token) is pkcs11.PROTECTED_AUTH
    assert border.Token(URI, lambda: "1234")._pin(token) == "1234"


def test_contract_a_session_that_ended_is_opened_once_more() -> None:
    token = border.Token(URI, None)
    token.session = SimpleNamespace(close=lambda: None)
    answers = iter([pkcs11.DeviceRemoved, None])

    def action(_: border.Token) -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "done"

    assert token.run(action) == "done"
    assert token.session is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (pkcs11.PinLocked, "locked"),
        (pkcs11.PinIncorrect, "refused the PIN"),
        (pkcs11.DeviceRemoved, "failed .DeviceRemoved."),
    ],
)
def test_contract_what_fails_is_said(error: type[Exception], words: str) -> None:
    def action(_: border.Token) -> None:
        raise error

    with pytest.raises(KeyUnavailable, match=words):
        border.Token(URI, None).run(action)
