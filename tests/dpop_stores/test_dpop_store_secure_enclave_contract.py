"""
Keys in a Secure Enclave, against a stand-in for the frameworks of macOS.

It shows that the store calls the right functions with the right things, releases what is its own, and what it makes of
each answer. It shows nothing of macOS or of an enclave.
"""

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import KeyStore, Protection
from oidcclient_dpop.stores import default_stores, open_store
from oidcclient_dpop.stores.contract import KeyStoreContract
from oidcclient_dpop.stores.jose import b64url_decode, b64url_encode
from oidcclient_dpop.stores.secure_enclave import frameworks
from oidcclient_dpop.stores.secure_enclave.handle import LARGEST_WRAPPED, WrappedKey
from oidcclient_dpop.stores.secure_enclave.store import SecureEnclaveStore
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.standin_libraries import EnclaveStandin, standin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is for Linux")

POINT = b"\4" + b"x" * 32 + b"y" * 32


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> EnclaveStandin:
    return EnclaveStandin(standin("secure_enclave", tmp_path_factory.mktemp("secure_enclave")))


@pytest.fixture
def mac(library: EnclaveStandin) -> Generator[EnclaveStandin]:
    """A stand-in; afterwards, each object has been released once."""
    yield library
    mistakes = library.mistakes
    library.reset()
    if library.live:
        gc.collect()
    assert (library.live, mistakes) == (0, 0)


MakeStore = Callable[..., SecureEnclaveStore]


@pytest.fixture
def make_store(mac: EnclaveStandin) -> MakeStore:
    def make(uri: str = "secure-enclave:", timeout: float = 30) -> SecureEnclaveStore:
        return SecureEnclaveStore(uri, timeout=timeout, _library=mac.path)

    return make


class TestContract(KeyStoreContract):
    forgets_deleted = False

    @pytest.fixture(autouse=True)
    def _a_library(self, mac: EnclaveStandin) -> None:
        self.library = mac.path

    def make_store(self, tmp_path: Path) -> KeyStore:
        return SecureEnclaveStore(_library=self.library)


def _refused(call: Callable[[], object]) -> KeyUnavailable:
    with pytest.raises(KeyUnavailable) as caught:
        call()
    return caught.value


# -- the key


def test_contract_a_key_is_in_its_handle_encrypted_and_cannot_come_out(make_store: MakeStore) -> None:
    store = make_store()
    key, handle = store.create("ES256")
    assert (key.protection, key.blocks, store.title) == (Protection.HARDWARE, True, "Secure Enclave")
    assert (repr(key), repr(store)) == ("EnclaveKey('secure-enclave:')", "SecureEnclaveStore('secure-enclave:')")
    assert WrappedKey.parse(handle).dump() == handle
    with pytest.raises(frameworks.EnclaveError, match="-4"):
        key._key.private_form()


@pytest.mark.parametrize(
    ("uri", "flags"),
    [
        ("secure-enclave:", 1 << 30),
        ("secure-enclave:presence=person", 1 << 30 | 1),
        ("secure-enclave:presence=biometry", 1 << 30 | 8),
    ],
)
def test_contract_a_key_may_ask_for_the_person(
    uri: str, flags: int, make_store: MakeStore, mac: EnclaveStandin
) -> None:
    store = make_store(uri)
    key, handle = store.create("ES256")
    assert mac.flags == flags
    assert make_store(store.uri).load(handle).public_jwk() == key.public_jwk()


@pytest.mark.parametrize("option", ["presence", "presence=", "presence=any", "presence=person;x", "x", "?"])
def test_contract_other_options_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match="has one option"):
        open_store(f"secure-enclave:{option}")


def test_contract_another_name_or_algorithm_is_refused(make_store: MakeStore) -> None:
    with pytest.raises(UsageError):
        SecureEnclaveStore("enclave:")
    assert "ES384" in str(_refused(lambda: make_store().create("ES384")))


def test_contract_objects_are_released_once_each(make_store: MakeStore, mac: EnclaveStandin) -> None:
    store = make_store()
    key, handle = store.create("ES256")
    assert mac.live == 1  # the key
    for turn in range(200):
        message = str(turn).encode()
        assert is_signature(key.sign(message), message, alg="ES256", jwk=key.public_jwk())
    assert mac.live == 1
    other = store.load(handle)
    assert mac.live == 2
    other._key.close()
    assert mac.live == 1
    assert mac.mistakes == 0


