"""Trying a key store out: each step tells what was seen, and no key is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oidcclient import KeyUnavailable, UsageError
from oidcclient.addons import Check, TriesKeyStores
from oidcclient_dpop import trying
from oidcclient_dpop.command import ADDON
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores import generate, open_store
from oidcclient_dpop.stores.cng.store import CngStore
from oidcclient_dpop.stores.secure_enclave.store import SecureEnclaveStore
from oidcclient_dpop.stores.taking_out import take_out
from tests.dpop_stores.daemons import SoftHsm, SshAgent, Swtpm
from tests.dpop_stores.standin_libraries import EnclaveStandin, NcryptStandin, standin

STEPS = ["Open", "Make a key", "Sign", "Find it again in a new process", "Take it out", "Remove it"]


def tried(uri: str) -> dict[str, Check]:
    return {check.subject: check for check in ADDON.try_key_store(uri)}


def test_the_add_on_keeps_the_port() -> None:
    assert isinstance(ADDON, TriesKeyStores)


def test_a_file_goes_through_each_step_and_its_key_can_be_taken_out(tmp_path: Path) -> None:
    seen = tried(f"file:{tmp_path}/keys")
    assert list(seen) == STEPS
    assert {name: check.state for name, check in seen.items() if check.state != "ok"} == {"Take it out": "warning"}
    assert "the key came out" in seen["Take it out"].detail
    assert seen["Take it out"].advice
    assert not [path for path in (tmp_path / "keys").iterdir() if path.suffix != ".lock"]


def test_a_tpm_gives_no_key_out(tpm: Swtpm) -> None:
    seen = tried(tpm.uri)
    assert [(name, check.state) for name, check in seen.items()] == [(name, "ok") for name in STEPS]
    assert "no command" in seen["Take it out"].detail
    assert "nothing of it is stored" in seen["Remove it"].detail


def test_a_token_refuses_to_give_its_key_out(soft_hsm: SoftHsm) -> None:
    soft_hsm.new_token("tried")
    seen = tried(soft_hsm.uri("token=tried"))
    assert [(name, check.state) for name, check in seen.items()] == [(name, "ok") for name in STEPS]
    assert "CKA_VALUE: refused" in seen["Take it out"].detail


def test_an_agent_has_no_request_for_it(agent: SshAgent) -> None:
    seen = tried(f"ssh-agent:{agent.new_key('ecdsa', bits='256')}")
    assert [check.state for check in seen.values()] == ["ok"] * len(STEPS)
    assert "no request" in seen["Take it out"].detail


def test_a_secure_enclave_refuses_to_give_its_key_out(tmp_path: Path) -> None:
    library = EnclaveStandin(standin("secure_enclave", tmp_path))
    store = SecureEnclaveStore("secure-enclave:", _library=library.path)
    key, handle = store.create("ES256")
    (attempt,) = take_out(store, key, handle)
    assert (attempt.came_out, "refused" in attempt.outcome) == (False, True)
    library.leak()
    assert take_out(store, key, handle)[0].came_out


def test_windows_refuses_to_give_its_key_out(tmp_path: Path) -> None:
    library = NcryptStandin(standin("ncrypt", tmp_path))
    library.keep_keys_in(tmp_path)
    store = CngStore("cng:provider=software", _library=library.path)
    key, handle = store.create("ES256")
    attempts = take_out(store, key, handle)
    assert [attempt.came_out for attempt in attempts] == [False, False]
    library.leak()
    assert [attempt.came_out for attempt in take_out(store, key, handle)] == [True, False]


def test_a_store_that_is_not_there_is_told_and_nothing_is_made() -> None:
    seen = tried("tpm2:device=/nowhere")
    assert [(name, check.state) for name, check in seen.items()] == [("Open", "failed")]


def test_a_store_with_a_wrong_name_is_an_error_of_the_caller() -> None:
    with pytest.raises(UsageError):
        ADDON.try_key_store("nothing:")


def other_process(question: Mapping[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", trying.MODULE], input=json.dumps(question), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_other_process_says_what_is_wrong(tmp_path: Path) -> None:
    answer = other_process({"uri": f"file:{tmp_path}/keys", "handle": "missing", "message": ""})
    assert list(answer) == ["problem"]


def test_another_process_that_says_nothing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "MODULE", "there_is_no_such_module")
    seen = tried(f"file:{tmp_path}/keys")
    assert seen["Find it again in a new process"].state == "failed"
    assert seen["Remove it"].state == "ok"


def test_the_other_process_is_believed_only_with_the_same_key_and_a_good_signature(tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path}/keys")
    key, handle = store.create("ES256")
    good = other_process({"uri": store.uri, "handle": handle, "message": "bWVzc2FnZQ"})
    assert trying._compare(good, b"message", key)[0] == "ok"
    assert trying._compare(good, b"other", key)[0] == "failed"
    assert trying._compare({**good, "thumbprint": "x"}, b"message", key)[0] == "failed"


class Broken:
    """A store that fails at one step."""

    uri, title, protection = "broken:", "a broken store", Protection.HARDWARE

    def __init__(self, at: str) -> None:
        self._at = at
        self._key = generate("ES256")
        self.deleted: list[str] = []

    def _fail(self, step: str) -> None:
        if step == self._at:
            raise KeyUnavailable(f"cannot {step}")

    def probe(self) -> str | None:
        return None

    def algorithms(self) -> tuple[str, ...]:
        return ("ES256",)

    def create(self, alg: str) -> tuple[Any, str]:
        self._fail("create")
        return self, "handle"

    def load(self, handle: str) -> Any:
        return self

    def delete(self, handle: str) -> None:
        self.deleted.append(handle)
        self._fail("delete")

    alg, blocks = "ES256", False

    def public_jwk(self) -> Mapping[str, str]:
        return self._key.public_jwk()

    def sign(self, message: bytes) -> bytes:
        self._fail("sign")
        return self._key.sign(message if self._at != "verify" else b"something else")


@pytest.mark.parametrize(
    ("at", "failing"), [("create", "Make a key"), ("sign", "Sign"), ("verify", "Sign"), ("delete", "Remove it")]
)
def test_a_step_that_fails_is_told_and_the_key_is_removed_all_the_same(at: str, failing: str) -> None:
    store = Broken(at)
    seen = {check.subject: check for check in trying._steps(store, store.uri)}
    assert seen[failing].state == "failed"
    assert store.deleted == ([] if at == "create" else ["handle"])
    if at != "create":  # nobody else has such a store
        assert seen["Find it again in a new process"].state == "failed"
        assert "no way to try it" in seen["Take it out"].detail


def test_who_stops_halfway_leaves_no_key(tmp_path: Path) -> None:
    steps = ADDON.try_key_store(f"file:{tmp_path}/keys")
    for _ in range(3):
        next(steps)
    assert isinstance(steps, Generator)
    steps.close()
    assert not [path for path in (tmp_path / "keys").iterdir() if path.suffix != ".lock"]


def test_a_key_that_comes_out_of_a_store_that_promises_more_is_a_failure(tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path}/keys")
    made, handle = store.create("ES256")
    promising = generate("ES256", protection=Protection.HARDWARE)
    assert trying._take_out(store, made, handle)[0] == "warning"
    assert trying._take_out(store, promising, handle)[0] == "failed"
    assert take_out(store, made, handle)[0].came_out
