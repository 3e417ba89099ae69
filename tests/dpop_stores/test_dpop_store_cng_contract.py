"""
Keys in Windows' key storage, against a stand-in for ncrypt.dll.

On Linux it is compiled for Linux; under wine, for the Windows Python that runs these tests there too. Both show that
the store calls the right functions with the right things, and what it makes of each answer. Neither shows Windows.
"""

import gc
import re
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidcclient import KeyLost, KeyUnavailable, OidcError, UsageError
from oidcclient_dpop.keys import KeyStore, Protection
from oidcclient_dpop.stores import choose, create_best, open_store
from oidcclient_dpop.stores.cng import constants as c
from oidcclient_dpop.stores.cng import ncrypt, problems
from oidcclient_dpop.stores.cng.store import CngKey, CngStore
from oidcclient_dpop.stores.contract import KeyStoreContract
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.standin_libraries import NcryptStandin, standin

TPM, SOFTWARE = "cng:provider=tpm", "cng:provider=software"
NOT_READY = c.NTE_DEVICE_NOT_READY


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> NcryptStandin:
    return NcryptStandin(standin("ncrypt", tmp_path_factory.mktemp("ncrypt")))


@pytest.fixture
def windows(library: NcryptStandin, tmp_path: Path) -> Generator[NcryptStandin]:
    """A stand-in with a folder of its own for keys; afterwards, every handle has been freed."""
    library.keep_keys_in(tmp_path)
    yield library
    library.reset()
    if library.live:
        gc.collect()  # it takes a tenth of a second
    assert library.live == 0


MakeStore = Callable[..., CngStore]


@pytest.fixture
def make_store(windows: NcryptStandin) -> MakeStore:
    def make(uri: str = TPM, timeout: float = 30) -> CngStore:
        return CngStore(uri, timeout=timeout, _library=windows.path)

    return make


class _Contract(KeyStoreContract):
    uri = ""

    @pytest.fixture(autouse=True)
    def _a_library(self, windows: NcryptStandin) -> None:
        self.library = windows.path

    def make_store(self, tmp_path: Path) -> KeyStore:
        return CngStore(self.uri, _library=self.library)


class TestContractOfBoth(_Contract):
    uri = "cng:"


class TestContractOfTheTpm(_Contract):
    uri = TPM


class TestContractOfTheSoftware(_Contract):
    uri = SOFTWARE


