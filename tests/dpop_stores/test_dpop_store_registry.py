"""Choosing a store: by name, by default, by what it really can do."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from oidcclient import KeyUnavailable, UsageError
from oidcclient_dpop.keys import KeyStore, Protection, SigningKey
from oidcclient_dpop.stores import choose, create_best, default_stores, open_store, registry, schemes
from oidcclient_dpop.stores.deadline import TimeLimited, within
from oidcclient_dpop.stores.software import generate

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass
class Made:
    """A store made up."""

    uri: str = "made-up:"
    protection: Protection = Protection.ISOLATED
    reason: str | None = None
    algs: tuple[str, ...] = ("ES256",)
    real: Protection = Protection.ISOLATED
    broken: bool = False
    later: Protection | None = None
    deleted: list[str] = field(default_factory=list)
    pause: float = 0.0
    title: str = "Made up"

    def probe(self) -> str | None:
        time.sleep(self.pause)
        if self.later is not None:
            self.protection = self.later
        return self.reason

    def algorithms(self) -> tuple[str, ...]:
        return self.algs

    def create(self, alg: str) -> tuple[SigningKey, str]:
        if self.broken:
            raise KeyUnavailable("it would not")
        return generate(alg, protection=self.real), "handle"

    def load(self, handle: str) -> SigningKey:
        time.sleep(self.pause)
        return generate()

    def delete(self, handle: str) -> None:
        self.deleted.append(handle)


def _reasons(*stores: KeyStore, minimum: Protection = Protection.FILE, make: bool = False) -> str:
    with pytest.raises(KeyUnavailable) as caught:
        (create_best if make else choose)(stores, minimum)
    assert "\n" not in str(caught.value)
    return str(caught.value).partition(": ")[2]


def test_the_first_store_that_fits_is_chosen() -> None:
    fits = Made()
    weak = Made(protection=Protection.KEYRING)
    assert choose([Made(reason="no"), weak, fits], Protection.ISOLATED) is fits
    assert choose([Made(algs=("Ed25519",)), fits]) is fits
    assert choose([fits], algorithms=("Ed25519", "ES256")) is fits


def test_each_stores_reason_is_told_in_one_line(tmp_path: Path) -> None:
    assert _reasons(
        open_store(f"tpm2:device={tmp_path}/none"),
        open_store("file:"),
        Made("a:", protection=Protection.HARDWARE, reason="it is broken"),
        Made("b:", protection=Protection.HARDWARE, algs=("RS256",)),
        Made("c:", protection=Protection.HARDWARE, later=Protection.ISOLATED),
        minimum=Protection.HARDWARE,
    ) == (
        f"tpm2: no TPM: {tmp_path}/none is not there; file: FILE is below the required HARDWARE; a: it is broken; "
        "b: it makes keys for RS256, and ES256 is needed; c: ISOLATED is below the required HARDWARE"
    )
    assert _reasons() == "none was given"


def test_a_store_that_hangs_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PROBE_S", 0.1)
    fits = Made()
    assert choose([Made(pause=1), fits]) is fits
    assert "within 0.1 s" in _reasons(Made(pause=1))


def test_a_new_key_is_made_where_it_can_be_made() -> None:
    broken, lying, good = Made("a:", broken=True), Made("b:", real=Protection.FILE), Made("c:")
    new = create_best([broken, lying, good], Protection.ISOLATED)
    assert (new.store, new.key.alg, new.handle) == (good, "ES256", "handle")
    assert lying.deleted == ["handle"]
    assert _reasons(broken, lying, minimum=Protection.ISOLATED, make=True) == (
        "a: it would not; b: FILE is below the required ISOLATED"
    )


@pytest.mark.parametrize(
    ("platform", "uris"),
    [
        ("linux", ["tpm2:", "keyring:"]),
        ("darwin", ["keyring:"]),
        ("win32", ["cng:provider=tpm", "cng:provider=software", "keyring:"]),
        ("freebsd14", ["keyring:"]),
    ],
)
def test_by_default_the_best_comes_first_and_never_a_file(
    platform: str, uris: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert [store.uri for store in default_stores()] == uris
    assert not any(uri.startswith("file:") for uri in [*sum(registry.DEFAULTS.values(), ()), *registry.OTHER_DEFAULTS])


@pytest.mark.parametrize("uri", ["", "tpm2", "nothing:", "TPM2:", ":x", "/dev/tpm0"])
def test_an_unknown_name_is_refused_with_those_that_there_are(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(uri)
    assert "tpm2:" in caught.value.hint


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == "oidcclient_dpop.key_stores"
        here = "tests.dpop_stores.test_dpop_store_registry"
        return [
            EntryPoint("made-up", f"{here}:Made", group),
            EntryPoint("tpm2", f"{here}:Made", group),
            EntryPoint("broken", "no_such_module:Store", group),
        ]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


@pytest.mark.usefixtures("foreign")
def test_other_packages_add_stores_and_replace_none_of_ours() -> None:
    store = open_store("made-up:x")
    assert isinstance(store, TimeLimited)
    assert (store.uri, store.probe(), store.title) == ("made-up:x", None, "Made up")
    assert not isinstance(open_store("tpm2:"), TimeLimited)
    assert schemes() == (*registry.STORES, "broken", "made-up")
    with pytest.raises(UsageError, match="cannot be loaded"):
        open_store("broken:")


def test_a_store_with_a_time_limit_ends_in_time() -> None:
    slow = TimeLimited(Made(pause=1), 0.05)
    assert "within 0.05 s" in (slow.probe() or "")
    with pytest.raises(KeyUnavailable):
        slow.load("handle")
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 // 0, seconds=1, subject="it")
    assert "TimeLimited" in repr(slow)


class _SlowKey:
    alg, protection, blocks = "ES256", Protection.HARDWARE, True

    def public_jwk(self) -> dict[str, str]:
        return {"kty": "EC"}

    def sign(self, message: bytes) -> bytes:
        time.sleep(1)
        return message


def test_a_key_of_such_a_store_signs_in_time_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    monkeypatch.setattr(made, "load", lambda _: _SlowKey())
    key = TimeLimited(made, 0.05).load("handle")
    assert key.public_jwk() == {"kty": "EC"}
    with pytest.raises(KeyUnavailable, match=r"Made up did not answer within 0\.05 s"):
        key.sign(b"m")
    assert "_SlowKey" in repr(key)


def test_an_unused_store_imports_nothing(in_a_process: Run) -> None:
    script = """
import sys
before = set(sys.modules)
from oidcclient_dpop.stores import default_stores, open_store
stores = [*default_stores(), open_store("file:"), open_store("ssh-agent:SHA256:" + "A" * 43)]
stores += map(open_store, ["pkcs11:?module-path=/none.so", "cng:", "secure-enclave:"])
heavy = {"ctypes", "socket", "keyring", "pkcs11", "cryptography", "platformdirs", "importlib.metadata", "asyncio"}
print(sorted(heavy & (set(sys.modules) - before)))
"""
    done = in_a_process(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_each_public_name_is_there() -> None:
    import oidcclient_dpop.stores as public  # noqa: PLC0415 - for this alone

    assert all(hasattr(public, name) for name in public.__all__)
    assert set(public.__all__) <= set(dir(public))
    with pytest.raises(AttributeError):
        _ = public.nothing
