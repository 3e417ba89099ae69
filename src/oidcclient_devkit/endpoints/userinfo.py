"""The userinfo endpoint (OIDC Core section 5.3)."""

from oidcclient_devkit import jwts
from oidcclient_devkit.answers import NO_STORE, Answer, json_answer
from oidcclient_devkit.bearer import TokenRefused, check_access_token
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.misbehaviours import bend_draft
from oidcclient_devkit.misbehaviours.draft import Draft


def userinfo(core: Core, exchange: Exchange) -> Answer:
    """Tell what the scope and the `claims` parameter allow, signed if the client registered so."""
    try:
        record, token = check_access_token(core, exchange, "userinfo", scope="openid", meant_for=bool)
    except TokenRefused as refused:
        return refused.answer(core, exchange)
    grant = record.grant
    client = core.clients[grant.client_id]
    alg = client.userinfo_signed_response_alg
    claims = core.user_of(grant).claims_for(token["scope"], grant.claims.get("userinfo"))
    key = core.keys.signing(alg or "RS256")
    if alg is not None:
        claims |= {"iss": core.issuer, "aud": client.client_id}  # section 5.3.2
    draft = Draft(header=jwts.header_for(key), claims=claims, key=key, client=client, core=core)
    bend_draft(core, "userinfo", draft)
    if alg is None:
        return json_answer(draft.claims)
    return Answer(200, [("Content-Type", "application/jwt"), *NO_STORE], draft.seal(draft).encode())
