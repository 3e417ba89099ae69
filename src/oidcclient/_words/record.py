"""A stored session, and where sessions are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from .value import dataclass, field
from .values import AccessToken, Json

__all__ = ["Lock", "RecordKey", "SessionRecord", "Store"]


@dataclass(frozen=True, slots=True)
class RecordKey:
    """
    Which session: there is one record for each.

    Args:
        profile: The name under which it is stored.
        issuer: The issuer.
        client_id: The client.
        account: The `sub` signed in.
    """

    profile: str
    issuer: str
    client_id: str
    account: str

    # Written out, as each request to an API looks its session up by this. A NamedTuple takes a millisecond to import.

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordKey) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def _all(self) -> tuple[str, str, str, str]:
        return self.profile, self.issuer, self.client_id, self.account


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
        resources: The resource indicators asked for; the grant is for these.
        hook_state: What each hook keeps, by its name. Secret.
        binding_hooks: The hooks without which this session is never used.
        signed_in_at: When, in Unix seconds.
        metadata: The provider's metadata as it came; None where the program gives it.
        metadata_until: When it is to be fetched again, in Unix seconds.
        keys: The provider's key set as it came; None where none was fetched.
        keys_until: When it is to be fetched again, in Unix seconds.
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
    resources: tuple[str, ...] = ()
    hook_state: Mapping[str, dict[str, Json]] = field(default_factory=dict, repr=False)
    binding_hooks: tuple[str, ...] = ()
    signed_in_at: float
    metadata: Mapping[str, Json] | None = field(default=None, repr=False)
    metadata_until: float = 0.0
    keys: Mapping[str, Json] | None = field(default=None, repr=False)
    keys_until: float = 0.0

    @property
    def key(self) -> RecordKey:
        """Which session this is."""
        return RecordKey(self.profile, self.issuer, self.client_id, self.account)


class Lock(Protocol):
    """A lock that is held until it is released, or until its process ends, however it ends."""

    def release(self) -> None:
        """Let go. Never raises; safe to call twice."""
        ...


class Store(Protocol):
    """
    Keep session records. Methods may block and may be called from several threads and processes at once.

    Whatever happens, nothing is lost: a record that cannot be read is kept aside or left alone, never deleted.
    """

    def probe(self) -> None:
        """
        Make sure that a record could be saved now; called before a browser opens.

        Raises:
            StoreError: It could not.
        """
        ...

    def current(self, profile: str, issuer: str, client_id: str) -> SessionRecord | None:
        """
        Return the record last made current, or None.

        Raises:
            StoreError: The store cannot be read.
            LoginRequired: The key that the record is encrypted with is gone.
        """
        ...

    def records(self, profile: str, issuer: str, client_id: str) -> tuple[SessionRecord, ...]:
        """
        Return the records of a profile, issuer and client, the current one first.

        Records whose key is gone are left out while others can be read.

        Raises:
            StoreError: The store cannot be read.
            LoginRequired: There are records, and the keys of all are gone.
        """
        ...

    def load(self, key: RecordKey) -> SessionRecord | None:
        """
        Return one record as it is now, or None.

        Raises:
            StoreError: The store cannot be read.
            LoginRequired: The key that the record is encrypted with is gone.
        """
        ...

    def save(self, record: SessionRecord, *, current: bool = False) -> None:
        """
        Save a record, whole or not at all, in place of the one with the same key.

        Args:
            record: The record.
            current: Whether it becomes the current one. The first one of its client does in any case.

        Raises:
            StoreError: It was not saved; what was stored before is untouched.
        """
        ...

    def make_current(self, key: RecordKey) -> None:
        """
        Make a record the current one of its client, and change nothing else; no error if it is gone.

        Raises:
            StoreError: The store cannot be written.
        """
        ...

    def delete(self, key: RecordKey) -> None:
        """
        Forget a record; no error if it is gone.

        Raises:
            StoreError: It could not be removed.
        """
        ...

    def try_lock(self, key: RecordKey) -> Lock | None:
        """
        Lock one record against all other processes and threads, at once, or return None if it is locked.

        Raises:
            StoreError: The store cannot lock.
        """
        ...
