"""Every store of ours, real, against the contract that third parties run."""

from pathlib import Path

import pytest

from oidcclient_dpop.keys import KeyStore
from oidcclient_dpop.stores import open_store
from oidcclient_dpop.stores.contract import KeyStoreContract
from oidcclient_dpop.stores.deadline import TimeLimited
from tests.dpop_stores.daemons import SoftHsm, SshAgent, Swtpm


class TestFile(KeyStoreContract):
    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store(f"file:{tmp_path}/keys")


class TestTimeLimited(KeyStoreContract):
    def make_store(self, tmp_path: Path) -> KeyStore:
        return TimeLimited(open_store(f"file:{tmp_path}/keys"), 10)


@pytest.mark.usefixtures("gnome_keyring")
class TestKeyring(KeyStoreContract):
    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store("keyring:")


class TestTpm(KeyStoreContract):
    forgets_deleted = False

    @pytest.fixture(autouse=True)
    def _a_tpm(self, tpm: Swtpm) -> None:
        self.uri = tpm.uri

    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store(self.uri)


class TestSshAgentP256(KeyStoreContract):
    makes_keys = False

    @pytest.fixture(autouse=True)
    def _an_agent(self, agent: SshAgent) -> None:
        self.uri = f"ssh-agent:{agent.new_key('ecdsa', bits='256')}"

    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store(self.uri)


class TestSshAgentEd25519(KeyStoreContract):
    makes_keys = False

    @pytest.fixture(autouse=True)
    def _an_agent(self, agent: SshAgent) -> None:
        self.uri = f"ssh-agent:{agent.new_key('ed25519')}"

    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store(self.uri)


class TestSoftHsm(KeyStoreContract):
    @pytest.fixture(autouse=True)
    def _a_token(self, soft_hsm: SoftHsm) -> None:
        soft_hsm.new_token("oidc")
        self.uri = soft_hsm.uri("token=oidc")

    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store(self.uri)
