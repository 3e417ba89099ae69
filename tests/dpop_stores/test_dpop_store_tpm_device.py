"""A TPM behind a device, as the kernel's resource manager is: a key stays loaded, and nothing waits for ever."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oidcclient import KeyUnavailable
from oidcclient_dpop.keys import SigningKey
from oidcclient_dpop.stores.tpm2.store import Tpm2Store
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.daemons import Device, Swtpm


def _check(key: SigningKey) -> None:
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())


@contextmanager
def _device(tpm: Swtpm, tmp_path: Path, name: str = "tpmrm0") -> Generator[Device]:
    device = Device(tpm.socket, tmp_path / name)
    try:
        yield device
    finally:
        device.close()


def test_a_device_keeps_the_key_loaded(tpm: Swtpm, tmp_path: Path) -> None:
    with _device(tpm, tmp_path) as device:
        key, handle = Tpm2Store(f"tpm2:device={device.path}", timeout=5).create("ES256")
        _check(key)
        before = device.commands
        for _ in range(5):
            _check(key)
        assert device.commands == before + 5
        del key
        again = Tpm2Store(f"tpm2:device={device.path}", timeout=5).load(handle)
        _check(again)


def test_a_device_without_a_resource_manager_is_left_clean(tpm: Swtpm, tmp_path: Path) -> None:
    with _device(tpm, tmp_path, "tpm0") as device:
        key, _ = Tpm2Store(f"tpm2:device={device.path}", timeout=5).create("ES256")
        for _ in range(5):  # a TPM has room for three objects
            _check(key)


def test_a_kept_key_that_the_tpm_forgot_is_loaded_anew(tpm: Swtpm, tmp_path: Path) -> None:
    with _device(tpm, tmp_path) as device:
        key, _ = Tpm2Store(f"tpm2:device={device.path}", timeout=5).create("ES256")
        assert key._kept is not None
        key._kept[0].flush(key._kept[1])
        _check(key)


def test_a_device_that_hangs_ends_within_its_deadline(tpm: Swtpm, tmp_path: Path) -> None:
    with _device(tpm, tmp_path) as device:
        key, handle = Tpm2Store(f"tpm2:device={device.path}", timeout=0.5).create("ES256")
        device.mute = True
        before = time.monotonic()
        for _ in range(2):
            with pytest.raises(KeyUnavailable, match=r"within 0\.5 s"):
                key.sign(b"m")
        with pytest.raises(KeyUnavailable, match=r"within 0\.5 s"):
            Tpm2Store(f"tpm2:device={device.path}", timeout=0.5).load(handle)
        assert time.monotonic() - before < 5


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # that is what is tested
def test_a_child_of_fork_opens_the_device_for_itself(tpm: Swtpm, tmp_path: Path) -> None:
    with _device(tpm, tmp_path) as device:
        key, _ = Tpm2Store(f"tpm2:device={device.path}", timeout=5).create("ES256")
        kept = key._kept
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _check(key)
                code = 0 if key._kept is not kept else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        _check(key)
        assert key._kept is kept
