"""Keys in files: private, by consent, and never through something that others put there."""

import os
import stat
from pathlib import Path

import pytest

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.file_store import FileKeyStore


@pytest.fixture
def store(tmp_path: Path) -> FileKeyStore:
    return FileKeyStore(f"file:{tmp_path}/a b%20/keys".replace(" ", "%20"))


def _file(store: FileKeyStore, handle: str) -> Path:
    return store.folder / f"{handle}.key"


def test_a_key_lies_in_a_private_file_of_a_private_folder(store: FileKeyStore) -> None:
    key, handle = store.create("ES256")
    assert key.protection is Protection.FILE
    assert stat.S_IMODE(_file(store, handle).stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert [path.name for path in store.folder.iterdir()] == [f"{handle}.key"]
    assert _file(store, handle).read_text().partition(".")[2] not in repr((key, handle, store))


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("file:/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("file:/a%20b/%C3%A4", "/a b/ä"),
        ("file:/a b", "/a b"),
    ],
)
def test_a_uri_names_a_folder(uri: str, folder: str) -> None:
    store = FileKeyStore(uri)
    assert store.folder == Path(folder)
    assert FileKeyStore(store.uri).folder == Path(folder)


@pytest.mark.parametrize("uri", ["file:a", "file://host/a", "file:./a", "file:/a%00", "files:/a"])
def test_a_wrong_uri_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        FileKeyStore(uri)


def test_the_usual_folder_is_the_users_or_the_one_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDCCLIENT_HOME", str(tmp_path))
    store = FileKeyStore()
    assert store.folder == tmp_path / "dpop-keys"
    assert store.uri == "file:"
    monkeypatch.delenv("OIDCCLIENT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert store.folder.name == "dpop-keys"
    assert store.folder.is_absolute()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_file_that_others_may_read_is_refused(store: FileKeyStore, mode: int) -> None:
    _, handle = store.create("ES256")
    _file(store, handle).chmod(mode)
    with pytest.raises(KeyUnavailable, match="other users") as caught:
        store.load(handle)
    assert "chmod" in caught.value.hint


def test_a_folder_that_others_may_write_is_refused(store: FileKeyStore) -> None:
    store.create("ES256")
    store.folder.chmod(0o777)
    with pytest.raises(KeyUnavailable, match="other users"):
        store.create("ES256")
    assert store.probe() is not None


@pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")
def test_what_is_no_file_is_refused(store: FileKeyStore, tmp_path: Path) -> None:
    _, handle = store.create("ES256")
    file = _file(store, handle)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyUnavailable):
        store.load(handle)
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(KeyUnavailable):
        store.load(handle)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    store = FileKeyStore(f"file:{tmp_path}/keys")
    assert store.probe() is not None
    with pytest.raises(KeyUnavailable):
        store.create("ES256")
    with pytest.raises(KeyUnavailable):
        FileKeyStore(f"file:{tmp_path}/keys/below").create("ES256")


@pytest.mark.parametrize("content", [b"", b"x", b"ES256.", b"ES256.AAAA", b"\xff" * 40, b"A" * 5000, b"PS256.AQAB"])
def test_a_damaged_file_is_a_lost_key_and_is_not_quoted(store: FileKeyStore, content: bytes) -> None:
    _, handle = store.create("ES256")
    _file(store, handle).write_bytes(content)
    with pytest.raises(KeyLost) as caught:
        store.load(handle)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_file_of_another_user_is_refused(store: FileKeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _, handle = store.create("ES256")
    mine = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: mine + 1)
    with pytest.raises(KeyUnavailable, match="another user"):
        store.load(handle)


def test_what_the_system_refuses_is_said(store: FileKeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _, handle = store.create("ES256")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(KeyUnavailable, match="Permission denied"):
        store.load(handle)
    with pytest.raises(KeyUnavailable, match="Permission denied"):
        store.create("ES256")
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(KeyUnavailable, match="Permission denied"):
        store.delete(handle)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot be written" in (store.probe() or "")