def test_contract_a_key_of_another_mac_is_lost_and_the_new_one_that_comes_instead_is_not_used(
    make_store: MakeStore, mac: EnclaveStandin
) -> None:
    _, handle = make_store().create("ES256")
    mac.be_another_mac()
    with pytest.raises(KeyLost, match="does not know the key"):
        make_store().load(handle)


def test_contract_an_encrypted_key_that_was_exchanged_is_lost(make_store: MakeStore) -> None:
    store = make_store()
    first, second = (WrappedKey.parse(store.create("ES256")[1]) for _ in range(2))
    with pytest.raises(KeyLost, match="does not know the key"):
        store.load(WrappedKey(first.point, second.wrapped).dump())


@given(st.binary(max_size=200))
@example(b"")
@example(b"\1")
@example(b"\1" + POINT + b"\0\0")
@example(b"\1" + POINT + b"\0\1")
@example(b"\1" + POINT + b"\0\1xy")
@example(b"\2" + POINT + b"\0\1x")
@example(b"\1\2" + POINT[1:] + b"\0\1x")
@example(b"\1" + POINT + b"\0\1x")
@example(b"\1" + POINT + (LARGEST_WRAPPED + 1).to_bytes(2, "big") + b"x" * (LARGEST_WRAPPED + 1))
@example(b"x" * 100_000)
def test_what_is_no_handle_is_refused_and_what_is_one_has_one_form(data: bytes) -> None:
    handle = b64url_encode(data)
    try:
        stored = WrappedKey.parse(handle)
    except ValueError:
        return
    assert (len(stored.point), stored.point[0]) == (65, 4)
    assert 0 < len(stored.wrapped) <= LARGEST_WRAPPED
    assert stored.dump() == handle
    assert b64url_decode(handle) == data


# -- what goes wrong


MAKING = [
    "SecAccessControlCreateWithFlags",
    "SecKeyCreateRandomKey",
    "SecKeyCopyExternalRepresentation",
    "SecKeyCreateSignature",
]


@pytest.mark.parametrize("function", MAKING)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-4, "this Mac has no Secure Enclave ({}: -4 errSecUnimplemented)"),
        (-128, "somebody cancelled it ({}: -128 errSecUserCanceled)"),
        (-25291, "this Mac has no Secure Enclave ({}: -25291 errSecNotAvailable)"),
        (-25308, "the Mac was not unlocked since it started ({}: -25308 errSecInteractionNotAllowed)"),
        (-34018, "macOS does not let this program use it ({}: -34018 errSecMissingEntitlement)"),
        (-50, "it failed ({}: -50 The stand-in was told to fail.)"),
        (0, "it failed ({}: 0 it does not say why)"),
    ],
)
def test_contract_what_fails_is_said_and_nothing_is_left(
    function: str, code: int, words: str, make_store: MakeStore, mac: EnclaveStandin
) -> None:
    mac.fail(function, code)
    error = _refused(lambda: make_store().create("ES256"))
    assert words.format(function) in str(error)
    assert error.hint


@pytest.mark.parametrize("function", ["SecKeyCopyAttributes", "SecKeyCopyPublicKey", "CFStringCreateWithCString"])
def test_contract_what_returns_nothing_is_said(function: str, make_store: MakeStore, mac: EnclaveStandin) -> None:
    mac.fail(function, 0)
    assert f"{function}: 0 it returned nothing" in str(_refused(lambda: make_store().create("ES256")))


def test_contract_an_error_may_have_no_text(
    make_store: MakeStore, mac: EnclaveStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frameworks, "LONGEST_TEXT", 4)
    mac.fail("SecKeyCreateRandomKey", -50)
    assert str(_refused(lambda: make_store().create("ES256"))).endswith("(SecKeyCreateRandomKey: -50)")


def test_contract_a_key_that_cannot_be_opened_now_is_not_lost(make_store: MakeStore, mac: EnclaveStandin) -> None:
    key, handle = make_store().create("ES256")
    mac.fail("SecKeyCreateWithData", -50)
    assert "SecKeyCreateWithData: -50" in str(_refused(lambda: make_store().load(handle)))
    mac.fail("SecKeyCreateSignature", -128)
    assert "somebody cancelled it" in str(_refused(lambda: key.sign(b"m")))


def test_contract_a_key_that_comes_out_is_refused(make_store: MakeStore, mac: EnclaveStandin) -> None:
    mac.leak()
    assert "not in a Secure Enclave" in str(_refused(lambda: make_store().create("ES256")))


def test_contract_a_key_without_its_encrypted_form_is_refused(make_store: MakeStore, mac: EnclaveStandin) -> None:
    mac.hide_the_key()
    assert "the key has no toid" in str(_refused(lambda: make_store().create("ES256")))


