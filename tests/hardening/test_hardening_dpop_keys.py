"""Found in review of the DPoP client: keys and key stores of somebody else's."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP, Protection, SigningKey, proof
from oidcclient_dpop.stores import SoftwareKey, generate
from tests.dpop.conftest import SignIn, seen, sign_in
from tests.dpop.test_dpop_client import me
from tests.dpop.test_dpop_hook import Kind, answer, perform, reopened
from tests.hardening.test_hardening_dpop import begun

__all__ = ["seen", "sign_in"]  # fixtures are found by their names


def head_of(proof: str | None) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(base64.urlsafe_b64decode((proof or "").split(".")[0] + "=="))
    return head


class Telling:
    """A key of the program's own that tells too much: a whole JWK, with what is nobody's business."""

    blocks = False
    protection = Protection.FILE
    alg = "ES256"

    def __init__(self) -> None:
        self.inner = generate("ES256")

    def public_jwk(self) -> Mapping[str, str]:
        return {**self.inner.public_jwk(), "d": "the-secret", "kid": "1", "use": "sig", "alg": "ES256"}

    def sign(self, message: bytes) -> bytes:
        return self.inner.sign(message)


def test_a_proof_shows_the_required_members_of_a_key_alone() -> None:
    """RFC 9449 section 4.2: the jwk "MUST NOT contain a private key"; whatever a key of somebody else tells."""
    key = Telling()
    bench = begun(DPoP(key=key))
    bench.run(Kind.RESOURCE, answer())
    for made in (bench.sent[0][0].header("DPoP"), proof(key, "GET", "https://api.example.com/")):
        assert head_of(made)["jwk"] == key.inner.public_jwk()


@pytest.mark.parametrize(
    ("supported", "named"), [(["EdDSA"], "EdDSA"), (["Ed25519"], "Ed25519"), (["EdDSA", "Ed25519"], "Ed25519")]
)
def test_an_algorithm_with_two_names_is_called_as_the_provider_calls_it(supported: list[str], named: str) -> None:
    """RFC 9864 section 2.2: who lists EdDSA alone does not know Ed25519."""
    bench = begun(DPoP(key=generate("Ed25519")), dpop_signing_alg_values_supported=supported)
    bench.run(Kind.RESOURCE, answer())
    assert head_of(bench.sent[0][0].header("DPoP"))["alg"] == named
    again = reopened(bench, bench.hook)
    again.run(Kind.RESOURCE, answer())
    assert head_of(again.sent[0][0].header("DPoP"))["alg"] == named


class Slots:
    """A store of somebody else's that numbers its keys, as tokens with slots do."""

    protection = Protection.ISOLATED
    title = "slots"

    def __init__(self, uri: str = "slots:a") -> None:
        self.uri = uri
        self.keys: dict[str, SoftwareKey] = {}
        self.deleted: list[str] = []

    def probe(self) -> str | None:
        return None

    def algorithms(self) -> tuple[str, ...]:
        return ("ES256",)

    def create(self, alg: str) -> tuple[SigningKey, str]:
        handle = str(len(self.keys))
        self.keys[handle] = generate(alg, protection=self.protection)
        return self.keys[handle], handle

    def load(self, handle: str) -> SigningKey:
        if handle not in self.keys:
            raise oidcclient.KeyLost("no such slot")
        return self.keys[handle]

    def delete(self, handle: str) -> None:
        self.deleted.append(handle)


def test_a_key_is_deleted_in_its_own_store_alone(tmp_path: Path) -> None:
    """A handle means something in the store that made it, and something else in another one."""
    folder = tmp_path / "keys"
    old = begun(DPoP(store=f"file:{folder}"))
    other = Slots()
    perform(DPoP(store=other).forget(old.context.state))
    assert other.deleted == []
    assert not list(folder.iterdir())
    mine = begun(DPoP(store=other))
    perform(DPoP(store=other).forget(mine.context.state))
    assert other.deleted == ["0"]


def test_a_session_goes_on_in_the_store_that_it_names_whatever_the_program_names_now(tmp_path: Path) -> None:
    old = begun(DPoP(store=f"file:{tmp_path}"))
    assert reopened(old, DPoP(store=Slots())).run(Kind.RESOURCE, answer()).status == 200


def test_what_a_store_of_somebody_else_says_of_a_key_is_passed_on() -> None:
    hook = DPoP(store=Slots())
    with pytest.raises(oidcclient.KeyLost, match="no such slot"):
        reopened(begun(hook), hook, handle="9").run(Kind.RESOURCE)


