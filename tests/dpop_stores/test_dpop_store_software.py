"""Software keys: which are taken, what they sign, and that nothing shows them."""

import copy
import json
import pickle
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import UsageError
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.jose import b64url_decode, b64url_encode
from oidcclient_dpop.stores.software import ALGORITHMS, PrivateKey, SoftwareKey, _raw, from_pem, generate
from oidcclient_dpop.stores.software_forms import LONGEST_TEXT, from_jwk, from_text, to_text
from oidcclient_dpop.stores.verifying import is_signature

RSA_2048 = rsa.generate_private_key(65537, 2048)
RSA_3072 = rsa.generate_private_key(65537, 3072)
SIZES = {"ES256": 64, "ES384": 96, "ES512": 132, "Ed25519": 64, "PS256": 256, "RS256": 256}


def _key(alg: str) -> SoftwareKey:
    return SoftwareKey(RSA_2048, alg) if alg in {"PS256", "RS256"} else generate(alg)


def _private_jwk(key: SoftwareKey) -> dict[str, str]:
    private = key.private_key
    jwk = dict(key.public_jwk())
    if isinstance(private, rsa.RSAPrivateKey):
        n = private.private_numbers()
        members = {"d": n.d, "p": n.p, "q": n.q, "dp": n.dmp1, "dq": n.dmq1, "qi": n.iqmp}
        return jwk | {k: b64url_encode(v.to_bytes((v.bit_length() + 7) // 8, "big")) for k, v in members.items()}
    return jwk | {"d": to_text(key).partition(".")[2]}


def _same(one: SoftwareKey, other: SoftwareKey) -> None:
    assert (one.alg, one.public_jwk()) == (other.alg, other.public_jwk())
    assert is_signature(other.sign(b"m"), b"m", alg=one.alg, jwk=one.public_jwk())


@given(st.sampled_from([32, 48, 66]), st.data())
def test_both_numbers_of_a_signature_stand_in_full_length(size: int, data: st.DataObject) -> None:
    """RFC 7518 section 3.4: leading zeros too, and however short they are."""
    r, s = (data.draw(st.integers(1, bits).flatmap(lambda b: st.integers(1, 2**b - 1))) for bits in [8 * size] * 2)
    assert _raw(encode_dss_signature(r, s), size) == r.to_bytes(size, "big") + s.to_bytes(size, "big")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signatures_have_the_form_of_jws(alg: str) -> None:
    key = _key(alg)
    for turn in range(20):  # some r and s have leading zeros
        message = b"%d" % turn
        signature = key.sign(message)
        assert len(signature) == SIZES[alg]
        assert is_signature(signature, message, alg=alg, jwk=key.public_jwk())
        assert not is_signature(signature, b"other", alg=alg, jwk=key.public_jwk())
    assert not key.blocks
    assert key.protection is Protection.FILE


def test_rsa_keys_are_made() -> None:
    key = generate("PS256", protection=Protection.KEYRING)
    assert key.protection is Protection.KEYRING
    _same(key, from_text(to_text(key), protection=Protection.FILE))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_survives_its_forms(alg: str) -> None:
    key = _key(alg)
    assert len(to_text(key)) <= LONGEST_TEXT
    _same(key, from_text(to_text(key), protection=Protection.FILE))
    _same(key, from_jwk(_private_jwk(key), alg))
    _same(key, from_jwk(_private_jwk(key) | {"alg": alg, "kid": "x", "use": "sig", "key_ops": ["sign"]}))
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        if alg != "Ed25519" or form is PrivateFormat.PKCS8:
            pem = key.private_key.private_bytes(Encoding.PEM, form, NoEncryption())
            _same(key, from_pem(pem, alg))


def test_large_rsa_keys_fit_into_a_keyring() -> None:
    key = SoftwareKey(RSA_3072, "RS256")
    assert len(to_text(key)) <= LONGEST_TEXT
    _same(key, from_text(to_text(key), protection=Protection.FILE))


def test_an_rsa_jwk_needs_only_d() -> None:
    jwk = _private_jwk(SoftwareKey(RSA_2048))
    _same(SoftwareKey(RSA_2048), from_jwk({name: jwk[name] for name in ("kty", "n", "e", "d")}))


def test_the_old_name_of_ed25519_is_known() -> None:
    key = generate("Ed25519")
    _same(key, from_jwk(_private_jwk(key) | {"alg": "EdDSA"}))


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "ES256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES512"),
        (ec.generate_private_key(ec.SECP256R1()), "Ed25519"),
        (ed25519.Ed25519PrivateKey.generate(), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (RSA_2048, "ES256"),
        (RSA_2048, "RS512"),
        (RSA_2048, "none"),
        (ec.generate_private_key(ec.SECP256K1()), None),
        (rsa.generate_private_key(65537, 1024), None),  # noqa: S505 - that is what must be refused
    ],
)
def test_a_key_for_another_algorithm_is_refused(key: PrivateKey, alg: str | None) -> None:
    with pytest.raises(UsageError):
        SoftwareKey(key, alg)


def test_a_key_of_another_kind_is_refused() -> None:
    pem = ed448.Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UsageError):
        from_pem(pem)
    with pytest.raises(UsageError):
        generate("HS256")


