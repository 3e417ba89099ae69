"""Making ID Tokens (OIDC Core section 2), and reading them back as hints."""

from typing import Any

from joserfc.jwk import Key

from oidcclient_devkit import jwts
from oidcclient_devkit.clients import Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.keys import SIGNING_ALGS
from oidcclient_devkit.misbehaviours import bend_draft
from oidcclient_devkit.misbehaviours.draft import Draft
from oidcclient_devkit.store import ID_TOKEN_LIFETIME, Grant


def read_id_token_hint(core: Core, token: str) -> dict[str, Any] | None:
    """Return the claims of one of our ID Tokens, expired or not; None for anything else."""

    def keys(header: dict[str, Any]) -> list[Key]:
        key = core.keys.find(str(header.get("kid")))
        return [key.key] if key is not None else []

    try:
        header, claims = jwts.verify(token, keys, SIGNING_ALGS)
    except jwts.BadToken:
        return None
    # An access token is signed by the same keys; its typ tells it apart (RFC 8725 section 3.11).
    return claims if claims.get("iss") == core.issuer and "typ" not in header else None


def new_id_token(core: Core, client: Client, grant: Grant, *, access_token: str, with_nonce: bool) -> str:
    """Make the ID Token for a token answer, signed as the client registered it."""
    now = core.now()
    alg, person = client.id_token_signed_response_alg, grant.person
    claims = {
        "iss": core.issuer,
        "aud": client.client_id,
        "exp": now + ID_TOKEN_LIFETIME,
        "iat": now,
        "auth_time": int(person.auth_time),
        "acr": person.acr,
        "amr": list(person.amr),
        "at_hash": jwts.half_hash(access_token, alg),
        **core.user_of(grant).claims_for(grant.scope, grant.claims.get("id_token")),
    }
    # OIDC Core section 12.2: an ID Token from a refresh should have no nonce.
    if with_nonce and grant.nonce is not None:
        claims["nonce"] = grant.nonce
    key = core.keys.signing(alg)
    draft = Draft(header=jwts.header_for(key), claims=claims, key=key, client=client, core=core)
    bend_draft(core, "id_token", draft)
    return draft.seal(draft)
