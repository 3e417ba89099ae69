# ruff: noqa: D102, S101 - these are tests, though they are shipped: their names are the rules
"""
What every key store promises, as tests: subclass `KeyStoreContract`, say how a store is made, and let pytest find it.

    class TestOurStore(KeyStoreContract):
        def make_store(self, tmp_path):
            return OurStore(f"ours:folder={tmp_path}")

Each call of `make_store` with the same folder returns a store that sees the same keys, as another process would.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import KeyStore, Protection, SigningKey

from .verifying import is_signature

__all__ = ["KeyStoreContract"]

THREADS: Final = 8
MESSAGE: Final = b"eyJ0eXAiOiJkcG9wK2p3dCJ9.eyJodG0iOiJQT1NUIn0"
LONGEST_HANDLE: Final = 4096  # characters: it lies in the record of each session
# RFC 7638 section 3.2, RFC 8037 section 2
REQUIRED_MEMBERS: Final = {"EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}, "RSA": {"kty", "n", "e"}}
UNKNOWN_ALGORITHM: Final = "HS256"  # no key of a key store can be one: it is for shared secrets


class KeyStoreContract:
    """The tests. They take only a fixture named `tmp_path`, which pytest brings."""

    makes_keys = True  # whether `create` makes a new key each time; False where the URI names one that is there
    forgets_deleted = True  # whether a deleted key cannot be loaded; False where the handle is the key itself

    def make_store(self, tmp_path: Path) -> KeyStore:
        """Return a store that keeps its keys in this folder, if it keeps them in files."""
        raise NotImplementedError

    def _check(self, key: SigningKey, message: bytes = MESSAGE, *, like: SigningKey | None = None) -> None:
        """Check a signature, against the public key that another object for the same key tells."""
        told = like if like is not None else key
        assert is_signature(key.sign(message), message, alg=told.alg, jwk=told.public_jwk())

    def test_a_store_says_what_it_is(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        assert isinstance(store, KeyStore)
        assert ":" in store.uri
        assert store.title
        assert store.protection in Protection
        assert store.probe() is None
        assert store.algorithms()
        assert len(set(store.algorithms())) == len(store.algorithms())

    def test_each_algorithm_has_keys_that_sign(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        for alg in store.algorithms():
            key, handle = store.create(alg)
            assert key.alg == alg
            assert key.protection <= store.protection
            self._check(key)
            self._check(key, b"")
            self._check(key, MESSAGE * 200)
            assert not is_signature(key.sign(MESSAGE), MESSAGE + b"x", alg=alg, jwk=key.public_jwk())
            store.delete(handle)

    def test_a_public_key_has_its_required_members_alone(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        for alg in store.algorithms():
            key, handle = store.create(alg)
            jwk = key.public_jwk()
            assert set(jwk) == REQUIRED_MEMBERS[jwk["kty"]]
            assert json.loads(json.dumps(dict(jwk))) == dict(jwk)
            assert key.public_jwk() == jwk
            store.delete(handle)

    def test_a_key_is_found_again_by_another_store_of_the_same_name(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        key, handle = store.create(store.algorithms()[0])
        other = self.make_store(tmp_path)
        assert other.uri == store.uri
        found = other.load(handle)
        assert (found.alg, found.protection, found.blocks) == (key.alg, key.protection, key.blocks)
        assert found.public_jwk() == key.public_jwk()
        self._check(found, like=key)
        store.delete(handle)

    def test_a_handle_is_short_text(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        _, handle = store.create(store.algorithms()[0])
        assert handle
        assert len(handle) <= LONGEST_HANDLE
        assert handle.isprintable()
        assert handle.isascii()
        store.delete(handle)

    def test_two_keys_are_two(self, tmp_path: Path) -> None:
        if not self.makes_keys:
            return
        store = self.make_store(tmp_path)
        alg = store.algorithms()[0]
        (first, first_handle), (second, second_handle) = store.create(alg), store.create(alg)
        assert first_handle != second_handle
        assert first.public_jwk() != second.public_jwk()
        store.delete(first_handle)
        self._check(store.load(second_handle), like=second)
        store.delete(second_handle)

    def test_a_deleted_key_is_lost_and_may_be_deleted_again(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        key, handle = store.create(store.algorithms()[0])
        store.delete(handle)
        self.make_store(tmp_path).delete(handle)
        if self.makes_keys and self.forgets_deleted:
            assert _refusal(lambda: self.make_store(tmp_path).load(handle)) is KeyLost
        else:
            self._check(self.make_store(tmp_path).load(handle), like=key)

    def test_what_is_no_handle_is_a_lost_key(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        _, handle = store.create(store.algorithms()[0])
        for wrong in ("", "x", "../x", "\0", "ä", "A" * 100_000, handle[:-1], handle + "A", handle[::-1] + "!"):
            assert _refusal(lambda wrong=wrong: store.load(wrong)) is KeyLost  # type: ignore[misc]  # a default binds it
            store.delete(wrong)
        store.delete(handle)

    def test_an_algorithm_that_is_not_offered_is_refused(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        assert UNKNOWN_ALGORITHM not in store.algorithms()
        assert _refusal(lambda: store.create(UNKNOWN_ALGORITHM)) in {KeyUnavailable, UsageError}

    def test_many_threads_sign_at_once(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        key, handle = store.create(store.algorithms()[0])
        again = self.make_store(tmp_path).load(handle)
        problems: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(4):
                    self._check(again if turn % 2 else key, f"{number} {turn}".encode(), like=key)
            except BaseException as error:  # noqa: BLE001 - shown in the thread of the test
                problems.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        store.delete(handle)

    def test_no_repr_shows_a_handle(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        key, handle = store.create(store.algorithms()[0])
        if self.makes_keys:
            assert handle not in f"{store!r} {key!r} {key!s}"
        store.delete(handle)


def _refusal(call: Callable[[], object]) -> type[BaseException] | None:
    """Return the class of what a call raises, so that the tests need no pytest to be imported."""
    try:
        call()
    except (KeyLost, KeyUnavailable, UsageError) as error:
        return type(error)
    return None
