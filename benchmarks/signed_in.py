"""A session for the benchmarks: in memory, with a token that is good for an hour, and nobody at the other end."""

import time
from typing import Any

import oidcclient

ISSUER, CLIENT_ID = "https://login.example.com", "my-desktop-app"
API = "https://api.example.com"
TOKEN = "a" * 800  # as long as a usual JWT
HOUR = 3600.0


def record(token_type: str = "Bearer", *, profile: str = "default", **fields: Any) -> oidcclient.SessionRecord:  # noqa: S107 - no password
    """Return what a sign-in leaves behind; `fields` are what hooks add to it."""
    now = time.time()
    return oidcclient.SessionRecord(
        profile=profile,
        issuer=ISSUER,
        client_id=CLIENT_ID,
        account="ann",
        claims={"iss": ISSUER, "sub": "ann", "aud": CLIENT_ID, "name": "Ann Example"},
        id_token="i" * 1000,
        tokens={"": oidcclient.AccessToken(TOKEN, token_type, now + HOUR, ("openid",), now)},
        refresh_token="r" * 43,
        scopes=("openid", "offline_access"),
        signed_in_at=now,
        metadata={"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"},
        metadata_until=now + HOUR,
        keys={"keys": []},
        keys_until=now + HOUR,
        **fields,
    )


def store(**of_record: Any) -> oidcclient.MemoryStore:
    """Return a store with the session in it; arguments as for `record`."""
    made = oidcclient.MemoryStore()
    made.save(record(**of_record), current=True)
    return made
