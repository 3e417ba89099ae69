"""Fixtures: a fresh provider for each test, and a person with a browser."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .browser import Browser
    from .keys import Keys
    from .provider import Provider


@pytest.fixture(scope="session")
def oidc_keys() -> "Keys":
    """Signing keys for all providers of a test run: making them is the slow part."""
    from .keys import Keys  # noqa: PLC0415 - a test run that needs no provider loads none

    return Keys()


@pytest.fixture
def oidc_provider(oidc_keys: "Keys") -> "Iterator[Provider]":
    """A running OpenID provider with a protected API."""
    from .provider import Provider  # noqa: PLC0415 - a test run that needs no provider loads none

    # Below a test that fails, pytest shows what was logged: why the provider refused a request.
    logging.getLogger("oidcclient_devkit.requests").setLevel(logging.INFO)
    with Provider(keys=oidc_keys) as provider:
        yield provider


@pytest.fixture
def oidc_browser(oidc_provider: "Provider") -> "Browser":
    """Ann with a browser, to be given as `open_browser`."""
    return oidc_provider.browser()
