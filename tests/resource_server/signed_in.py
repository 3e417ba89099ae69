"""A person who is signed in at the devkit's provider, with a client that sends proofs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP

POLICY = oidcclient.Policy(allow_http_loopback=True)


@contextmanager
def signed_in(provider: Provider, folder: Path, api: str, *, dpop: bool = True, **login: Any) -> Iterator[httpx.Client]:
    """Sign ann in for an API, and return an HTTP client that calls it."""
    provider.resources.append(api)
    provider.sign_in_as("ann")
    with oidcclient.Client(
        provider.issuer,
        provider.client_id,
        scopes=["openid", "profile"],
        policy=POLICY,
        store=oidcclient.MemoryStore(),
        hooks=[DPoP(store=f"file:{folder}/keys")] if dpop else [],
    ) as client:
        session = client.login(open_browser=provider.browser(), timeout=20, resource=api, **login)
        with httpx.Client(auth=session.auth(resource=api), base_url=api, trust_env=False) as calls:
            yield calls