def test_a_key_of_the_programs_own_that_the_provider_cannot_check_is_refused_before_anything_is_opened() -> None:
    """RFC 9449 section 5.1."""
    with pytest.raises(oidcclient.DiscoveryRefused):
        begun(DPoP(key=generate("ES384")))


class Broken(Slots):
    """A store whose calls raise what its library raises."""

    def delete(self, handle: str) -> None:
        raise RuntimeError("the device is on fire")


def test_an_old_key_that_cannot_be_removed_costs_no_sign_in(
    sign_in: SignIn,
    oidc_provider: Provider,
    seen: list[Any],
) -> None:
    """The new session is saved by then: its key must stay, whatever a store of somebody else raises."""
    keys = Broken()
    store = oidcclient.MemoryStore()
    hook = DPoP(store=keys)
    sign_in(hook, store=store)
    session = sign_in(hook, store=store)
    assert me(session, oidc_provider).status_code == 200
    assert any(getattr(event, "text", "").startswith("What dpop kept") for event in seen)
    session.logout()


class Lying(Slots):
    """A store that makes another key than it was asked for."""

    def create(self, alg: str) -> tuple[SigningKey, str]:
        _, handle = super().create(alg)
        self.keys[handle] = generate("ES384")
        return self.keys[handle], handle


def test_a_key_of_another_algorithm_than_was_asked_for_is_not_taken() -> None:
    """Else a proof is made with it that nobody takes, after a person has signed in."""
    keys = Lying()
    with pytest.raises(oidcclient.KeyUnavailable) as refusal:
        begun(DPoP(store=keys))
    assert "ES384" in str(refusal.value)
    assert keys.deleted == ["0"]


class Raising(Slots):
    """A store whose device is gone when it is asked for a key."""

    def create(self, alg: str) -> tuple[SigningKey, str]:
        raise OSError("the device is gone")


def test_a_store_that_raises_what_it_likes_is_one_that_cannot_be_used() -> None:
    with pytest.raises(oidcclient.KeyUnavailable, match="OSError"):
        begun(DPoP(store=Raising()))


class Hanging(Slots):
    """A store whose device has stopped to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.removed = threading.Event()

    def create(self, alg: str) -> tuple[SigningKey, str]:
        self.goes_on.wait(10)
        return super().create(alg)

    def delete(self, handle: str) -> None:
        super().delete(handle)
        self.removed.set()


def test_a_store_object_of_somebody_else_has_a_time_limit_and_leaves_no_key_that_comes_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that is named by its URI has."""
    monkeypatch.setattr("oidcclient_dpop.stores.registry.FOREIGN_S", 0.1)
    keys = Hanging()
    with pytest.raises(oidcclient.KeyUnavailable, match="within"):
        begun(DPoP(store=keys))
    keys.goes_on.set()
    assert keys.removed.wait(10)
    assert keys.deleted == ["0"]


class Numbering(Slots):
    """A store whose handles are no text."""

    def create(self, alg: str) -> tuple[SigningKey, str]:
        return super().create(alg)[0], 7  # type: ignore[return-value] # that is the fault


def test_a_handle_that_cannot_be_recorded_is_refused_before_anybody_signs_in() -> None:
    with pytest.raises(oidcclient.KeyUnavailable):
        begun(DPoP(store=Numbering()))


@pytest.mark.parametrize(
    "state",
    [
        {"protection": "high"},
        {"protection": None},
        {"protection": 17},
        {"handle": 7},
        {"handle": None},
        {"store": None},
        {"store": 7},
    ],
)
def test_a_state_that_is_none_means_a_lost_key_and_breaks_nothing_else(tmp_path: Path, state: dict[str, Any]) -> None:
    """A session record written by another version, or by somebody who could."""
    bench = begun(DPoP(store=f"file:{tmp_path}"))
    again = reopened(bench, bench.hook, **state)
    with pytest.raises(oidcclient.KeyLost):
        again.run(Kind.RESOURCE)
    assert again.hook.describe(again.context.state)
    perform(again.hook.forget(again.context.state))


@pytest.mark.parametrize(
    "arguments",
    [
        {"store": 5},
        {"store": Path("/keys")},
        {"algorithms": "ES256"},
        {"algorithms": []},
        {"minimum": "HARDWARE"},
        {"key": object()},
    ],
)
def test_an_argument_of_another_kind_is_refused_at_once(arguments: dict[str, Any]) -> None:
    """And not in a thread when somebody signs in."""
    with pytest.raises(oidcclient.UsageError):
        DPoP(**arguments)