@pytest.mark.parametrize(
    ("function", "data", "words"),
    [
        ("SecKeyCopyAttributes", b"", "a size that none has"),
        ("SecKeyCopyAttributes", b"x" * (LARGEST_WRAPPED + 1), "a size that none has"),
        ("SecKeyCopyAttributes", b"x" * 20_000, "is too large"),
        ("SecKeyCopyExternalRepresentation", POINT[:-1], "no point of P-256"),
        ("SecKeyCopyExternalRepresentation", b"\2" + POINT[1:], "no point of P-256"),
        ("SecKeyCopyExternalRepresentation", POINT, "do not verify"),
        ("SecKeyCreateSignature", b"", "no signature"),
        ("SecKeyCreateSignature", b"x" * 70, "no signature"),
        ("SecKeyCreateSignature", bytes.fromhex("3006020100020101"), "no signature"),  # R is 0
        ("SecKeyCreateSignature", bytes.fromhex("30060201ff020101"), "no signature"),  # R is -1
        ("SecKeyCreateSignature", bytes.fromhex("3026022101") + b"\0" * 32 + bytes.fromhex("020101"), "no signature"),
        ("SecKeyCreateSignature", bytes.fromhex("3006020101020101"), "do not verify"),
    ],
)
def test_contract_what_comes_back_is_looked_at(
    function: str, data: bytes, words: str, make_store: MakeStore, mac: EnclaveStandin
) -> None:
    mac.show(function, data)
    assert words in str(_refused(lambda: make_store().create("ES256")))


def test_contract_an_enclave_that_hangs_has_a_deadline(make_store: MakeStore, mac: EnclaveStandin) -> None:
    key, handle = make_store(timeout=0.1).create("ES256")
    for function, call in (
        ("SecKeyCreateWithData", lambda: make_store(timeout=0.1).load(handle)),
        ("SecKeyCreateSignature", lambda: key.sign(b"m")),
    ):
        mac.fail(function, -50, pause_ms=250)
        assert "Secure Enclave did not answer within 0.1 s" in str(_refused(call))
    _wait_for_threads()


def test_contract_who_waits_for_a_key_that_hangs_has_a_deadline_too(make_store: MakeStore) -> None:
    key, _ = make_store(timeout=0.1).create("ES256")
    with key._lock:
        assert "Secure Enclave did not answer within 0.1 s" in str(_refused(lambda: key.sign(b"m")))
        _wait_for_threads()
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "oidcclient-key-store":
            thread.join(5)


# -- where there is no such thing


def test_elsewhere_than_on_a_mac_it_says_so() -> None:
    store = open_store("secure-enclave:")
    assert store.probe() == "only Macs have a Secure Enclave"
    for call in (lambda: store.create("ES256"), lambda: store.load(WrappedKey(POINT, b"x").dump())):
        assert "only Macs have a Secure Enclave" in str(_refused(call))
    store.delete("anything")


def test_it_is_never_taken_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("darwin", "linux", "win32"):
        monkeypatch.setattr("sys.platform", platform)
        assert not any(store.uri.startswith("secure-enclave:") for store in default_stores())


def test_contract_frameworks_that_cannot_be_loaded_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(frameworks, "CORE_FOUNDATION", "/nowhere/CoreFoundation")
    assert "macOS lacks what is needed: /nowhere/CoreFoundation" in (open_store("secure-enclave:").probe() or "")


def test_contract_frameworks_that_lack_something_are_a_reason(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    assert store.probe() is None
    assert store._frameworks is not None
    with pytest.raises(frameworks.FrameworksMissing, match="kSecNothing"):
        store._frameworks.constant("kSecNothing")
    monkeypatch.setitem(frameworks.IN_SECURITY, "SecNothing", (None,))
    assert "SecNothing" in (make_store().probe() or "")


def _in_a_child(key: Any, results: Any) -> None:
    results.put(str(_refused(lambda: key.sign(b"m"))))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # that is what it is about
def test_contract_a_child_of_fork_is_told_that_it_cannot_use_it(make_store: MakeStore) -> None:
    key, _ = make_store().create("ES256")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_a_child, args=(key, results))
    child.start()
    try:
        assert "child of fork()" in results.get()
    finally:
        child.join(10)
    assert os.getpid() == key._store._process
    key._store._process = -1  # in this process, as that of the child is not measured
    assert _refused(lambda: key.sign(b"m")).rule == "fork"
