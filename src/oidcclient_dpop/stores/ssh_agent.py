"""
The key store `ssh-agent:`: a key that an SSH agent already has, chosen by its fingerprint.

Behind an agent may be a Secure Enclave (Secretive), a TPM (ssh-tpm-agent), a YubiKey or a file: nobody can tell from
here, so the protection that is claimed is that of another process. A key for signing in to servers should not be used
for this: make one of its own.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection

from .deadline import too_slow
from .jose import P256_BYTES, b64url_encode, ec_public_jwk

if TYPE_CHECKING:
    from .ssh_wire import Agent, AgentKey

__all__ = ["AgentSigningKey", "SshAgentStore"]

SOCKET_VARIABLE: Final = "SSH_AUTH_SOCK"
TIMEOUT_S: Final = 30.0  # an agent may ask the person for each signature
PROBE_S: Final = 2.0
FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")  # what ssh-add -l prints
ALGORITHMS: Final = {b"ecdsa-sha2-nistp256": "ES256", b"ssh-ed25519": "Ed25519"}
# Signed once when the key is chosen: some agents list keys that they will not let us use. It is no JWS and no SSH data.
TRIAL: Final = b"oidcclient-dpop: may this key sign?"
NAMED_PIPE: Final = "the named pipe of Windows' agent is not supported; take cng: there"


class SshAgentStore:
    """
    Sign with a key of an SSH agent. It is never made nor deleted here.

    Args:
        uri: `ssh-agent:SHA256:fingerprint`, with `?socket=/path` where the agent is not the one of `$SSH_AUTH_SOCK`.
        timeout: How long one operation may take, a question to the person included, in seconds.
    """

    protection: Final = Protection.ISOLATED
    title: Final = "SSH agent"

    def __init__(self, uri: str, *, timeout: float = TIMEOUT_S) -> None:
        rest, _, query = uri.removeprefix("ssh-agent:").partition("?")
        name, _, path = query.partition("=")
        self._socket = unquote(path) or None
        self._fingerprint: Final = unquote(rest).rstrip("=")
        if query and (name != "socket" or not path.startswith("/") or "\0" in unquote(path) or "&" in path):
            raise UsageError("ssh-agent: has one option, socket=/path", rule="uri", expected="?socket=/path")
        if not FINGERPRINT.fullmatch(self._fingerprint):
            raise UsageError(
                "a key of an SSH agent is named by its fingerprint",
                hint="Take ssh-agent:SHA256:..., as `ssh-add -l` prints it: a key of its own, not the first one.",
                rule="uri",
                expected="ssh-agent:SHA256:...",
            )
        suffix = f"?socket={quote(self._socket)}" if self._socket is not None else ""
        self.uri: Final = f"ssh-agent:{self._fingerprint}{suffix}"
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"SshAgentStore({self.uri!r})"

    def probe(self) -> str | None:
        """Return why the key cannot be used, or None. The agent is asked for its list of keys, and nobody else."""
        try:
            with self._agent(min(PROBE_S, self._timeout)) as agent:
                self._find(agent)
        except KeyUnavailable as error:
            return str(error)
        return None

    def algorithms(self) -> tuple[str, ...]:
        """Return the one of the key, or both if the agent cannot be asked."""
        try:
            with self._agent(min(PROBE_S, self._timeout)) as agent:
                return (ALGORITHMS[self._find(agent).kind],)
        except KeyUnavailable:
            return tuple(ALGORITHMS.values())

    def create(self, alg: str) -> tuple[AgentSigningKey, str]:
        """Find the key, and see that it signs."""
        from .verifying import is_signature  # noqa: PLC0415 - an unused store imports nothing

        key = self._key()
        if key.alg != alg:
            raise KeyUnavailable("the key of the SSH agent is another kind", rule="alg", expected=alg, received=key.alg)
        if not is_signature(key.sign(TRIAL), TRIAL, alg=alg, jwk=key.public_jwk()):
            raise KeyUnavailable("the SSH agent makes signatures that do not verify", rule="ssh-agent")
        return key, self._fingerprint

    def load(self, handle: str) -> AgentSigningKey:
        """Find the key again. One that is not listed may come back: it is unavailable, never lost."""
        if handle != self._fingerprint:
            raise KeyLost("the session was made with another key of the SSH agent", rule="fingerprint")
        return self._key()

    def delete(self, handle: str) -> None:
        """Do nothing: the key is the person's."""

    def _key(self) -> AgentSigningKey:
        with self._agent(self._timeout) as agent:
            return AgentSigningKey(self, self._find(agent))

    def sign(self, key: AgentKey, message: bytes) -> bytes:
        """Return the signature of a message by one of the agent's keys."""
        with self._agent(self._timeout) as agent:
            return agent.sign(key, message)

    def _find(self, agent: Agent) -> AgentKey:
        for key in agent.list_keys():
            if key.fingerprint == self._fingerprint:
                _check_kind(key)
                return key
        raise KeyUnavailable(
            f"the SSH agent has no key {self._fingerprint}",
            hint="Look with `ssh-add -l`; add it with `ssh-add`, or unlock the agent with `ssh-add -X`.",
            rule="fingerprint",
        )

    def _path(self) -> str:
        path = self._socket or os.environ.get(SOCKET_VARIABLE)
        if sys.platform == "win32":
            raise KeyUnavailable(NAMED_PIPE, rule="ssh-agent")
        if not path:
            raise KeyUnavailable(
                f"no SSH agent: {SOCKET_VARIABLE} is not set",
                hint="Start ssh-agent, or name its socket: ?socket=/path.",
                rule="ssh-agent",
            )
        return path

    @contextmanager
    def _agent(self, seconds: float) -> Generator[Agent]:
        """Connect for one use, so that threads and children of fork() share nothing; translate what goes wrong."""
        from .ssh_wire import Agent, AgentFailure, MalformedAnswer  # noqa: PLC0415 - an unused store imports nothing

        path = self._path()
        try:
            with Agent.connected(path, time.monotonic() + seconds) as agent:
                yield agent
        except TimeoutError:
            raise too_slow("the SSH agent", seconds) from None
        except AgentFailure:
            raise KeyUnavailable(
                "the SSH agent refused",
                hint="It is locked (ssh-add -X), somebody said no, or the key is bound to destinations (ssh-add -h): "
                "such a key signs nothing else.",
                rule="ssh-agent",
            ) from None
        except MalformedAnswer as error:
            raise KeyUnavailable(f"what came is no answer of an SSH agent: {error}", rule="ssh-agent") from error
        except OSError as error:
            raise KeyUnavailable(
                f"no SSH agent at {path}: {error.strerror or error}",
                hint="Start ssh-agent, or name its socket: ?socket=/path.",
                rule="ssh-agent",
            ) from error


