"""Sessions in words: whose, how long, and what is special about them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import oidcclient

from .output import duration, plain

__all__ = ["access_words", "name_of", "store_words"]

NAME_CLAIMS = ("email", "preferred_username", "name", "sub")
STORE_WORDS = {"keyring": "encrypted, key in the system's keyring", "file": "encrypted, key in a file beside"}


def name_of(claims: Mapping[str, Any]) -> str:
    """Return what people call an account."""
    return next((plain(claims[name]) for name in NAME_CLAIMS if isinstance(claims.get(name), str)), "?")


def store_words(store: str | None) -> str:
    """Return where sessions are kept, in words."""
    kind, _, folder = (store or "keyring").partition(":")
    return STORE_WORDS.get(kind, kind) + (f", in {folder}" if folder else "")


def access_words(record: oidcclient.SessionRecord, now: float | None = None) -> str:
    """Return how long a session's token is good for, in words."""
    token = newest(record)
    renews = "refreshes by itself" if record.refresh_token else "cannot be refreshed"
    if token is None:
        return f"none yet, {renews}"
    if token.expires_at is None:
        return f"no end known, {renews}"
    left = token.expires_at - (time.time() if now is None else now)
    return f"good for {duration(left)}, {renews}" if left > 0 else f"expired, {renews}"


def newest(record: oidcclient.SessionRecord) -> oidcclient.AccessToken | None:
    """Return the access token of a session that lives longest."""
    return max(record.tokens.values(), key=lambda token: token.expires_at or 0.0, default=None)


def is_usable(record: oidcclient.SessionRecord, now: float | None = None) -> bool:
    """Tell whether a session needs no sign-in, as far as can be told without asking the provider."""
    token = newest(record)
    alive = token is not None and (token.expires_at is None or token.expires_at > (now or time.time()))
    return alive or record.refresh_token is not None
