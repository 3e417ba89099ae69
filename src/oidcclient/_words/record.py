"""A stored session, and where sessions are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .values import AccessToken, Json

__all__ = ["SessionRecord", "Store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """
    Everything that one sign-in left behind, in one piece, so that no part can be separated from the rest.

    Args:
        profile: The name under which it is stored.
        issuer: The issuer.
        client_id: The client.
        account: The `sub` signed in.
        claims: The claims of the verified ID Token.
        id_token: The raw ID Token. Secret.
        tokens: Access tokens by resource indicator; the empty string stands for none. Secret.
        refresh_token: Secret; None where none was given.
        scopes: The scopes asked for.
        hook_state: What each hook keeps, by its name. Secret.
        binding_hooks: The hooks without which this session is never used.
        signed_in_at: When, in Unix seconds.
    """

    profile: str
    issuer: str
    client_id: str
    account: str
    claims: Mapping[str, Json] = field(repr=False)
    id_token: str = field(repr=False)
    tokens: Mapping[str, AccessToken] = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: tuple[str, ...]
    hook_state: Mapping[str, dict[str, Json]] = field(default_factory=dict, repr=False)
    binding_hooks: tuple[str, ...] = ()
    signed_in_at: float


class Store(Protocol):
    """Keep session records. Methods may block and may be called from several threads at once."""

    def probe(self) -> None:
        """
        Make sure that a record could be saved now; called before a browser opens.

        Raises:
            StoreError: It could not.
        """
        ...

    def records(self, profile: str, issuer: str, client_id: str) -> tuple[SessionRecord, ...]:
        """Return the records of a profile, issuer and client, the last one used first."""
        ...

    def save(self, record: SessionRecord) -> None:
        """Save a record in place of any of the same profile, issuer, client and account, and make it the last used."""
        ...

    def delete(self, record: SessionRecord) -> None:
        """Forget a record; no error if it is gone."""
        ...
