"""
Trying a key store out on this machine: `oidcclient doctor --key-store URI`.

A key is made, signs, is found again by another process and signs there, is tried to be taken out, and is removed. Each
step tells what was seen. `python -m oidcclient_dpop.trying` is that other process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from oidcclient import KeyLost, OidcError
from oidcclient.addons import Check

from .keys import KeyStore, Protection, SigningKey
from .proofs import thumbprint
from .stores import open_store
from .stores.jose import b64url_decode, b64url_encode
from .stores.taking_out import take_out
from .stores.verifying import is_signature

__all__ = ["try_key_store"]

State = Literal["ok", "warning", "failed"]
Seen = tuple[State, str, str]  # the state, what was seen, what to do about it

MODULE: Final = "oidcclient_dpop.trying"
ROUNDS: Final = 5
PATIENCE_S: Final = 120.0  # of the other process; a person may have to touch something
BYTES: Final = 32
UNSAFE: Final = (
    "A program that runs as you can copy it, and use the copy elsewhere. Take a better store if there is one."
)


def try_key_store(uri: str) -> Iterator[Check]:
    """
    Try a key store out.

    Raises:
        oidcclient.UsageError: There is no such key store.
    """
    store = open_store(uri)  # a wrong URI is told before the first step
    return _steps(store, uri)


def _steps(store: KeyStore, uri: str) -> Iterator[Check]:
    problem = store.probe()
    if problem is not None:
        yield _check("Open", "failed", problem)
        return
    yield _check("Open", "ok", f"it can be used: {store.title}")
    begin = time.perf_counter()
    try:
        key, handle = store.create(store.algorithms()[0])
    except OidcError as error:
        yield _failure("Make a key", error)
        return
    words = f"{key.alg} in {_ms(time.perf_counter() - begin)}; protection: {key.protection.name.lower()}"
    yield _check("Make a key", "ok", f"{words}; thumbprint {thumbprint(key.public_jwk())}")
    try:
        yield _guarded("Sign", lambda: _sign(key))
        yield _guarded("Find it again in a new process", lambda: _reopen(uri, key, handle))
        yield _guarded("Take it out", lambda: _take_out(store, key, handle))
    finally:
        removed = _guarded("Remove it", lambda: _remove(store, handle))
    yield removed


def _check(subject: str, state: State, detail: str, advice: str = "") -> Check:
    return Check(subject=subject, state=state, detail=detail, advice=advice)


def _failure(subject: str, error: OidcError) -> Check:
    return _check(subject, "failed", str(error), error.hint)


def _guarded(subject: str, step: Callable[[], Seen]) -> Check:
    try:
        state, detail, advice = step()
    except OidcError as error:
        return _failure(subject, error)
    return _check(subject, state, detail, advice)


def _sign(key: SigningKey) -> Seen:
    times, good = [], 0
    for _ in range(ROUNDS):
        message = os.urandom(BYTES)
        begin = time.perf_counter()
        signature = key.sign(message)
        times.append(time.perf_counter() - begin)
        good += is_signature(signature, message, alg=key.alg, jwk=key.public_jwk())
    words = f"{good} of {ROUNDS} signatures verify with the public key; {_ms(statistics.median(times))} each (median)"
    return ("ok" if good == ROUNDS else "failed"), words, ""


def _reopen(uri: str, key: SigningKey, handle: str) -> Seen:
    message = os.urandom(BYTES)
    question = {"uri": uri, "handle": handle, "message": b64url_encode(message)}
    try:
        done = subprocess.run(  # noqa: S603 - ourselves; the handle goes through stdin, where no other user sees it
            [sys.executable, "-m", MODULE],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return "failed", f"the new process gave no answer ({type(error).__name__})", ""
    if "problem" in answer:
        return "failed", answer["problem"], ""
    return _compare(answer, message, key)


def _compare(answer: Mapping[str, str], message: bytes, key: SigningKey) -> Seen:
    if answer["thumbprint"] != thumbprint(key.public_jwk()):
        return "failed", "the new process found another key", ""
    if not is_signature(b64url_decode(answer["signature"]), message, alg=key.alg, jwk=key.public_jwk()):
        return "failed", "the new process made a signature that does not verify", ""
    return "ok", f"process {answer['process']} found the same key, and its signature verifies", ""


def _take_out(store: KeyStore, key: SigningKey, handle: str) -> Seen:
    tried = take_out(store, key, handle)
    words = "; ".join(f"{attempt.what}: {attempt.outcome}" for attempt in tried)
    if not any(attempt.came_out for attempt in tried):
        return "ok", words, ""
    if key.protection in {Protection.FILE, Protection.KEYRING}:
        return "warning", words, UNSAFE
    return "failed", words, "Do not use this store: it keeps its keys less well than it says."


def _remove(store: KeyStore, handle: str) -> Seen:
    store.delete(handle)
    try:
        store.load(handle)
    except KeyLost:
        return "ok", "the store knows it no longer", ""
    return "ok", "nothing of it is stored anywhere: who keeps its handle keeps the key", ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def main() -> int:
    """Find a key that another process made, sign what it says, and tell it."""
    question = json.loads(sys.stdin.read())
    try:
        key = open_store(question["uri"]).load(question["handle"])
        answer = {
            "process": str(os.getpid()),
            "thumbprint": thumbprint(key.public_jwk()),
            "signature": b64url_encode(key.sign(b64url_decode(question["message"]))),
        }
    except OidcError as error:
        answer = {"problem": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
