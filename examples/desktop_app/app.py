"""The part that an app needs: ten lines to sign its user in and to call an API."""

from __future__ import annotations

import httpx

import oidcclient


def sign_in(client: oidcclient.Client, api: str, **options: object) -> oidcclient.Session:
    """Return the stored session, or let the user sign in with the system browser."""
    return client.session_or_login(resource=api, **options)  # type: ignore[arg-type] # passed on as they are


def who_am_i(session: oidcclient.Session, api: str) -> dict[str, object]:
    """Ask the protected API who it takes us for."""
    token = session.access_token(resource=api)
    answer = httpx.get(f"{api}/me", headers={"Authorization": f"{token.type} {token.value}"}, trust_env=False)
    answer.raise_for_status()
    seen: dict[str, object] = answer.json()
    return seen
