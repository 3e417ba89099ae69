"""Which keys a verifier remembers, and for how long: a header may be there once its key has signed a proof."""

from typing import Any

import pytest

from oidcclient_dpop.server import ProofVerifier, Rule, verifier
from tests.dpop_server.proofs import ClientKey, claims_of, header_of, new_key, part, seal
from tests.dpop_server.verifying import NOW, URL, good, refused, verify


def remembered(rules: ProofVerifier) -> set[str]:
    """Return the headers, whose translation is undone."""
    return {header.decode().replace("+", "-").replace("/", "_") for header in {*rules._keys._new, *rules._keys._old}}


def test_only_keys_whose_proofs_verified_are_remembered() -> None:
    rules = ProofVerifier()
    keys = [new_key() for _ in range(3)]
    for one in keys:
        refused(good(one)[:-4] + "AAAA", rules=rules)
    assert not remembered(rules)
    for one in keys:
        verify(good(one), rules=rules)
    assert remembered(rules) == {part(header_of(one)) for one in keys}
    text, _, _ = good(keys[0]).rpartition(".")
    assert refused(f"{text}.{'A' * 86}", rules=rules).rule is Rule.SIGNATURE, "a known key excuses nothing"


def test_a_bounded_number_of_keys_is_remembered_and_those_in_use_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "KEPT_KEYS", 4)
    read: list[str] = []
    reader = verifier._key_reader()

    def counting(alg: str, jwk: Any) -> Any:
        read.append(jwk["x"])
        return reader(alg, jwk)

    monkeypatch.setattr(verifier, "_key_reader", lambda: counting)
    rules = ProofVerifier()
    often = new_key()
    for _ in range(10):
        verify(good(new_key()), rules=rules)
        verify(good(often), rules=rules)
        assert len(remembered(rules)) <= 4
        assert part(header_of(often)) in remembered(rules)
    assert read.count(often.jwk["x"]) == 1


def test_keys_that_are_known_push_no_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "KEPT_KEYS", 4)
    rules = ProofVerifier()
    keys = [new_key() for _ in range(4)]
    for one in keys:
        verify(good(one), rules=rules)
    for _ in range(3):
        verify(good(keys[3]), rules=rules)
    assert remembered(rules) == {part(header_of(one)) for one in keys}


def test_a_large_header_is_verified_and_not_remembered(key: ClientKey) -> None:
    rules = ProofVerifier()
    proof = seal(key, header_of(key, more="x" * 2_048), claims_of("GET", URL, iat=NOW))
    assert verify(proof, rules=rules).jkt == key.jkt
    assert not remembered(rules)
