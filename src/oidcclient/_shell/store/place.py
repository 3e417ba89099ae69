"""Where a record lies: names that tell nothing of whose it is. Every system takes `/` between them."""

from __future__ import annotations

import json

__all__ = ["RECORD_SUFFIX", "Place", "account_name", "is_account_name"]

RECORD_SUFFIX = ".session"
GROUP_CHARACTERS = 32  # 128 bits: nobody can make two groups meet
ACCOUNT_CHARACTERS = 64
HEXADECIMAL = frozenset("0123456789abcdef")


class Place:
    """
    The place of one record.

    Args:
        root: The folder of the store.
        profile: The name under which the session is stored.
        issuer: The issuer.
        client_id: The client.
        account: The name of the account, as `account_name` gives it; empty for the whole group.
    """

    __slots__ = ("account", "client_id", "group", "issuer", "profile", "root")

    def __init__(self, root: str, profile: str, issuer: str, client_id: str, account: str = "") -> None:
        self.root = root
        self.profile = profile
        self.issuer = issuer
        self.client_id = client_id
        self.account = account
        # The folder of all accounts of this profile, issuer and client.
        self.group = f"{root}/{_digest([profile, issuer, client_id])[:GROUP_CHARACTERS]}"

    @property
    def pointer(self) -> str:
        """The file that says which account is the current one."""
        return f"{self.group}/current"

    @property
    def record(self) -> str:
        """The file of the record."""
        return f"{self.group}/{self.account}{RECORD_SUFFIX}"

    @property
    def lock(self) -> str:
        """The file that is locked while the record is refreshed."""
        return f"{self.group}/{self.account}.lock"

    @property
    def pointer_lock(self) -> str:
        """The file that is locked while the pointer changes."""
        return f"{self.group}/current.lock"

    def of(self, account: str) -> Place:
        """
        Return the place of a record of the same group.

        Args:
            account: The name of the account, as `account_name` gives it.
        """
        return Place(self.root, self.profile, self.issuer, self.client_id, account)


def account_name(account: str) -> str:
    """Return the name of an account's files."""
    return _digest(account)


def is_account_name(name: str) -> bool:
    """Tell whether a name could be one of ours."""
    return len(name) == ACCOUNT_CHARACTERS and HEXADECIMAL.issuperset(name)


def _digest(value: object) -> str:
    # JSON, since joined text could be cut in two ways, and since it has a form for every string.
    from cryptography.hazmat.primitives.hashes import SHA256, Hash  # noqa: PLC0415 - hashlib loads OpenSSL once more

    digest = Hash(SHA256())
    digest.update(json.dumps(value).encode("ascii"))
    return digest.finalize().hex()
