"""Which backend is taken where, and how. What speaks to Windows, macOS and KWallet is a stand-in here."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import pytest

from oidcclient._shell.store import keyring_backend
from oidcclient._shell.store.keyring_backend import read_secret, write_secret
from oidcclient._words.errors import StoreError


class Backend:
    """A stand-in for a backend; what is written is kept, by service and user name."""

    kept: ClassVar[dict[tuple[str, str], str]] = {}
    built: ClassVar[list[Any]] = []
    priority: ClassVar[Any] = 5

    def __init__(self) -> None:
        self.built.append(self)

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


def _stand_in(monkeypatch: pytest.MonkeyPatch, module: str, name: str, **methods: object) -> type[Backend]:
    kind = type(name, (Backend,), {"kept": {}, "built": [], **methods})
    fake = ModuleType(module)
    setattr(fake, name, kind)
    monkeypatch.setitem(sys.modules, module, fake)
    return kind


def _raise(error: Exception) -> Callable[..., None]:
    def call(*_arguments: object) -> None:
        raise error

    return call


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


def test_contract_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    kind = _stand_in(monkeypatch, "keyring.backends.Windows", "WinVaultKeyring")
    write_secret("0011", "s")
    assert read_secret("0011") == "s"
    assert kind.built[0].persist == "local machine"
    # One service for each secret: the backend moves a secret of the same service away when it writes another.
    assert list(kind.kept) == [("oidcclient/0011", "0011")]


def test_contract_of_windows_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Win32Error(Exception):
        winerror = 1783

    monkeypatch.setattr(sys, "platform", "win32")
    refuse = _raise(Win32Error("a made-up secret"))
    _stand_in(monkeypatch, "keyring.backends.Windows", "WinVaultKeyring", set_password=refuse)
    with pytest.raises(StoreError, match="Win32Error 1783") as caught:
        write_secret("0011", "a made-up secret")
    assert "made-up" not in repr(caught.value.__dict__) + str(caught.value)
    assert caught.value.__context__ is None


def test_contract_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    kind = _stand_in(monkeypatch, "keyring.backends.macOS", "Keyring")
    write_secret("0011", "s")
    assert read_secret("0011") == "s"
    assert list(kind.kept) == [("oidcclient", "0011")]
    locked = type("KeyringLocked", (Exception,), {})
    _stand_in(monkeypatch, "keyring.backends.macOS", "Keyring", get_password=_raise(locked()))
    with pytest.raises(StoreError) as caught:
        read_secret("0011")
    assert caught.value.rule == "locked"


@pytest.mark.usefixtures("linux")
def test_kwallet_is_asked_where_the_secret_service_has_nothing_or_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _stand_in(monkeypatch, *keyring_backend.SECRET_SERVICE)
    second = _stand_in(monkeypatch, *keyring_backend.KWALLET)
    write_secret("0011", "s")
    assert (len(first.kept), len(second.kept)) == (1, 0)
    assert first.built[0].appid == "oidcclient"
    second.kept["oidcclient", "0022"] = "t"
    assert read_secret("0022") == "t"
    assert read_secret("0033") is None
    _stand_in(monkeypatch, *keyring_backend.SECRET_SERVICE, set_password=_raise(RuntimeError()))
    write_secret("0044", "u")
    assert second.kept["oidcclient", "0044"] == "u"


@pytest.mark.usefixtures("linux")
def test_a_locked_secret_service_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = type("LockedException", (Exception,), {})
    _stand_in(monkeypatch, *keyring_backend.SECRET_SERVICE, set_password=_raise(locked()))
    second = _stand_in(monkeypatch, *keyring_backend.KWALLET)
    with pytest.raises(StoreError) as caught:
        write_secret("0011", "s")
    assert caught.value.rule == "locked"
    assert not second.kept


@pytest.mark.usefixtures("linux")
def test_kwallet_is_not_started_where_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPriority:
        def __get__(self, _instance: object, _owner: object) -> None:
            raise RuntimeError("no KWallet")

    _stand_in(monkeypatch, *keyring_backend.SECRET_SERVICE)
    second = _stand_in(monkeypatch, *keyring_backend.KWALLET, priority=NoPriority())
    assert read_secret("0011") is None
    assert not second.built


@pytest.mark.usefixtures("linux")
def test_backends_that_cannot_be_imported_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, _name in (keyring_backend.SECRET_SERVICE, keyring_backend.KWALLET):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError, match="SecretService: ModuleNotFoundError; kwallet: ModuleNotFoundError"):
        read_secret("0011")