def test_pem_files_that_are_no_plain_private_key_are_refused() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    encrypted = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for pem in (encrypted, public, b"", b"nonsense"):
        with pytest.raises(UsageError) as caught:
            from_pem(pem)
        assert caught.value.__context__ is None


def test_jwks_that_do_not_fit_are_refused_and_quoted_nowhere() -> None:
    ec_jwk, other = (_private_jwk(generate("ES256")) for _ in range(2))
    okp = _private_jwk(generate("Ed25519"))
    rsa_jwk = _private_jwk(SoftwareKey(RSA_2048))
    wrong: list[Mapping[str, Any]] = [
        {},
        generate().public_jwk(),
        ec_jwk | {"x": other["x"]},
        okp | {"x": other["x"]},
        rsa_jwk | {"n": other["x"]},
        ec_jwk | {"crv": "P-384"},
        ec_jwk | {"crv": "secp256k1"},
        ec_jwk | {"d": ec_jwk["d"] + "A"},
        ec_jwk | {"d": "A" * 43},
        {**ec_jwk, "d": 7},
        ec_jwk | {"d": "ä"},
        ec_jwk | {"alg": "ES384"},
        ec_jwk | {"use": "enc"},
        {**ec_jwk, "key_ops": ["verify"]},
        {"kty": "oct", "k": "AAAA", "d": "AAAA"},
        rsa_jwk | {"e": "AQ"},
        rsa_jwk | {"n": "AQ" * 2000},
        {name: value for name, value in rsa_jwk.items() if name not in {"p", "q"}} | {"d": "AQAB"},
    ]
    for jwk in wrong:
        with pytest.raises(UsageError) as caught:
            from_jwk(jwk)
        assert caught.value.__context__ is None
        assert str(jwk.get("d", "?")) not in f"{caught.value} {caught.value.expected} {caught.value.received}"
    with pytest.raises(UsageError):
        from_jwk(ec_jwk | {"alg": "ES256"}, "ES384")


@given(
    st.one_of(
        st.text(max_size=60), st.builds("{}.{}".format, st.sampled_from(ALGORITHMS), st.text("Ab-_", max_size=90))
    )
)
def test_no_text_is_a_key_by_accident(text: str) -> None:
    try:
        key = from_text(text, protection=Protection.FILE)
    except (ValueError, UsageError):
        return
    assert to_text(key) == text


@given(st.binary(max_size=40))
def test_base64url_is_read_in_one_way_only(data: bytes) -> None:
    text = b64url_encode(data)
    assert b64url_decode(text) == data
    for wrong in (text + "=", text + "\n", text + "+"):
        with pytest.raises(ValueError, match="base64url"):
            b64url_decode(wrong)


def test_spare_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="base64url"):
        b64url_decode("AB")
    with pytest.raises(ValueError, match="base64url"):
        b64url_decode("A")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_nothing_shows_or_copies_a_key(alg: str) -> None:
    key = _key(alg)
    secret = to_text(key).partition(".")[2]
    assert secret not in f"{key!r} {key} {vars(type(key)).keys()}"
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(key)
    members = key.public_jwk()
    assert isinstance(members, dict)
    members["x"] = "changed"
    assert key.public_jwk() != members
    assert "d" not in json.dumps(dict(key.public_jwk())).split('"')


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_threads_share_a_key(alg: str) -> None:
    key = _key(alg)
    bad: list[int] = []

    def work(number: int) -> None:
        message = b"%d" % number
        signatures = [key.sign(message) for _ in range(10)]
        bad.extend(number for s in signatures if not is_signature(s, message, alg=alg, jwk=key.public_jwk()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bad == []


def test_what_is_no_signature_is_none() -> None:
    key = generate("ES256")
    jwk = key.public_jwk()
    assert not is_signature(b"", b"m", alg="ES256", jwk=jwk)
    assert not is_signature(bytes(64), b"m", alg="ES256", jwk=jwk)
    assert not is_signature(key.sign(b"m"), b"m", alg="ES384", jwk=jwk)
    assert not is_signature(key.sign(b"m"), b"m", alg="Ed25519", jwk=jwk)
    assert not is_signature(key.sign(b"m"), b"m", alg="RS256", jwk=jwk)
    assert not is_signature(key.sign(b"m"), b"m", alg="none", jwk=jwk)
    assert not is_signature(key.sign(b"m"), b"m", alg="ES256", jwk={})