def _keys(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _refused(call: Callable[[], object]) -> KeyUnavailable:
    with pytest.raises(KeyUnavailable) as caught:
        call()
    return caught.value


# -- where keys are made


@pytest.mark.parametrize(
    ("uri", "suffix", "protection", "title"),
    [
        ("cng:", "tpm", Protection.HARDWARE, "Windows key storage"),
        (TPM, "tpm", Protection.HARDWARE, "TPM, through Windows"),
        (SOFTWARE, "software", Protection.ISOLATED, "Windows key storage"),
    ],
)
def test_contract_a_key_has_a_random_name_and_says_itself_how_it_is_kept(
    uri: str, suffix: str, protection: Protection, title: str, make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store(uri)
    key, handle = store.create("ES256")
    assert re.fullmatch(rf"{suffix}:[0-9a-f]{{32}}", handle)
    assert _keys(tmp_path) == [f"oidcclient-dpop-{handle.partition(':')[2]}.{suffix}"]
    assert (key.protection, key.blocks, key.alg, store.title) == (protection, True, "ES256", title)
    assert protection.name in repr(key)
    assert uri in repr(store)


@pytest.mark.parametrize(
    ("impl_type", "protection"),
    [
        (0x01, Protection.HARDWARE),
        (0x11, Protection.HARDWARE),  # with a random number generator in hardware
        (0x02, Protection.ISOLATED),
        (0x03, Protection.ISOLATED),  # it says both
        (0x20, Protection.ISOLATED),  # isolated by virtualization
        (0x00, Protection.ISOLATED),
    ],
)
@pytest.mark.parametrize("uri", [TPM, SOFTWARE])
def test_contract_the_key_says_whether_it_is_hardware_and_not_the_providers_name(
    impl_type: int, protection: Protection, uri: str, make_store: MakeStore, windows: NcryptStandin
) -> None:
    windows.say("Impl Type", impl_type)
    key, handle = make_store(uri).create("ES256")
    assert key.protection is protection
    assert make_store(uri).load(handle).protection is protection


def test_contract_a_tpm_that_keeps_keys_in_software_is_not_taken_for_hardware(
    make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    windows.say("Impl Type", c.NCRYPT_IMPL_SOFTWARE_FLAG)
    with pytest.raises(KeyUnavailable, match="ISOLATED is below the required HARDWARE"):
        create_best([make_store(TPM)], Protection.HARDWARE)
    assert _keys(tmp_path) == []


@pytest.mark.parametrize("status", [c.NTE_DEVICE_NOT_READY, c.TBS_E_TPM_NOT_FOUND, c.TPM_E_PCP_DEVICE_NOT_READY])
@pytest.mark.parametrize("function", ["NCryptOpenStorageProvider", "NCryptOpenKey", "NCryptCreatePersistedKey"])
def test_contract_without_a_tpm_the_next_store_is_taken(
    status: int, function: str, make_store: MakeStore, windows: NcryptStandin
) -> None:
    windows.fail(function, status, only_tpm=True)
    tpm, software = make_store(TPM), make_store(SOFTWARE)
    made = create_best([tpm, software])
    assert made.store is software
    assert made.key.protection is Protection.ISOLATED
    if function != "NCryptCreatePersistedKey":
        assert choose([tpm, software]) is software
    with pytest.raises(KeyUnavailable, match=r"cng: TPM, through Windows: .*TPM .*\(NCrypt"):
        create_best([tpm, software], Protection.HARDWARE)


def test_contract_without_a_tpm_both_falls_to_the_software_and_says_it(
    make_store: MakeStore, windows: NcryptStandin
) -> None:
    windows.fail("NCryptOpenStorageProvider", NOT_READY, only_tpm=True)
    store = make_store("cng:")
    assert store.probe() is None
    key, handle = store.create("ES256")
    assert handle.startswith("software:")
    assert key.protection is Protection.ISOLATED
    assert make_store("cng:").load(handle).public_jwk() == key.public_jwk()


def test_contract_where_neither_works_both_reasons_are_told(make_store: MakeStore, windows: NcryptStandin) -> None:
    windows.fail("NCryptOpenStorageProvider", NOT_READY)
    store = make_store("cng:")
    reason = (
        "TPM, through Windows: the TPM is not ready (NCryptOpenStorageProvider: 0x80090030 NTE_DEVICE_NOT_READY); "
        "Windows key storage: the TPM is not ready (NCryptOpenStorageProvider: 0x80090030 NTE_DEVICE_NOT_READY)"
    )
    assert store.probe() == reason
    assert str(_refused(lambda: store.create("ES256"))) == reason


def test_contract_a_provider_that_keeps_no_keys_is_found_out_by_the_probe(
    make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    for function in ("NCryptIsAlgSupported", "NCryptOpenKey"):
        windows.fail(function, c.NTE_NOT_SUPPORTED)
        assert make_store(SOFTWARE).probe() == (
            f"Windows key storage: it keeps no such keys ({function}: 0x80090029 NTE_NOT_SUPPORTED)"
        )
    windows.fail("NCryptOpenKey", c.TPM_20_E_INTEGRITY)
    assert "TPM_20_E_INTEGRITY" in (make_store(SOFTWARE).probe() or "")
    assert _keys(tmp_path) == []


# -- that keys cannot be taken out


@pytest.mark.parametrize("policy", [1, 2, 4, 8, 0x80000000])
def test_contract_a_key_whose_policy_lets_it_out_is_refused_and_deleted(
    policy: int, make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    _, handle = make_store(SOFTWARE).create("ES256")
    before = _keys(tmp_path)
    windows.say("Export Policy", policy)
    assert "its export policy allows it" in str(_refused(lambda: make_store(SOFTWARE).create("ES256")))
    assert _keys(tmp_path) == before
    with pytest.raises(KeyLost, match="would let the key out"):
        make_store(SOFTWARE).load(handle)


def test_contract_a_key_that_comes_out_in_spite_of_its_policy_is_refused_and_deleted(
    make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    windows.leak()
    assert "in spite of its policy" in str(_refused(lambda: make_store(TPM).create("ES256")))
    assert _keys(tmp_path) == []


def test_contract_a_private_key_does_not_come_out(make_store: MakeStore) -> None:
    key, _ = make_store(TPM).create("ES256")
    for form in (c.BCRYPT_ECCPRIVATE_BLOB, c.NCRYPT_PKCS8_PRIVATE_KEY_BLOB):
        with pytest.raises(ncrypt.CngError):
            key._key.export(form)


def test_contract_the_policy_is_stored_with_the_key(make_store: MakeStore, tmp_path: Path) -> None:
    make_store(SOFTWARE).create("ES256")
    (name,) = _keys(tmp_path)
    data = (tmp_path / name).read_bytes()
    assert data[:8] == bytes(4) + c.NCRYPT_ALLOW_SIGNING_FLAG.to_bytes(4, "little")


def test_contract_a_provider_that_has_one_policy_for_all_keys_is_believed_after_a_look(
    make_store: MakeStore, windows: NcryptStandin
) -> None:
    windows.fail("NCryptSetProperty", c.NTE_NOT_SUPPORTED)
    assert "its export policy allows it" in str(_refused(lambda: make_store(TPM).create("ES256")))
    windows.say("Export Policy", 0)
    key, _ = make_store(TPM).create("ES256")
    assert key.protection is Protection.HARDWARE
    windows.fail("NCryptGetProperty", c.NTE_NOT_SUPPORTED)
    assert "NCryptGetProperty" in str(_refused(lambda: make_store(TPM).create("ES256")))


# -- what comes back


PUBLIC = c.BCRYPT_ECDSA_PUBLIC_P256_MAGIC.to_bytes(4, "little") + (32).to_bytes(4, "little") + b"x" * 32 + b"y" * 32
GENERIC = c.BCRYPT_ECDSA_PUBLIC_GENERIC_MAGIC.to_bytes(4, "little") + PUBLIC[4:]


@given(st.binary(max_size=120), st.sampled_from(["nistP256", "nistP384", ""]))
@example(PUBLIC, "")
@example(GENERIC, "nistP256")
@example(GENERIC, "secP256k1")
def test_contract_a_public_key_is_one_form_or_refused(blob: bytes, curve: str) -> None:
    try:
        x, y = ncrypt.parse_public(blob, lambda: curve)
    except ncrypt.MalformedAnswer:
        return
    assert (len(x), len(y), len(blob)) == (32, 32, 72)
    assert blob[8:] == x + y
    assert blob[:4] == PUBLIC[:4] or curve == "nistP256"


@pytest.mark.parametrize(
    ("blob", "curve", "words"),
    [
        (PUBLIC[:-1], "nistP256", "another size"),
        (PUBLIC + b"\0", "nistP256", "another size"),
        (PUBLIC[:4] + (48).to_bytes(4, "little") + PUBLIC[8:], "nistP256", "another size"),
        (PUBLIC * 70, "nistP256", "too large"),
        (b"ECK1" + PUBLIC[4:], "nistP256", "another kind"),
        (GENERIC, "nistP384", "another curve"),
        (GENERIC, "n" * 63, "another curve"),
        (PUBLIC, "nistP256", "do not verify"),  # no point of the curve
    ],
)
def test_contract_a_key_that_looks_otherwise_is_refused_and_deleted(
    blob: bytes, curve: str, words: str, make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    windows.show(blob, curve)
    assert words in str(_refused(lambda: make_store(TPM).create("ES256")))
    assert _keys(tmp_path) == []


def test_contract_a_key_may_say_its_curve_in_a_property(make_store: MakeStore, windows: NcryptStandin) -> None:
    store = make_store(SOFTWARE)
    key, handle = store.create("ES256")
    point = key._key.export(c.BCRYPT_ECCPUBLIC_BLOB)[8:]
    windows.show(GENERIC[:8] + point)
    assert store.load(handle).public_jwk() == key.public_jwk()


def test_contract_numbers_and_signatures_have_their_size(make_store: MakeStore, windows: NcryptStandin) -> None:
    key, _ = make_store(TPM).create("ES256")
    windows.cut_signatures(63)
    assert "another length" in str(_refused(lambda: key.sign(b"m")))
    windows.reset()
    windows.say("Impl Type", 1, length=2)
    assert "is no number" in str(_refused(lambda: make_store(TPM).create("ES256")))


# -- what goes wrong


MAKING = set(ncrypt.FUNCTIONS) - {"NCryptIsAlgSupported", "NCryptOpenKey", "NCryptDeleteKey", "NCryptFreeObject"}


@pytest.mark.parametrize("function", sorted(MAKING))
@pytest.mark.parametrize("uri", ["cng:", SOFTWARE])
def test_contract_whatever_fails_no_key_is_left_and_the_error_says_what(
    function: str, uri: str, make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    windows.fail(function, c.NTE_FAIL)
    assert f"it failed ({function}: 0x80090020 NTE_FAIL)" in str(_refused(lambda: make_store(uri).create("ES256")))
    assert _keys(tmp_path) == []


def test_contract_a_key_that_cannot_be_opened_or_deleted_now_is_not_lost(
    make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    store = make_store(TPM)
    key, handle = store.create("ES256")
    windows.fail("NCryptOpenKey", c.NTE_FAIL)
    assert "NCryptOpenKey" in str(_refused(lambda: store.load(handle)))
    windows.fail("NCryptDeleteKey", c.NTE_FAIL)
    assert "NCryptDeleteKey" in str(_refused(lambda: store.delete(handle)))
    windows.reset()
    assert store.load(handle).public_jwk() == key.public_jwk()
    store.delete(handle)
    assert _keys(tmp_path) == []


def test_contract_a_new_key_that_cannot_be_deleted_is_still_refused(
    make_store: MakeStore, windows: NcryptStandin
) -> None:
    windows.leak()
    windows.fail("NCryptDeleteKey", c.NTE_FAIL)
    assert "in spite of its policy" in str(_refused(lambda: make_store(TPM).create("ES256")))


@pytest.mark.parametrize("status", [*problems.WORDS, 0x80280155, 0x8028FFFF, 0xC0000001])
def test_contract_each_status_that_is_known_has_words_and_a_hint(
    status: int, make_store: MakeStore, windows: NcryptStandin
) -> None:
    key, _ = make_store(TPM).create("ES256")
    windows.fail("NCryptSignHash", status)
    error = _refused(lambda: key.sign(b"m"))
    words, hint = problems.WORDS.get(status, problems.UNKNOWN)
    assert f"{words} (NCryptSignHash: 0x{status:08X}" in str(error)
    assert error.hint == hint
    assert problems.NAMES.get(status, "") in str(error)


@pytest.mark.parametrize("status", [c.NTE_BAD_KEYSET, c.NTE_NO_KEY, c.NTE_NOT_FOUND, c.TPM_20_E_INTEGRITY])
def test_contract_a_key_that_is_gone_is_lost_and_never_made_again(
    status: int, make_store: MakeStore, windows: NcryptStandin, tmp_path: Path
) -> None:
    store = make_store(TPM)
    key, handle = store.create("ES256")
    windows.fail("NCryptOpenKey", status)
    with pytest.raises(KeyLost, match=r"not in TPM, through Windows"):
        store.load(handle)
    store.delete(handle)
    windows.fail("NCryptSignHash", status)
    with pytest.raises(KeyLost):
        key.sign(b"m")
    assert len(_keys(tmp_path)) == 1
    windows.fail("NCryptCreatePersistedKey", status)
    _refused(lambda: store.create("ES256"))


def test_contract_a_key_of_one_provider_is_not_looked_for_in_another(make_store: MakeStore, tmp_path: Path) -> None:
    _, handle = make_store(TPM).create("ES256")
    for wrong in (handle.replace("tpm", "software"), handle.replace("tpm", "TPM")):
        for uri in (SOFTWARE, "cng:"):
            with pytest.raises(KeyLost):
                make_store(uri).load(wrong)
    with pytest.raises(KeyLost, match="no name of a key of this store"):
        make_store(SOFTWARE).load(handle)
    make_store(SOFTWARE).delete(handle)
    assert len(_keys(tmp_path)) == 1
    assert make_store("cng:").load(handle).protection is Protection.HARDWARE


def test_contract_a_name_that_is_taken_is_not_overwritten(make_store: MakeStore, windows: NcryptStandin) -> None:
    windows.fail("NCryptCreatePersistedKey", c.NTE_EXISTS)
    assert "NTE_EXISTS" in str(_refused(lambda: make_store(TPM).create("ES256")))


def test_contract_a_store_that_hangs_has_a_deadline(make_store: MakeStore, windows: NcryptStandin) -> None:
    key, handle = make_store(TPM, timeout=0.1).create("ES256")
    began = time.monotonic()
    for function, call in (
        ("NCryptSignHash", lambda: key.sign(b"m")),
        ("NCryptOpenKey", lambda: make_store(TPM, timeout=0.1).load(handle)),
        ("NCryptOpenKey", lambda: make_store(TPM, timeout=0.1).delete(handle)),
        ("NCryptCreatePersistedKey", lambda: make_store(TPM, timeout=0.1).create("ES256")),
    ):
        windows.fail(function, NOT_READY, pause_ms=300)
        assert "did not answer within 0.1 s" in str(_refused(call))
    windows.fail("NCryptOpenKey", NOT_READY, pause_ms=300)
    assert "did not answer within 0.1 s" in (make_store(TPM, timeout=0.1).probe() or "")
    assert time.monotonic() - began < 5
    _wait_for_threads()


def test_contract_who_waits_for_a_key_that_hangs_has_a_deadline_too(
    make_store: MakeStore, windows: NcryptStandin
) -> None:
    key, _ = make_store(TPM, timeout=0.1).create("ES256")
    windows.fail("NCryptSignHash", NOT_READY, pause_ms=400)
    for _ in range(2):
        assert "did not answer within 0.1 s" in str(_refused(lambda: key.sign(b"m")))
    with pytest.raises(KeyUnavailable, match="did not answer"):
        key._sign(bytes(32))
    _wait_for_threads()
    windows.reset()
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "oidcclient-key-store":
            thread.join(5)


def test_contract_handles_are_freed_with_the_key(make_store: MakeStore, windows: NcryptStandin) -> None:
    store = make_store(TPM)
    key, handle = store.create("ES256")
    assert windows.live == 2  # the provider and the key
    again = store.load(handle)
    assert windows.live == 4
    del key, again
    gc.collect()
    assert windows.live == 0


# -- where there is no such thing


@pytest.mark.parametrize(
    "uri",
    [
        "cng:tpm",
        "cng:provider=",
        "cng:provider=TPM",
        "cng:provider=tpm;x",
        "cng:provider=provider=tpm",
        "cng:x=tpm",
        "CNG:",
        "cng",
    ],
)
def test_contract_other_options_are_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        open_store(uri) if uri.startswith("cng:") else CngStore(uri)


def test_contract_another_algorithm_is_refused(make_store: MakeStore) -> None:
    assert make_store().algorithms() == ("ES256",)
    assert "ES384" in str(_refused(lambda: make_store().create("ES384")))


@pytest.mark.skipif(sys.platform == "win32", reason="for the systems that are not Windows")
def test_elsewhere_than_on_windows_it_says_so() -> None:
    store = open_store("cng:")
    assert store.probe() == "there is no key storage of Windows here: only Windows has it"
    for call in (lambda: store.create("ES256"), lambda: store.load("tpm:" + "0" * 32)):
        assert "only Windows has it" in str(_refused(call))


@pytest.mark.skipif(sys.platform == "win32", reason="there it can be loaded")
def test_contract_a_library_that_cannot_be_loaded_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert "ncrypt.dll cannot be loaded" in (open_store(TPM).probe() or "")


def test_contract_a_library_that_lacks_a_function_is_a_reason(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ncrypt.FUNCTIONS, "NCryptNothing", ())
    assert "has no NCryptNothing" in (make_store().probe() or "")


def test_contract_a_library_that_reads_what_it_must_not_is_a_reason(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> int:
        raise OSError("exception: access violation reading 0x0000000000000000")

    monkeypatch.setattr(ncrypt.Ncrypt, "call", crash)
    assert "does not answer as it should: exception: access violation" in (make_store().probe() or "")


def test_contract_a_message_names_no_key(make_store: MakeStore, windows: NcryptStandin) -> None:
    store = make_store(TPM)
    key, handle = store.create("ES256")
    windows.fail("NCryptOpenKey", c.NTE_BAD_KEYSET)
    with pytest.raises(OidcError) as caught:
        store.load(handle)
    assert handle.partition(":")[2] not in f"{caught.value} {caught.value.hint} {key!r} {store!r}"
    assert isinstance(key, CngKey)
