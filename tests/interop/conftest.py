"""A provider that is not ours, and people who sign in to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interop.npm import NpmProvider
from tests.interop.person import Person

StartNpmProvider = Callable[..., NpmProvider]


@pytest.fixture(scope="session")
def start_npm_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNpmProvider]:
    """Start providers with options of `provider.mjs`, one for each set of them; all end with the session."""
    running: dict[str, NpmProvider] = {}
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> NpmProvider:
            name = json.dumps(options, sort_keys=True)
            if name not in running:
                log = tmp_path_factory.mktemp("npm") / "stderr"
                running[name] = stack.enter_context(NpmProvider(log, options))
            return running[name]

        yield start


@pytest.fixture(scope="session")
def npm_provider(start_npm_provider: StartNpmProvider) -> NpmProvider:
    """Run oidc-provider as it is by default here."""
    return start_npm_provider()


@pytest.fixture
def person() -> Iterator[Callable[..., Person]]:
    """Make people: `person("ann")`, `person("bob", deny=True)`."""
    with contextlib.ExitStack() as stack:
        yield lambda user, **how: stack.enter_context(Person(user, **how))
