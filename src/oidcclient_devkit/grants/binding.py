"""Which key a code, a refresh token and an access token belong to (RFC 9449 sections 5 and 10)."""

import re
from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from oidcclient_devkit.clients import Client
from oidcclient_devkit.exchange import Pairs, first
from oidcclient_devkit.proofs import invalid_proof
from oidcclient_devkit.store import AuthorizationCode, Grant
from oidcclient_dpop.server import VerifiedProof

THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # SHA-256 in base64url


def check_thumbprint(dpop_jkt: str | None) -> None:
    """Refuse a dpop_jkt that is no thumbprint (RFC 9449 section 10)."""
    if dpop_jkt is not None and not THUMBPRINT.fullmatch(dpop_jkt):
        raise InvalidRequestError("The dpop_jkt is a SHA-256 thumbprint (RFC 7638), 43 characters of base64url.")


def bind_pushed(params: Pairs, proof: VerifiedProof | None) -> Pairs:
    """Bind a pushed request to the key of its proof; with a dpop_jkt both must agree (RFC 9449 section 10.1)."""
    if proof is None:
        return params
    asked = first(params, "dpop_jkt")
    if asked not in {None, proof.jkt}:
        raise invalid_proof("The proof was made by another key than dpop_jkt names.")
    return params if asked else (*params, ("dpop_jkt", proof.jkt))


def check_code(request: Any, code: AuthorizationCode) -> None:
    """Refuse a code that is bound to another key, before it is spent (RFC 9449 section 10)."""
    if code.dpop_jkt is None or request.ignores_proof:
        return
    if request.proof is None:
        raise invalid_proof("The code is bound to a key by dpop_jkt: a proof by that key redeems it.")
    if request.proof.jkt != code.dpop_jkt:
        raise InvalidGrantError("The proof was made by another key than dpop_jkt named.")


def check_refresh(request: Any, client: Client, grant: Grant) -> None:
    """Refuse another key, and a DPoP that starts or stops in the middle, before the token is spent.

    RFC 9449 section 5: the refresh token of a public client is bound to the key; a confidential client is bound by
    its authentication and may change the key.
    """
    if request.ignores_proof:
        return
    bound = (grant.confirmation or {}).get("jkt")
    if bound is None and request.proof is not None:
        raise InvalidGrantError("This sign-in was made without DPoP: it cannot start at a refresh.")
    if bound is not None and request.proof is None:
        raise invalid_proof("This sign-in is bound to a key: each refresh brings a proof.")
    if bound is not None and client.is_public and request.proof.jkt != bound:
        raise InvalidGrantError("The refresh token is bound to another key.")


def confirmation(request: Any, grant: Grant) -> Mapping[str, str] | None:
    """Return the `cnf` of the next access token (RFC 9449 section 6), and keep it with the sign-in."""
    if request.ignores_proof:
        return None
    if request.proof is not None:
        grant.confirmation = {"jkt": request.proof.jkt}
    return grant.confirmation
