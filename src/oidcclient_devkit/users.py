"""The people who can sign in here."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# OIDC Core section 5.4: which claims a scope asks for.
SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "profile": ("name", "preferred_username"),
    "email": ("email", "email_verified"),
}


@dataclass(frozen=True, slots=True)
class User:
    """A person. The password is shown on the sign-in page: it protects nothing."""

    username: str
    sub: str
    name: str
    password: str = field(repr=False)
    email: str | None = None
    email_verified: bool = True
    claims: Mapping[str, Any] = field(default_factory=dict)

    def knows(self, password: str) -> bool:
        """Compare the password without telling by the time it takes."""
        return hmac.compare_digest(self.password.encode(), password.encode())

    def all_claims(self) -> dict[str, Any]:
        """Return everything that is known about this person."""
        known: dict[str, Any] = {"sub": self.sub, "name": self.name, "preferred_username": self.username}
        if self.email is not None:
            known |= {"email": self.email, "email_verified": self.email_verified}
        return known | dict(self.claims)

    def claims_for(self, scope: str, requested: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the claims that a scope, or the `claims` parameter (OIDC Core section 5.5), asks for."""
        names = {"sub", *(requested or {})}
        for word in scope.split():
            names |= set(SCOPE_CLAIMS.get(word, ()))
        return {name: value for name, value in self.all_claims().items() if name in names}


def default_users() -> dict[str, User]:
    """Return ann and bob; a subject identifier is opaque, never the name."""
    ann = User("ann", "u-7d1f0a52c94e", "Ann Example", "ann-password", "ann@example.com")
    bob = User("bob", "u-1c83be60f27a", "Bob Example", "bob-password", "bob@example.com", email_verified=False)
    return {user.username: user for user in (ann, bob)}
