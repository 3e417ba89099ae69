"""What answers in place of a TPM may say anything, or nothing: we end in time, with an error of ours."""

import struct
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import KeyLost, KeyUnavailable
from oidcclient_dpop.stores.tpm2 import constants as c
from oidcclient_dpop.stores.tpm2.blob import WrappedKey, parse_public
from oidcclient_dpop.stores.tpm2.commands import Tpm, TpmError
from oidcclient_dpop.stores.tpm2.marshal import MalformedAnswer, parse_header, parse_response
from oidcclient_dpop.stores.tpm2.store import Tpm2Store
from oidcclient_dpop.stores.tpm2.transport import Channel, DeadlinePassed
from tests.dpop_stores.daemons import Swtpm, answering


def _response(code: int = 0, body: bytes = b"", tag: int = c.ST_NO_SESSIONS) -> bytes:
    return struct.pack(">HII", tag, 10 + len(body), code) + body


@contextmanager
def _store(folder: Path, answer: bytes | None, timeout: float = 0.5) -> Generator[Tpm2Store]:
    with answering(folder / "s", lambda _: answer):
        yield Tpm2Store(f"tpm2:socket={folder}/s", timeout=timeout)


def test_a_tpm_that_never_answers_ends_within_its_deadline(short_folder: Path) -> None:
    with _store(short_folder, None) as store:
        before = time.monotonic()
        assert store.probe() is None
        with pytest.raises(KeyUnavailable, match=r"within 0\.5 s"):
            store.create("ES256")
        assert time.monotonic() - before < 2


@pytest.mark.parametrize("code", [c.RC_RETRY, c.RC_YIELDED, c.RC_TESTING])
def test_a_tpm_that_stays_busy_ends_within_its_deadline(short_folder: Path, code: int) -> None:
    with _store(short_folder, _response(code)) as store:
        before = time.monotonic()
        with pytest.raises(KeyUnavailable, match=r"within 0\.5 s"):
            store.create("ES256")
        assert time.monotonic() - before < 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 10,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        _response()[:9] + b"",
        _response(tag=0x00C4),
        struct.pack(">HII", c.ST_NO_SESSIONS, 9, 0),
        struct.pack(">HII", c.ST_NO_SESSIONS, 0xFFFFFFFF, 0),
        struct.pack(">HII", c.ST_NO_SESSIONS, 4097, 0) + b"x" * 4087,
        _response() + b"more",
        _response(body=b"\xff\xff" + b"x" * 600),
        _response(tag=c.ST_SESSIONS),
        _response(0x101),
        _response(0xFFFFFFFF),
    ],
)
def test_what_is_no_answer_is_an_error_of_ours(short_folder: Path, answer: bytes) -> None:
    with _store(short_folder, answer) as store, pytest.raises(KeyUnavailable):
        store.create("ES256")


