"""A JWT that is not signed yet, so that a misbehaviour can spoil it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oidcclient_devkit import jwts
from oidcclient_devkit.clients import Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.keys import SigningKey


def _sign(draft: "Draft") -> str:
    return jwts.sign(draft.header, draft.claims, draft.key)


@dataclass(slots=True)
class Draft:
    """Header and claims, the key they will be signed with, and how the token is made of them."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: SigningKey
    client: Client
    core: Core
    seal: Callable[["Draft"], str] = field(default=_sign)
