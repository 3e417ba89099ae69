"""A real agent of OpenSSH: its keys sign JWS, and what cannot be used is said."""

import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.reader import Reader
from oidcclient_dpop.stores.ssh_agent import SshAgentStore
from oidcclient_dpop.stores.ssh_wire import Agent, AgentFailure, AgentKey, MalformedAnswer
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.daemons import SshAgent, answering

FINGERPRINT = "SHA256:" + "A" * 43
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _p256(agent: SshAgent, **names: str) -> SshAgentStore:
    return SshAgentStore(f"ssh-agent:{agent.new_key('ecdsa', bits='256', **names)}", timeout=5)


@pytest.mark.parametrize(("kind", "bits", "alg"), [("ecdsa", "256", "ES256"), ("ed25519", None, "Ed25519")])
def test_a_key_is_chosen_by_its_fingerprint(agent: SshAgent, kind: str, bits: str | None, alg: str) -> None:
    agent.new_key("ecdsa", bits="256", name="first")
    agent.new_key("ed25519", name="second")
    store = SshAgentStore(f"ssh-agent:{agent.new_key(kind, bits=bits)}")
    agent.new_key("rsa", name="last", bits="2048")
    assert store.probe() is None
    assert store.algorithms() == (alg,)
    key, handle = store.create(alg)
    assert (key.protection, key.blocks) == (Protection.ISOLATED, True)
    for message in (b"header.payload", b"", b"x" * 20_000):
        assert is_signature(key.sign(message), message, alg=alg, jwk=key.public_jwk())
    assert store.load(handle).public_jwk() == key.public_jwk()
    store.delete(handle)
    assert store.probe() is None


def test_a_socket_may_be_named(agent: SshAgent, monkeypatch: pytest.MonkeyPatch, in_a_process: Run) -> None:
    fingerprint = agent.new_key("ecdsa", bits="256")
    monkeypatch.delenv("SSH_AUTH_SOCK")
    store = SshAgentStore(f"ssh-agent:{fingerprint}?socket={agent.socket}")
    key, handle = store.create("ES256")
    script = (
        "import sys; from oidcclient_dpop.stores import open_store;"
        "print(open_store(sys.argv[1]).load(sys.argv[2]).sign(b'm').hex())"
    )
    done = in_a_process(script, store.uri, handle)
    assert done.returncode == 0, done.stderr
    assert is_signature(bytes.fromhex(done.stdout), b"m", alg="ES256", jwk=key.public_jwk())
    assert "SSH_AUTH_SOCK" in (SshAgentStore(f"ssh-agent:{fingerprint}").probe() or "")


def test_an_agent_that_is_locked_or_gone_is_unavailable_and_no_key_is_lost(agent: SshAgent, tmp_path: Path) -> None:
    store = _p256(agent)
    key, handle = store.create("ES256")
    password = tmp_path / "password"
    password.write_text("#!/bin/sh\necho made-up\n")
    password.chmod(0o700)
    asking = ("env", f"SSH_ASKPASS={password}", "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:none", "ssh-add")
    agent.run(*asking, "-x")
    assert "has no key" in (store.probe() or "")
    for use in (lambda: key.sign(b"m"), lambda: store.load(handle), lambda: store.create("ES256")):
        with pytest.raises(KeyUnavailable) as caught:
            use()
        assert "ssh-add -X" in caught.value.hint
    agent.run(*asking, "-X")
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())
    agent.stop()
    for use in (lambda: key.sign(b"m"), lambda: store.load(handle)):
        with pytest.raises(KeyUnavailable, match="no SSH agent"):
            use()
    assert store.algorithms() == ("ES256", "Ed25519")
    agent.start()
    with pytest.raises(KeyUnavailable, match="has no key"):
        store.load(handle)
    agent.add("key")
    assert is_signature(key.sign(b"m"), b"m", alg="ES256", jwk=key.public_jwk())


def test_a_key_that_is_bound_to_destinations_is_refused_when_it_is_chosen(agent: SshAgent, tmp_path: Path) -> None:
    host = tmp_path / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host)], check=True)
    known = tmp_path / "known_hosts"
    known.write_text(f"example.com {host.with_suffix('.pub').read_text()}")
    fingerprint = agent.new_key("ecdsa", "-h", "example.com", "-H", str(known), bits="256")
    with pytest.raises(KeyUnavailable, match="refused") as caught:
        SshAgentStore(f"ssh-agent:{fingerprint}").create("ES256")
    assert "destinations" in caught.value.hint


@pytest.mark.parametrize(("kind", "bits"), [("rsa", "2048"), ("ecdsa", "384")])
def test_a_key_of_another_kind_is_refused_with_a_reason(agent: SshAgent, kind: str, bits: str) -> None:
    store = SshAgentStore(f"ssh-agent:{agent.new_key(kind, bits=bits)}")
    assert "of the kind" in (store.probe() or "")
    with pytest.raises(KeyUnavailable, match="of the kind"):
        store.create("ES256")


def test_a_key_for_another_algorithm_is_refused(agent: SshAgent) -> None:
    with pytest.raises(KeyUnavailable):
        _p256(agent).create("Ed25519")
    with pytest.raises(KeyLost):
        _p256(agent, name="other").load(FINGERPRINT)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _listing(*blobs: bytes) -> bytes:
    return _string(b"\x0c" + struct.pack(">I", len(blobs)) + b"".join(_string(blob) + _string(b"") for blob in blobs))