class _Scripted(Channel):
    """Answers with given bytes, one after the other."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__(-1, works_on=False)
        self._answers = iter(answers)

    def exchange(self, command: bytes, deadline: float) -> bytes:
        answer = next(self._answers, b"")
        size = parse_header(answer) if len(answer) >= c.HEADER else -1
        if size != len(answer):
            raise MalformedAnswer("size")
        return answer


def _well_framed(tag: int, code: int, body: bytes) -> bytes:
    return _response(code, body, tag)


_answers = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            _well_framed,
            st.sampled_from([c.ST_NO_SESSIONS, c.ST_SESSIONS]),
            st.one_of(st.just(0), st.just(0), st.integers(0, 0xFFFF)),
            st.one_of(
                st.binary(max_size=200),
                st.builds(
                    lambda body: struct.pack(">I", len(body)) + body + b"\0\0\1\0\0",
                    st.binary(max_size=200),
                ),
            ),
        ),
    ),
    max_size=6,
)


@given(_answers)
def test_no_answers_bring_anything_but_a_key_or_a_typed_error(answers: list[bytes]) -> None:
    tpm = Tpm(_Scripted(answers), time.monotonic() + 0.05)
    key = WrappedKey(c.RH_OWNER, _public(), b"private")
    for use in (tpm.create, lambda: tpm.load(key), lambda: tpm.sign(1, b"d" * 32), tpm.flush_all, tpm.startup):
        with suppress(MalformedAnswer, TpmError, DeadlinePassed):
            use()


def _public(x: bytes = b"x" * 32, y: bytes = b"y" * 32) -> bytes:
    from oidcclient_dpop.stores.tpm2.blob import signing_template  # noqa: PLC0415 - for this alone

    return signing_template()[:-4] + struct.pack(">H", len(x)) + x + struct.pack(">H", len(y)) + y


@given(st.binary(max_size=300))
def test_no_bytes_are_a_blob_but_those_of_one(blob: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        WrappedKey.parse(b"\2" + blob)
    with suppress(MalformedAnswer):
        assert WrappedKey.parse(blob).dump() == blob
    with pytest.raises(KeyLost):
        Tpm2Store("tpm2:socket=/nowhere").load(blob.hex())


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_no_bytes_crash_the_parser_of_responses(data: bytes, authorised: bool, gives_handle: bool) -> None:
    with suppress(MalformedAnswer):
        parse_response(data, authorised=authorised, gives_handle=gives_handle)


def test_a_point_is_no_longer_than_its_curve() -> None:
    assert parse_public(_public(b"x" * 31)) == (b"x" * 31, b"y" * 32)
    with pytest.raises(MalformedAnswer):
        parse_public(_public(b"x" * 33))
    with pytest.raises(MalformedAnswer):
        parse_public(_public() + b"\0")
    with pytest.raises(MalformedAnswer):
        WrappedKey(0x81000002, _public(), b"")


def test_a_signature_of_another_scheme_is_none() -> None:
    def signed(scheme: int, digest: int, r: bytes, s: bytes) -> bytes:
        body = struct.pack(">HH", scheme, digest) + b"".join(struct.pack(">H", len(n)) + n for n in (r, s))
        return _response(0, struct.pack(">I", len(body)) + body + b"\0\0\1\0\0", c.ST_SESSIONS)

    def sign(answer: bytes) -> tuple[bytes, bytes]:
        return Tpm(_Scripted([answer]), time.monotonic() + 1).sign(1, b"d" * 32)

    assert sign(signed(c.ALG_ECDSA, c.ALG_SHA256, b"r", b"s")) == (b"r", b"s")
    for wrong in (
        signed(0x0014, c.ALG_SHA256, b"r", b"s"),
        signed(c.ALG_ECDSA, 0x0004, b"r", b"s"),
        signed(c.ALG_ECDSA, c.ALG_SHA256, b"r" * 33, b"s"),
    ):
        with pytest.raises(MalformedAnswer):
            sign(wrong)


def test_a_signature_of_zero_is_none(tpm: Swtpm, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = Tpm2Store(tpm.uri).create("ES256")
    monkeypatch.setattr(Tpm, "sign", lambda *_: (b"\0", b"s"))
    with pytest.raises(KeyUnavailable, match="no signature"):
        key.sign(b"m")


def test_a_tpm_that_is_busy_for_a_moment_is_asked_again(short_folder: Path) -> None:
    busy = iter([c.RC_RETRY, c.RC_YIELDED, c.RC_TESTING])

    def answer(_: bytes) -> bytes:
        code = next(busy, None)
        return _response(code if code is not None else c.RC_HANDLE)

    with answering(short_folder / "s", answer), pytest.raises(KeyUnavailable, match="HANDLE"):
        Tpm2Store(f"tpm2:socket={short_folder}/s", timeout=5).create("ES256")


def test_a_list_of_loaded_objects_has_a_limit() -> None:
    def listed(capability: int, count: int, handles: bytes = b"") -> bytes:
        return _response(body=b"\0" + struct.pack(">II", capability, count) + handles)

    def flush_all(*answers: bytes) -> None:
        Tpm(_Scripted(list(answers)), time.monotonic() + 1).flush_all()

    flush_all(listed(c.CAP_HANDLES, 1, b"\x80\0\0\0"), _response())
    for wrong in (listed(2, 0), listed(c.CAP_HANDLES, 255), listed(c.CAP_HANDLES, 1)):
        with pytest.raises(MalformedAnswer):
            flush_all(wrong)


def test_on_windows_there_is_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert "on this system" in (Tpm2Store().probe() or "")
