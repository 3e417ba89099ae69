"""An authorization server's key, a client's key, and an API that knows the first."""

from collections.abc import Iterator

import pytest

from tests.dpop_server.proofs import ClientKey, new_key
from tests.resource_server.lab import Lab
from tests.resource_server.server import Server


@pytest.fixture(scope="session")
def signer() -> ClientKey:
    """The key that access tokens are signed with."""
    return new_key("ES256")


@pytest.fixture(scope="session")
def key() -> ClientKey:
    """The key of a client."""
    return new_key("ES256")


@pytest.fixture
def lab(signer: ClientKey, key: ClientKey) -> Lab:
    return Lab(signer, key)


@pytest.fixture
def server() -> Iterator[Server]:
    """An authorization server's documents on loopback."""
    with Server() as running:
        yield running
