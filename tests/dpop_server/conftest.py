"""Keys, made once."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.dpop_server.proofs import ClientKey, new_key


@pytest.fixture(scope="session")
def key_for() -> Callable[[str], ClientKey]:
    """A key for an algorithm, the same one each time."""
    return cache(new_key)


@pytest.fixture(scope="session")
def key(key_for: Callable[[str], ClientKey]) -> ClientKey:
    return key_for("ES256")
