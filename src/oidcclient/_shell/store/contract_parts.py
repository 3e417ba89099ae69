"""What the contract of stores is tested with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from oidcclient._words.record import SessionRecord
from oidcclient._words.values import AccessToken

__all__ = ["CLIENT_ID", "GROUP", "ISSUER", "PROFILE", "THREADS", "example_record", "in_threads"]

T = TypeVar("T")

PROFILE, ISSUER, CLIENT_ID = "default", "https://login.example.com", "my-desktop-app"
GROUP = (PROFILE, ISSUER, CLIENT_ID)
THREADS = 8


def example_record(account: str = "ann", **changes: Any) -> SessionRecord:
    """
    Return a record in which every field holds something.

    Args:
        account: The `sub`.
        changes: Fields to set otherwise.
    """
    record = SessionRecord(
        profile=PROFILE,
        issuer=ISSUER,
        client_id=CLIENT_ID,
        account=account,
        claims={"sub": account, "name": "Ann Ångström", "groups": ["a", "b"], "address": {"country": None}},
        id_token="made.up.id-token",  # noqa: S106 - an example
        tokens={
            "": AccessToken("made-up access token", "Bearer", 1_900_000_000.5, ("openid", "profile")),
            "https://api.example.com": AccessToken("made-up API token", "DPoP", None, ()),
        },
        refresh_token="made-up refresh token",  # noqa: S106 - an example
        scopes=("openid", "profile", "offline_access"),
        resources=("https://api.example.com",),
        hook_state={"a-hook": {"handle": "00ff", "nonces": {"https://api.example.com": "n"}, "offset": -1.5}},
        binding_hooks=("a-hook",),
        signed_in_at=1_800_000_000.25,
        metadata={"issuer": ISSUER, "token_endpoint": ISSUER + "/token"},
        metadata_until=1_800_086_400.0,
        keys={"keys": [{"kty": "EC", "kid": "1"}]},
        keys_until=1_800_086_400.0,
    )
    return replace(record, **changes)


def in_threads(call: Callable[[int], T]) -> list[T]:
    """Call from several threads at once, and return what each got."""
    start = threading.Barrier(THREADS)
    results: list[T] = []
    errors: list[BaseException] = []

    def work(number: int) -> None:
        start.wait()
        try:
            results.append(call(number))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
