"""Files that are not what was written: an error with a hint, nothing deleted, nothing believed."""

import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient._shell.store import files, upkeep
from oidcclient._shell.store.contract_parts import example_record
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.place import Place, account_name
from oidcclient._shell.store.sealing import HEADER_BYTES, MAGIC, NONCE_BYTES, record_bytes, seal
from oidcclient._words.errors import LoginRequired, OidcError, StoreError
from tests.store.folders import GROUP, KEY, RECORD, record_file, stored


def _spoil(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:HEADER_BYTES],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"something else altogether, and of some length at that",
        lambda data: _spoil(data, 0),
        lambda data: _spoil(data, HEADER_BYTES),
        lambda data: _spoil(data, HEADER_BYTES + NONCE_BYTES),
        lambda data: _spoil(data, len(data) - 1),
    ],
)
def test_a_damaged_record_is_kept_aside(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    store, path = stored(tmp_path)
    damaged = change(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        store.load(KEY)
    aside = path.with_name(path.name + ".damaged-1")
    assert (caught.value.rule, aside.read_bytes()) == ("damaged", damaged)
    assert "Sign in again" in caught.value.hint
    assert str(aside) in str(caught.value)
    assert store.load(KEY) is None
    assert store.current(*GROUP) is None
    store.save(RECORD)
    assert store.load(KEY) == RECORD
    path.write_bytes(b"")
    with pytest.raises(StoreError):
        store.current(*GROUP)
    assert path.with_name(path.name + ".damaged-2").exists()
    assert aside.read_bytes() == damaged


@pytest.mark.parametrize(
    "other",
    [
        example_record(account="bob"),
        replace(RECORD, profile="work"),
        replace(RECORD, issuer="https://other.example.com"),
        replace(RECORD, client_id="other"),
    ],
)
def test_a_record_cannot_stand_in_for_another(tmp_path: Path, other: object) -> None:
    store, path = stored(tmp_path)
    assert isinstance(other, type(RECORD))
    store.save(other)
    (strange,) = (found for found in tmp_path.glob("*/*.session") if found != path)
    path.write_bytes(strange.read_bytes())
    with pytest.raises(StoreError) as caught:
        store.load(KEY)
    assert caught.value.rule == "damaged"


@pytest.mark.parametrize("within", [record_bytes(example_record("bob")), b"not JSON", b"[" * 100_000, b'{"version":1}'])
def test_a_record_that_says_it_is_another_is_refused(tmp_path: Path, within: bytes) -> None:
    store, path = stored(tmp_path)
    (key_file,) = tmp_path.glob("*.key")
    place = Place(str(tmp_path), *GROUP, account_name("ann"))
    path.write_bytes(seal(within, place, key_id=key_file.stem, key=key_file.read_bytes()))
    with pytest.raises(StoreError) as caught:
        store.load(KEY)
    assert caught.value.rule == "damaged"


@pytest.mark.parametrize("at", [len(MAGIC), len(MAGIC) + 1])
def test_a_newer_file_is_left_alone(tmp_path: Path, at: int) -> None:
    store, path = stored(tmp_path)
    data = path.read_bytes()
    newer = data[:at] + b"\x02" + data[at + 1 :]
    path.write_bytes(newer)
    calls: list[Callable[[], object]] = [
        lambda: store.load(KEY),
        lambda: store.current(*GROUP),
        lambda: store.save(RECORD),
    ]
    for call in calls:
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.rule == "version"
        assert "Update" in caught.value.hint
    assert path.read_bytes() == newer
    assert len(list(path.parent.glob("*session*"))) == 1


def test_a_newer_record_within_is_left_alone(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    (key_file,) = tmp_path.glob("*.key")
    place = Place(str(tmp_path), *GROUP, account_name("ann"))
    newer = seal(b'{"version":2}', place, key_id=key_file.stem, key=key_file.read_bytes())
    path.write_bytes(newer)
    with pytest.raises(StoreError) as caught:
        store.load(KEY)
    assert caught.value.rule == "version"
    assert path.read_bytes() == newer


def test_a_save_keeps_a_foreign_file_aside(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    path.write_bytes(b"foreign")
    store.save(RECORD)
    assert path.with_name(path.name + ".damaged-1").read_bytes() == b"foreign"
    assert store.load(KEY) == RECORD


def test_other_files_in_the_folder_are_not_ours(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    for name in ("notes.txt", "x.session", f"{path.name}.damaged-1", f"{path.name}~"):
        (path.parent / name).write_bytes(b"not ours")
    assert store.records(*GROUP) == (RECORD,)


def test_a_damaged_pointer_is_kept_aside_rather_than_guessed(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    pointer = path.parent / "current"
    pointer.write_bytes(b"\xff")
    with pytest.raises(StoreError):
        store.current(*GROUP)
    assert (path.parent / "current.damaged-1").read_bytes() == b"\xff"
    assert store.current(*GROUP) == RECORD


def test_a_damaged_name_of_the_key_loses_nothing(tmp_path: Path) -> None:
    store, _path = stored(tmp_path)
    (tmp_path / "file.key-id").write_text("zz")
    store.save(example_record("bob"))
    assert FileStore(tmp_path).load(KEY) == RECORD
    assert FileStore(tmp_path).load(example_record("bob").key) is not None


def test_a_damaged_key_is_kept_aside(tmp_path: Path) -> None:
    stored(tmp_path)
    (key_file,) = tmp_path.glob("*.key")
    key_file.write_bytes(b"short")
    with pytest.raises(StoreError) as caught:
        FileStore(tmp_path).load(KEY)
    assert caught.value.rule == "damaged"
    with pytest.raises(LoginRequired):
        FileStore(tmp_path).load(KEY)


def test_a_key_that_is_gone_asks_for_a_login_and_the_record_stays(tmp_path: Path) -> None:
    stored(tmp_path)
    path = record_file(tmp_path)
    before = path.read_bytes()
    (key_file,) = tmp_path.glob("*.key")
    key_file.unlink()
    store = FileStore(tmp_path)
    for call in (lambda: store.load(KEY), lambda: store.current(*GROUP), lambda: store.records(*GROUP)):
        with pytest.raises(LoginRequired) as caught:
            call()
        assert caught.value.rule == "key"
    assert path.read_bytes() == before
    store.probe()
    store.save(example_record("bob"))
    assert [record.account for record in store.records(*GROUP)] == ["bob"]
    store.save(RECORD)
    assert FileStore(tmp_path).load(KEY) == RECORD


def test_a_probe_notices_that_the_key_is_gone(tmp_path: Path) -> None:
    store, _path = stored(tmp_path)
    (key_file,) = tmp_path.glob("*.key")
    key_file.unlink()
    store.probe()
    store.save(RECORD)
    assert FileStore(tmp_path).load(KEY) == RECORD


def test_what_was_saved_in_between_is_not_moved_aside(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    good = path.read_bytes()
    path.write_bytes(b"damaged")
    content = files.read_file(str(path))
    assert content is not None
    store.save(RECORD)
    assert upkeep.move_aside(str(path), content) is None
    assert store.load(KEY) == RECORD
    assert len(good) == path.stat().st_size


@pytest.mark.parametrize("newer", [False, True])
def test_what_was_saved_just_before_the_move_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newer: bool
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"damaged")
    content = files.read_file(str(path))
    assert content is not None
    rename = os.rename

    def slow_rename(source: str, target: str) -> None:
        files.write_file(str(path), b"good, and longer")
        rename(source, target)
        if newer:
            path.write_bytes(b"newer still")

    monkeypatch.setattr(os, "rename", slow_rename)
    assert upkeep.move_aside(str(path), content) is None
    assert path.read_bytes() == (b"newer still" if newer else b"good, and longer")


def test_nothing_secret_lies_in_the_clear(tmp_path: Path) -> None:
    store, _path = stored(tmp_path)
    store.save(example_record("bob@example.com"))
    names = " ".join(str(found.relative_to(tmp_path)) for found in tmp_path.rglob("*"))
    everything = b"".join(found.read_bytes() for found in tmp_path.rglob("*") if found.is_file()) + names.encode()
    for word in (b"made-up", b"made.up", b"ann", b"bob", b"example.com", b"desktop", b"nonces", b"default", b"openid"):
        assert word not in everything


def test_the_same_record_never_looks_the_same(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    before = path.read_bytes()
    store.save(RECORD)
    assert path.read_bytes()[HEADER_BYTES:] != before[HEADER_BYTES:]


def test_what_json_cannot_hold_is_refused_and_not_shown(tmp_path: Path) -> None:
    store, _path = stored(tmp_path)
    for wrong in ({"a": b"made-up secret"}, {"a": float("nan")}):
        with pytest.raises(StoreError) as caught:
            store.save(replace(RECORD, hook_state={"made-up": wrong}))
        shown = "".join(traceback.format_exception(caught.value))
        assert caught.value.rule == "record"
        assert "made-up secret" not in shown
    assert store.load(KEY) == RECORD


def _changed(data: bytes, changes: list[tuple[int, int]], length: int | None) -> bytes:
    spoiled = bytearray(data)
    for at, value in changes:
        spoiled[at % len(spoiled)] ^= value
    return bytes(spoiled[:length])


@given(
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), max_size=4),
    length=st.none() | st.integers(0, 2000),
)
def test_any_change_of_the_bytes_is_an_error_of_ours(changes: list[tuple[int, int]], length: int | None) -> None:
    with TemporaryDirectory() as folder:
        store, path = stored(Path(folder))
        data = path.read_bytes()
        changed = _changed(data, changes, length)
        path.write_bytes(changed)
        try:
            assert store.load(KEY) == RECORD
            assert changed == data
        except OidcError:
            assert changed != data
            assert changed in [found.read_bytes() for found in path.parent.glob("*.session*")]