def _check_kind(key: AgentKey) -> None:
    if key.kind in ALGORITHMS:
        return
    if key.kind.startswith(b"sk-"):  # OpenSSH, PROTOCOL.u2f: the signature covers flags and a counter as well
        reason = "a FIDO key signs another structure than a JWS"
    else:
        reason = f"it is of the kind {key.kind.decode('ascii', 'replace')}"
    raise KeyUnavailable(
        f"the key of the SSH agent cannot be used: {reason}",
        hint="Make one for this: ssh-keygen -t ecdsa -b 256, or -t ed25519 if the provider takes Ed25519.",
        rule="kind",
    )


class AgentSigningKey:
    """
    A key that an SSH agent signs with. Thread-safe.

    Args:
        store: The store, which knows the agent.
        key: The key in the agent.
    """

    protection: Final = Protection.ISOLATED
    blocks: Final = True

    def __init__(self, store: SshAgentStore, key: AgentKey) -> None:
        public = key.public()
        self.alg: Final = ALGORITHMS[key.kind]
        self._store = store
        self._key = key
        self._jwk = (
            ec_public_jwk("P-256", public[:P256_BYTES], public[P256_BYTES:])
            if self.alg == "ES256"
            else {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(public)}
        )

    def __repr__(self) -> str:
        return f"AgentSigningKey({self._key.fingerprint!r})"

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key."""
        return dict(self._jwk)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._store.sign(self._key, message)
