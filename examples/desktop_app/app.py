"""The part that an app needs: a few lines to sign its user in, to call an API, and to stay signed in."""

from __future__ import annotations

from typing import Any

import httpx

import oidcclient


def sign_in(client: oidcclient.Client, api: str, **options: Any) -> oidcclient.Session:
    """Return the stored session, or let the user sign in with the system browser."""
    return client.session_or_login(resource=api, **options)


def who_am_i(session: oidcclient.Session, api: str) -> dict[str, Any]:
    """Ask the protected API who it takes us for; the token is renewed when it is due."""
    with httpx.Client(auth=session.auth(resource=api)) as http:
        answer = http.get(f"{api}/me")
        answer.raise_for_status()
        seen: dict[str, Any] = answer.json()
        return seen