def test_a_fido_key_is_refused_with_a_reason(short_folder: Path) -> None:
    blob = (
        _string(b"sk-ecdsa-sha2-nistp256@openssh.com") + _string(b"nistp256") + _string(b"\4" * 65) + _string(b"ssh:")
    )
    with answering(short_folder / "s", lambda _: _listing(blob)):
        store = SshAgentStore(f"ssh-agent:{AgentKey(blob).fingerprint}?socket={short_folder}/s")
        assert "FIDO" in (store.probe() or "")


def test_an_agent_that_hangs_ends_within_its_deadline(short_folder: Path) -> None:
    with answering(short_folder / "s", lambda _: None):
        store = SshAgentStore(f"ssh-agent:{FINGERPRINT}?socket={short_folder}/s", timeout=0.3)
        before = time.monotonic()
        assert "within 0.3 s" in (store.probe() or "")
        with pytest.raises(KeyUnavailable, match=r"within 0\.3 s"):
            store.create("ES256")
        assert time.monotonic() - before < 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\5",
        b"\0\0\0\1\6",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        _string(b"\x0c\xff\xff\xff\xff"),
        _string(b"\x0c\0\0\0\1\0\0\0\xff"),
        _string(b"\x0c\0\0\0\0more"),
    ],
)
def test_what_is_no_answer_is_an_error_of_ours(short_folder: Path, answer: bytes) -> None:
    with answering(short_folder / "s", lambda _: answer):
        store = SshAgentStore(f"ssh-agent:{FINGERPRINT}?socket={short_folder}/s", timeout=0.3)
        with pytest.raises(KeyUnavailable):
            store.create("ES256")


def test_an_agent_that_signs_wrongly_is_found_out(short_folder: Path) -> None:
    blob = _string(b"ssh-ed25519") + _string(b"k" * 32)

    def answer(question: bytes) -> bytes:
        if question[4] == 11:
            return _listing(blob)
        return _string(b"\x0e" + _string(_string(b"ssh-ed25519") + _string(b"s" * 64)))

    with answering(short_folder / "s", answer):
        store = SshAgentStore(f"ssh-agent:{AgentKey(blob).fingerprint}?socket={short_folder}/s", timeout=2)
        with pytest.raises(KeyUnavailable, match="do not verify"):
            store.create("Ed25519")


class _Scripted(Agent):
    """An agent that says given bytes."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def _ask(self, question: bytes, *, expected: int) -> Any:
        return Reader(self._said)


KEYS = [
    AgentKey(_string(b"ssh-ed25519") + _string(b"k" * 32)),
    AgentKey(_string(b"ecdsa-sha2-nistp256") + _string(b"nistp256") + _string(b"\4" + b"k" * 64)),
]
_strings = st.recursive(
    st.binary(max_size=70).map(_string),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: _string(b"".join(parts))),
)


@given(
    st.one_of(
        st.binary(max_size=100),
        _strings,
        st.builds(
            lambda kind, body: _string(_string(kind) + _string(body)),
            st.sampled_from([b"ssh-ed25519", b"ecdsa-sha2-nistp256"]),
            st.one_of(st.binary(max_size=70), st.lists(_strings, max_size=3).map(b"".join)),
        ),
    )
)
def test_no_bytes_are_taken_for_anything_but_a_signature(said: bytes) -> None:
    for key in KEYS:
        with suppress(MalformedAnswer, AgentFailure):
            assert len(_Scripted(said).sign(key, b"m")) == 64
    with suppress(MalformedAnswer):
        _Scripted(said).list_keys()
    with suppress(MalformedAnswer):
        AgentKey(said).public()


@pytest.mark.parametrize(
    "blob",
    [
        _string(b"ssh-ed25519") + _string(b"k" * 31),
        _string(b"ssh-ed25519") + _string(b"k" * 32) + b"x",
        _string(b"ecdsa-sha2-nistp256") + _string(b"nistp384") + _string(b"\4" + b"k" * 64),
        _string(b"ecdsa-sha2-nistp256") + _string(b"nistp256") + _string(b"\2" + b"k" * 64),
    ],
)
def test_a_malformed_key_is_none(blob: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        AgentKey(blob).public()


@pytest.mark.parametrize(
    "uri",
    [
        "ssh-agent:",
        "ssh-agent:MD5:aa:bb",
        "ssh-agent:SHA256:short",
        f"ssh-agent:{FINGERPRINT}?socket=relative",
        f"ssh-agent:{FINGERPRINT}?other=/x",
        f"ssh-agent:{FINGERPRINT}?socket=/x&y=z",
        f"ssh-agent:{FINGERPRINT}?socket=/x%00",
    ],
)
def test_a_wrong_uri_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        SshAgentStore(uri)


def test_a_uri_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"ssh-agent:{FINGERPRINT}?socket=/a%20b"
    assert SshAgentStore(uri).uri == uri
    assert SshAgentStore(f"ssh-agent:{FINGERPRINT}=").uri == f"ssh-agent:{FINGERPRINT}"
    monkeypatch.setattr("sys.platform", "win32")
    assert "named pipe" in (SshAgentStore(uri).probe() or "")
