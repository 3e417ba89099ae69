"""A real TPM 2.0 in software (swtpm): what it keeps, what it refuses, and what we make of its errors."""

import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection, SigningKey
from oidcclient_dpop.stores.jose import b64url_decode, b64url_encode
from oidcclient_dpop.stores.tpm2 import constants as c
from oidcclient_dpop.stores.tpm2.blob import WrappedKey
from oidcclient_dpop.stores.tpm2.commands import TpmError
from oidcclient_dpop.stores.tpm2.store import Tpm2Store
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.daemons import Swtpm
from tests.dpop_stores.tpm_commands import Owner

NewTpm = Callable[[], Swtpm]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _store(tpm: Swtpm, timeout: float = 10.0) -> Tpm2Store:
    return Tpm2Store(tpm.uri, timeout=timeout)


def _check(key: SigningKey, like: SigningKey | None = None) -> None:
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=(like or key).public_jwk())


def _wrapped(handle: str) -> WrappedKey:
    return WrappedKey.parse(b64url_decode(handle))


def test_a_key_claims_hardware_and_blocks(tpm: Swtpm) -> None:
    key, handle = _store(tpm).create("ES256")
    assert (key.protection, key.blocks, key.alg) == (Protection.HARDWARE, True, "ES256")
    assert len(handle) < 400


def test_a_key_is_loaded_by_another_process_and_after_a_restart(tpm: Swtpm, in_a_process: Run) -> None:
    key, handle = _store(tpm).create("ES256")
    script = (
        "import sys; from oidcclient_dpop.stores import open_store;"
        "print(open_store(sys.argv[1]).load(sys.argv[2]).sign(b'm').hex())"
    )
    done = in_a_process(script, tpm.uri, handle)
    assert done.returncode == 0, done.stderr
    assert is_signature(bytes.fromhex(done.stdout), b"m", alg="ES256", jwk=key.public_jwk())
    tpm.stop()
    tpm.start()
    _check(key)
    _check(_store(tpm).load(handle), key)


def test_a_simulator_that_was_not_started_up_is_started_up(tpm: Swtpm) -> None:
    tpm.stop()
    tpm.start("not-need-init")
    key, _ = _store(tpm).create("ES256")
    _check(key)


def test_another_tpm_refuses_the_key(new_tpm: NewTpm) -> None:
    ours, other = new_tpm(), new_tpm()
    _, handle = _store(ours).create("ES256")
    with pytest.raises(KeyLost, match="INTEGRITY"):
        _store(other).load(handle)


def test_a_cleared_tpm_has_lost_the_key(tpm: Swtpm) -> None:
    key, handle = _store(tpm).create("ES256")
    tpm.stop()
    tpm.clear()
    tpm.start()
    with pytest.raises(KeyLost):
        _store(tpm).load(handle)
    with pytest.raises(KeyLost):
        key.sign(b"m")


@pytest.mark.parametrize("with_root", [False, True])
def test_a_key_cannot_be_duplicated(tpm: Swtpm, with_root: bool) -> None:
    if with_root:
        with Owner(tpm.socket) as owner:
            owner.set_up_storage_root()
    _, handle = _store(tpm).create("ES256")
    with Owner(tpm.socket) as owner, pytest.raises(TpmError) as caught:
        owner.duplicate(_wrapped(handle))
    assert caught.value.code == c.RC_AUTH_TYPE  # no policy could ever allow it


def test_a_storage_root_key_is_used_where_there_is_one(tpm: Swtpm) -> None:
    key, handle = _store(tpm).create("ES256")
    assert _wrapped(handle).parent == c.RH_OWNER
    with Owner(tpm.socket) as owner:
        owner.set_up_storage_root()
        owner.take_ownership(b"secret")
    _, rooted = _store(tpm).create("ES256")
    assert _wrapped(rooted).parent == c.SRK_HANDLE
    _check(_store(tpm).load(rooted))
    with pytest.raises(KeyUnavailable, match="owner hierarchy"):
        _store(tpm).load(handle)
    with pytest.raises(KeyUnavailable, match="owner hierarchy"):
        key.sign(b"m")


def test_an_owner_with_a_password_and_no_storage_root_key(tpm: Swtpm) -> None:
    with Owner(tpm.socket) as owner:
        owner.take_ownership(b"secret")
    assert _store(tpm).probe() is None
    with pytest.raises(KeyUnavailable, match="owner hierarchy") as caught:
        _store(tpm).create("ES256")
    assert "0x81000001" in caught.value.hint


def test_a_storage_root_key_that_is_gone_takes_its_keys_with_it(tpm: Swtpm) -> None:
    with Owner(tpm.socket) as owner:
        owner.set_up_storage_root()
    _, handle = _store(tpm).create("ES256")
    with Owner(tpm.socket) as owner:
        owner.remove_storage_root()
    with pytest.raises(KeyLost):
        _store(tpm).load(handle)


def test_objects_that_a_dead_program_left_are_flushed(tpm: Swtpm) -> None:
    key, handle = _store(tpm).create("ES256")
    for _ in range(2):
        with Owner(tpm.socket) as owner:
            owner.leave_loaded(_wrapped(handle), 2)
        _check(key)
    _check(key)


