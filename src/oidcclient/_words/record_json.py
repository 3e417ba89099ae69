"""A session record as JSON members, for the stores that write it down."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import StoreError
from .record import SessionRecord
from .values import AccessToken, Json

__all__ = ["RECORD_VERSION", "record_from_json", "record_to_json"]

RECORD_VERSION = 1  # goes up when an older program could no longer read, or would lose, what a record holds
INFINITY = float("inf")


def record_to_json(record: SessionRecord) -> dict[str, Json]:
    """Return the members of a record, secrets and all: for encryption only."""
    return {
        "version": RECORD_VERSION,
        "profile": record.profile,
        "issuer": record.issuer,
        "client_id": record.client_id,
        "account": record.account,
        "claims": dict(record.claims),
        "id_token": record.id_token,
        "tokens": {resource: _token_to_json(token) for resource, token in record.tokens.items()},
        "refresh_token": record.refresh_token,
        "scopes": list(record.scopes),
        "resources": list(record.resources),
        "hook_state": {name: dict(state) for name, state in record.hook_state.items()},
        "binding_hooks": list(record.binding_hooks),
        "signed_in_at": record.signed_in_at,
        "metadata": None if record.metadata is None else dict(record.metadata),
        "metadata_until": record.metadata_until,
        "keys": None if record.keys is None else dict(record.keys),
        "keys_until": record.keys_until,
    }


def record_from_json(members: Json) -> SessionRecord:
    """
    Return the record that these members are of; members without a name here are ignored.

    Raises:
        StoreError: A member is missing or of the wrong type (rule `"record"`), or the record was written by a newer
            version of this library (rule `"version"`).
    """
    source = _Members(members, "the record")
    version = source.integer("version")
    if version > RECORD_VERSION:
        raise StoreError(
            "the stored session was written by a newer version of oidcclient",
            hint="Update this program; the stored session was left as it is.",
            rule="version",
            expected=f"at most {RECORD_VERSION}",
            received=version,
        )
    if version < 1:
        raise _refused("version", "a version from 1 on")
    return SessionRecord(
        profile=source.text("profile"),
        issuer=source.text("issuer"),
        client_id=source.text("client_id"),
        account=source.text("account"),
        claims=source.members("claims"),
        id_token=source.text("id_token"),
        tokens={resource: _token_from_json(token) for resource, token in source.members("tokens").items()},
        refresh_token=source.text_or_none("refresh_token"),
        scopes=source.texts("scopes"),
        resources=source.texts("resources"),
        hook_state={
            name: _Members(state, "hook_state").everything for name, state in source.members("hook_state").items()
        },
        binding_hooks=source.texts("binding_hooks"),
        signed_in_at=source.number("signed_in_at"),
        metadata=source.members_or_none("metadata"),
        metadata_until=source.number("metadata_until"),
        keys=source.members_or_none("keys"),
        keys_until=source.number("keys_until"),
    )


def _token_to_json(token: AccessToken) -> dict[str, Json]:
    return {
        "value": token.value,
        "type": token.type,
        "expires_at": token.expires_at,
        "scope": list(token.scope),
        "issued_at": token.issued_at,
    }


def _token_from_json(members: Json) -> AccessToken:
    source = _Members(members, "a token")
    return AccessToken(
        value=source.text("value"),
        type=source.text("type"),
        expires_at=source.number_or_none("expires_at"),
        scope=source.texts("scope"),
        issued_at=source.number_or_none("issued_at"),
    )


def _refused(name: str, expected: str) -> StoreError:
    # What came instead is not shown: it may be a secret in the wrong place.
    return StoreError(
        "the stored session cannot be understood",
        hint="Sign in again.",
        rule="record",
        expected=f"{name}: {expected}",
    )


class _Members:
    """Take typed members out of a JSON object."""

    def __init__(self, members: Json, name: str) -> None:
        if not isinstance(members, Mapping):
            raise _refused(name, "an object")
        self.everything: dict[str, Json] = dict(members)

    def text(self, name: str) -> str:
        value = self.everything.get(name)
        if not isinstance(value, str):
            raise _refused(name, "a string")
        return value

    def text_or_none(self, name: str) -> str | None:
        return None if self._is_null(name) else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.everything.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _refused(name, "a list of strings")
        return tuple(value)

    def integer(self, name: str) -> int:
        value = self.everything.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(name, "an integer")
        return value

    def number(self, name: str) -> float:
        value = self.everything.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not -INFINITY < value < INFINITY:
            raise _refused(name, "a finite number")
        return value

    def number_or_none(self, name: str) -> float | None:
        return None if self._is_null(name) else self.number(name)

    def members(self, name: str) -> dict[str, Json]:
        return _Members(self.everything.get(name), name).everything

    def members_or_none(self, name: str) -> dict[str, Json] | None:
        return None if self._is_null(name) else self.members(name)

    def _is_null(self, name: str) -> bool:
        return name in self.everything and self.everything[name] is None
