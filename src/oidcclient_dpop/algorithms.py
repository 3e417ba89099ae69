"""What a key signs with: an algorithm that we accept, that the provider lists, and that no API has refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import oidcclient

from .constants import SIGNING_ALGORITHMS
from .proofs import OTHER_NAMES

__all__ = ["Agreement", "name_of", "no_overlap"]


class Agreement:
    """
    What a hook and the servers agree on.

    Args:
        ours: The algorithms accepted, the best first.
        force: Take ours where the provider lists none.
    """

    def __init__(self, ours: Sequence[str], *, force: bool) -> None:
        self._ours = tuple(ours)
        self._force = force
        self._taken: dict[str, tuple[str, ...]] = {}  # by issuer: what an API said it takes, for the next sign-in

    def wanted(self, issuer: str, listed: object) -> tuple[str, ...]:
        """
        Return what a new key may sign with.

        Args:
            issuer: The provider.
            listed: What its metadata lists.

        Raises:
            oidcclient.DiscoveryRefused: The provider does not support DPoP, or no algorithm that we accept.
        """
        ours = _common(self._ours, self._taken.get(issuer, self._ours))
        if not isinstance(listed, list):
            if self._force:
                return ours
            raise oidcclient.DiscoveryRefused(
                "the provider does not say that it supports DPoP",
                rule=SIGNING_ALGORITHMS,
                section="RFC 9449 section 5.1",
                hint="Leave DPoP out for this provider; if it does support DPoP, pass DPoP(force=True).",
            )
        wanted = _common(ours, listed)
        if not wanted:
            raise no_overlap(ours, listed)
        return wanted

    def check(self, issuer: str, alg: object, taken: Collection[str]) -> None:
        """
        Stop where an API takes no proof of a key (section 7.1); the next sign-in makes one that it takes.

        Args:
            issuer: The provider of the session.
            alg: What its key signs with.
            taken: What the API says it takes; nothing if it did not say.

        Raises:
            oidcclient.LoginRequired: It takes no proof of this key.
        """
        if not taken or not isinstance(alg, str) or _common((alg,), taken):
            return
        if common := _common(self._ours, taken):
            self._taken[issuer] = common
        raise oidcclient.LoginRequired(
            "the API takes no proof that is signed with this key's algorithm",
            rule="algs",
            section="RFC 9449 section 7.1",
            expected=" ".join(taken),
            received=alg,
            hint="Sign in again, for a key that it takes. DPoP(algorithms=...) names such algorithms from the start.",
        )


def name_of(alg: str, listed: object) -> str:
    """Return an algorithm's name as the provider lists it: who lists EdDSA alone does not know Ed25519."""
    other = OTHER_NAMES.get(alg)
    return other if other and isinstance(listed, list) and alg not in listed and other in listed else alg


def no_overlap(ours: Sequence[str], theirs: Sequence[str]) -> oidcclient.DiscoveryRefused:
    """Return the error for a key that the provider does not take."""
    return oidcclient.DiscoveryRefused(
        "no DPoP algorithm is common to the provider and the key",
        rule=SIGNING_ALGORITHMS,
        section="RFC 9449 section 5.1",
        expected=", ".join(ours),
        received=", ".join(map(str, theirs)),
        hint="Pass DPoP(algorithms=...) with one that the provider lists.",
    )


def _common(ours: Sequence[str], theirs: Collection[Any]) -> tuple[str, ...]:
    return tuple(name for name in ours if name in theirs or OTHER_NAMES.get(name, name) in theirs)