def _forged(handle: str, attributes: int) -> str:
    wrapped = b64url_decode(handle)
    ours = struct.pack(">I", c.SIGNING_ATTRIBUTES)
    assert wrapped.count(ours) == 1
    return b64url_encode(wrapped.replace(ours, struct.pack(">I", attributes)))


def test_a_blob_without_the_fixed_attributes_is_refused_before_the_tpm_sees_it(tpm: Swtpm) -> None:
    _, handle = _store(tpm).create("ES256")
    tpm.stop()
    for bit in (c.FIXED_TPM, c.FIXED_PARENT, c.SENSITIVE_DATA_ORIGIN, c.NO_DA, c.USER_WITH_AUTH):
        with pytest.raises(KeyLost, match="not fixed to this TPM"):
            _store(tpm).load(_forged(handle, c.SIGNING_ATTRIBUTES & ~bit))


def test_a_blob_of_two_keys_is_refused_by_the_tpm(tpm: Swtpm) -> None:
    one, other = (_wrapped(_store(tpm).create("ES256")[1]) for _ in range(2))
    mixed = WrappedKey(one.parent, one.public, other.private)
    with pytest.raises(KeyLost):
        _store(tpm).load(b64url_encode(mixed.dump()))


def test_each_byte_of_a_blob_counts(tpm: Swtpm) -> None:
    _, handle = _store(tpm).create("ES256")
    blob = b64url_decode(handle)
    for position in range(0, len(blob), 7):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(KeyLost):
            _store(tpm).load(b64url_encode(bytes(changed)))
    for wrong in (blob[:-1], blob + b"\0", blob * 6, b""):
        with pytest.raises(KeyLost):
            _store(tpm).load(b64url_encode(wrong))


def test_no_tpm_and_no_permission_are_told_apart(tmp_path: Path) -> None:
    none = Tpm2Store(f"tpm2:device={tmp_path}/tpmrm0").probe()
    assert none is not None
    assert none.startswith("no TPM: ")
    assert "tss" not in none


@pytest.mark.parametrize("kind", ["device", "socket"])
def test_without_permission_the_reason_says_how_to_get_it(kind: str, tpm: Swtpm, in_a_process: Run) -> None:
    path = tpm.socket
    if kind == "device":
        path = tpm.socket.with_name("tpmrm0")
        path.touch()
    path.chmod(0)
    for folder in (tpm.socket.parent, tpm.socket.parent.parent):
        folder.chmod(0o755)
    script = """
import os, socket, sys  # the other user may not read the folder of our Python: all is imported before
from oidcclient import KeyUnavailable
from oidcclient_dpop.stores.tpm2 import store
store_ = store.Tpm2Store(sys.argv[1])
if os.geteuid() == 0:  # whom nothing is forbidden
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(store_.probe())
try:
    store_.create("ES256")
except KeyUnavailable as error:
    print(error)
"""
    done = in_a_process(script, f"tpm2:{kind}={path}")
    assert done.returncode == 0, done.stderr
    probed, refused = done.stdout.splitlines()
    assert probed.startswith(f"no permission for {path}: add your user to the group tss")
    assert "uaccess" in probed
    assert probed.partition(":")[0] in refused


def test_a_tpm_that_went_away_is_unavailable_and_comes_back(tpm: Swtpm) -> None:
    key, handle = _store(tpm).create("ES256")
    tpm.stop()
    for use in (lambda: key.sign(b"m"), lambda: _store(tpm).load(handle), lambda: _store(tpm).create("ES256")):
        with pytest.raises(KeyUnavailable, match="no TPM"):
            use()
    tpm.start()
    _check(key)


def test_a_tpm_that_somebody_else_holds_is_waited_for(tpm: Swtpm) -> None:
    key, _ = _store(tpm, timeout=0.3).create("ES256")
    patient, _ = _store(tpm).create("ES256")
    with Owner(tpm.socket):
        before = time.monotonic()
        with pytest.raises(KeyUnavailable, match=r"within 0\.3 s"):
            key.sign(b"m")
        assert time.monotonic() - before < 2
        helper = threading.Thread(target=_check, args=(patient,))
        helper.start()
    helper.join()


@pytest.mark.parametrize(
    "uri", ["tpm2:dev=/x", "tpm2:device=", "tpm2:device=tpm0", "tpm2:socket=x", "tpm2:/dev/tpm0", "tpm2:device=/a\0b"]
)
def test_a_wrong_uri_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        Tpm2Store(uri)


@pytest.mark.skipif(sys.platform != "linux", reason="what is said is for Linux")
def test_a_tpm_of_the_old_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.exists", lambda path: path == "/dev/tpm0")
    from oidcclient_dpop.stores.tpm2.problems import why_not_open  # noqa: PLC0415 - after the patch

    assert "TPM 1.2" in why_not_open(FileNotFoundError(2, "x"), "/dev/tpmrm0")
    assert "in use" in why_not_open(OSError(16, "x"), "/dev/tpm0")
    assert "cannot be opened" in why_not_open(OSError(5, "x"), "/dev/tpmrm0")
