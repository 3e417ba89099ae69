"""Keys on a real PKCS#11 token in software (SoftHSM): only those that cannot be taken out."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oidcclient import KeyLost, KeyUnavailable
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.pkcs11 import Pkcs11Store
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.daemons import PIN, SoftHsm

Run = Callable[..., "subprocess.CompletedProcess[str]"]
P256 = bytes.fromhex("06082a8648ce3d030107")
P384 = bytes.fromhex("06052b81040022")


@pytest.fixture
def token(soft_hsm: SoftHsm) -> SoftHsm:
    soft_hsm.new_token("oidc")
    return soft_hsm


def _session(token: SoftHsm) -> Any:
    import pkcs11  # noqa: PLC0415 - an extra

    found = pkcs11.lib(str(token.module)).get_token(token_label="oidc")
    try:
        return found.open(rw=True, user_pin=PIN)
    except pkcs11.UserAlreadyLoggedIn:  # by a store: it counts for the whole program
        return found.open(rw=True)


def _make(token: SoftHsm, label: str, curve: bytes = P256, **private: bool) -> None:
    """Make a key as somebody else would."""
    from pkcs11 import Attribute, KeyType  # noqa: PLC0415 - an extra

    with _session(token) as session:
        session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True).generate_keypair(
            store=True,
            label=label,
            id=label.encode(),
            private_template={Attribute[name]: value for name, value in private.items()},
        )


def test_a_made_key_cannot_be_taken_out(token: SoftHsm) -> None:
    import pkcs11  # noqa: PLC0415 - an extra
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415 - an extra

    store = Pkcs11Store(token.uri("token=oidc"))
    key, handle = store.create("ES256")
    assert (key.protection, key.blocks) == (Protection.ISOLATED, True)  # it says itself that it is no hardware
    store.use(lambda inner: inner._close())
    with _session(token) as session:
        private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(handle.partition(":")[2]))
        assert private[Attribute.SENSITIVE]
        assert private[Attribute.ALWAYS_SENSITIVE]
        assert private[Attribute.NEVER_EXTRACTABLE]
        assert private[Attribute.LOCAL]
        assert not private[Attribute.EXTRACTABLE]
        with pytest.raises(pkcs11.AttributeSensitive):
            private[Attribute.VALUE]
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())  # in a new session, by itself


def test_a_key_is_found_by_another_process(token: SoftHsm, in_a_process: Run) -> None:
    uri = token.uri("token=oidc")
    key, handle = Pkcs11Store(uri).create("ES256")
    script = (
        "import sys; from oidcclient_dpop.stores import open_store;"
        "print(open_store(sys.argv[1]).load(sys.argv[2]).sign(b'm').hex())"
    )
    done = in_a_process(script, uri, handle)
    assert done.returncode == 0, done.stderr
    assert is_signature(bytes.fromhex(done.stdout), b"m", alg="ES256", jwk=key.public_jwk())


@pytest.mark.parametrize("path", ["token=oidc;object=mine", "token=oidc;id=mine;type=private", "object=mine;id=%6dine"])
def test_a_named_key_is_used_and_stays(token: SoftHsm, path: str) -> None:
    _make(token, "mine", EXTRACTABLE=False, SENSITIVE=True)
    _make(token, "other", EXTRACTABLE=False, SENSITIVE=True)
    store = Pkcs11Store(token.uri(path))
    key, handle = store.create("ES256")
    assert handle == "found"
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())
    store.delete(handle)
    assert store.load(handle).public_jwk() == key.public_jwk()


def test_a_named_key_that_is_not_there_is_not_made(token: SoftHsm) -> None:
    store = Pkcs11Store(token.uri("token=oidc;object=none"))
    with pytest.raises(KeyUnavailable, match="no such key"):
        store.create("ES256")
    with pytest.raises(KeyLost):
        store.load("found")


def test_a_name_that_two_keys_have_is_refused(token: SoftHsm) -> None:
    _make(token, "twice", EXTRACTABLE=False, SENSITIVE=True)
    _make(token, "twice", EXTRACTABLE=False, SENSITIVE=True)
    with pytest.raises(KeyUnavailable, match="more than one key"):
        Pkcs11Store(token.uri("token=oidc;object=twice")).create("ES256")


def test_a_key_that_can_be_taken_out_is_refused(token: SoftHsm) -> None:
    _make(token, "open", EXTRACTABLE=True, SENSITIVE=False)
    _make(token, "wrappable", EXTRACTABLE=True, SENSITIVE=True)
    for label in ("open", "wrappable"):
        with pytest.raises(KeyUnavailable, match="can be taken out"):
            Pkcs11Store(token.uri(f"token=oidc;object={label}")).create("ES256")


def test_a_key_that_was_put_into_the_token_is_refused(token: SoftHsm, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - an extra
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    from oidcclient_dpop.stores.software import generate  # noqa: PLC0415 - for this alone

    pem.write_bytes(generate().private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    subprocess.run(
        ["softhsm2-util", "--import", str(pem), "--token", "oidc", "--label", "put", "--id", "aa", "--pin", PIN],
        check=True,
        capture_output=True,
    )
    with pytest.raises(KeyUnavailable, match="could once be taken out"):
        Pkcs11Store(token.uri("token=oidc;object=put")).create("ES256")


def test_a_key_on_another_curve_is_refused(token: SoftHsm) -> None:
    _make(token, "p384", P384, EXTRACTABLE=False, SENSITIVE=True)
    with pytest.raises(KeyUnavailable, match="none for ES256"):
        Pkcs11Store(token.uri("token=oidc;object=p384")).create("ES256")


def test_a_key_that_was_replaced_is_lost(token: SoftHsm) -> None:
    from pkcs11 import ObjectClass  # noqa: PLC0415 - an extra

    _make(token, "mine", EXTRACTABLE=False, SENSITIVE=True)
    store = Pkcs11Store(token.uri("token=oidc;object=mine"))
    key, _ = store.create("ES256")
    store.use(lambda inner: inner._close())
    with _session(token) as session:
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            session.get_key(object_class=kind, label="mine").destroy()
    _make(token, "mine", EXTRACTABLE=False, SENSITIVE=True)
    with pytest.raises(KeyLost):
        key.sign(b"m")


def test_a_wrong_pin_is_tried_once(token: SoftHsm) -> None:
    store = Pkcs11Store(token.uri("token=oidc", pin="9999"))
    assert store.probe() is None  # a probe gives no PIN
    with pytest.raises(KeyUnavailable, match="refused the PIN") as caught:
        store.create("ES256")
    assert "9999" not in f"{caught.value!r} {store!r} {store.uri}"
    with pytest.raises(KeyUnavailable, match="refused before"):
        store.create("ES256")


def test_a_pin_may_be_in_a_file_or_asked_for_or_missing(token: SoftHsm, tmp_path: Path) -> None:
    without = token.uri("token=oidc").partition("&")[0]
    with pytest.raises(KeyUnavailable, match="wants a PIN"):
        Pkcs11Store(without).create("ES256")
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        Pkcs11Store(f"{without}&pin-source=file:{tmp_path}/pin").create("ES256")
    (tmp_path / "pin").write_text(f"{PIN}\n")
    Pkcs11Store(f"{without}&pin-source=file:{tmp_path}/pin").create("ES256")
    Pkcs11Store(without, pin=lambda: PIN).create("ES256")
    (tmp_path / "pin").write_text("1" * 2000)
    with pytest.raises(KeyUnavailable, match="too long"):
        Pkcs11Store(f"{without}&pin-source={tmp_path}/pin").create("ES256")


def test_a_missing_module_or_token_is_said(token: SoftHsm, tmp_path: Path) -> None:
    assert "no PKCS#11 module" in (Pkcs11Store(f"pkcs11:?module-path={tmp_path}/none.so").probe() or "")
    assert "no PKCS#11 module" in (Pkcs11Store("pkcs11:?module-name=no-such-module").probe() or "")
    (tmp_path / "bad.so").write_text("no library")
    assert "cannot be loaded" in (Pkcs11Store(f"pkcs11:?module-path={tmp_path}/bad.so").probe() or "")
    assert "no token" in (Pkcs11Store(token.uri("token=other")).probe() or "")
    token.new_token("second")


def test_two_stores_of_one_token_do_not_sign_each_other_out(token: SoftHsm) -> None:
    one, other = (Pkcs11Store(token.uri("token=oidc")) for _ in range(2))
    first, _ = one.create("ES256")
    second, _ = other.create("ES256")
    for _ in range(2):
        one.use(lambda inner: inner._close())  # which signs the whole program out
        for key in (second, first):
            assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())


def test_two_stores_of_one_module_take_turns(token: SoftHsm) -> None:
    keys = [Pkcs11Store(token.uri("token=oidc")).create("ES256")[0] for _ in range(3)]
    bad: list[object] = []

    def work(number: int) -> None:
        try:
            for key in keys:
                message = b"%d" % number
                assert is_signature(key.sign(message), message, alg="ES256", jwk=key.public_jwk())
        except BaseException as error:  # noqa: BLE001 - shown in the test's own thread
            bad.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bad == []


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # that is what is tested
def test_a_child_of_fork_is_told(token: SoftHsm) -> None:
    key, _ = Pkcs11Store(token.uri("token=oidc")).create("ES256")
    child = os.fork()
    if child == 0:
        code = 1
        problems = []
        try:
            for use in (lambda: key.sign(b"m"), lambda: Pkcs11Store(token.uri("token=oidc")).create("ES256")):
                try:
                    use()
                except KeyUnavailable as error:
                    problems.append(error.rule)
            code = 0 if problems == ["fork", "fork"] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_module_that_hangs_ends_within_its_deadline(token: SoftHsm) -> None:
    store = Pkcs11Store(token.uri("token=oidc"), timeout=0.2)
    free = threading.Event()
    threading.Timer(1.5, free.set).start()
    with pytest.raises(KeyUnavailable, match=r"within 0\.2 s"):
        store.use(lambda _: free.wait(5))
    with pytest.raises(KeyUnavailable):
        store.create("ES256")
    free.set()


def test_without_the_package_the_error_says_how_to_get_it(token: SoftHsm, in_a_process: Run) -> None:
    script = (
        "import sys; sys.modules['pkcs11'] = None\n"
        "from oidcclient_dpop.stores import open_store\n"
        "print(open_store(sys.argv[1]).probe())"
    )
    done = in_a_process(script, token.uri("token=oidc"))
    assert "python-pkcs11 is not installed" in done.stdout, done.stderr


def test_another_algorithm_is_refused(token: SoftHsm) -> None:
    with pytest.raises(KeyUnavailable):
        Pkcs11Store(token.uri("token=oidc")).create("RS256")
