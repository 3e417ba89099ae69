"""ID Tokens that a client must refuse (OIDC Core section 3.1.3.7, RFC 8725)."""

from collections.abc import Callable, Mapping
from typing import Any

from oidcclient_devkit import jwts

from .documents import change
from .draft import Draft
from .kinds import BadAnswer, BadDraft
from .token import on_success

ATTACKER = "https://attacker.example"
LONG_AGO = 10 * 365 * 86_400  # seconds
HOUR = 3_600  # seconds

Act = Callable[[Draft, Mapping[str, Any]], None]


def put(**claims: Any) -> Act:
    """Set claims; the option `value` replaces the value where there is one claim."""

    def act(draft: Draft, options: Mapping[str, Any]) -> None:
        for name, value in claims.items():
            draft.claims[name] = options.get("value", value)

    return act


def drop(name: str) -> Act:
    """Leave a claim out."""

    def act(draft: Draft, _options: Mapping[str, Any]) -> None:
        draft.claims.pop(name, None)

    return act


def _shift(name: str, seconds: int) -> Act:
    """Move a time; the option `seconds` says how far."""

    def act(draft: Draft, options: Mapping[str, Any]) -> None:
        draft.claims[name] = draft.core.now() + int(options.get("seconds", seconds))

    return act


def _audiences(*others: str, azp: bool) -> Act:
    def act(draft: Draft, _options: Mapping[str, Any]) -> None:
        draft.claims["aud"] = [draft.client.client_id, *others]
        if azp:
            draft.claims["azp"] = draft.client.client_id

    return act


def _seal_with(seal: Callable[[Draft], str]) -> Act:
    def act(draft: Draft, _options: Mapping[str, Any]) -> None:
        draft.seal = seal

    return act


def _unsigned(draft: Draft) -> str:
    return f"{jwts.signing_input({'alg': 'none'}, draft.claims)}."


def _signed_by_attacker(draft: Draft) -> str:
    return jwts.sign(draft.header, draft.claims, draft.core.keys.foreign(draft.key.alg))


def _hs256_public_key(draft: Draft) -> str:
    key: Any = draft.key.key
    pem = key.as_pem(private=False)
    return jwts.sign_hs256({**draft.header, "alg": "HS256"}, draft.claims, pem)


def _hs256_client_secret(draft: Draft) -> str:
    secret = draft.client.client_secret or draft.client.client_id
    return jwts.sign_hs256({"alg": "HS256"}, draft.claims, secret.encode())


def _zeroed(draft: Draft) -> str:
    text, _, signature = jwts.sign(draft.header, draft.claims, draft.key).rpartition(".")
    return f"{text}.{jwts.b64(bytes(len(jwts.unb64(signature))))}"


def _no_signature(draft: Draft) -> str:
    return f"{jwts.signing_input(draft.header, draft.claims)}."


def _two_parts(draft: Draft) -> str:
    return jwts.signing_input(draft.header, draft.claims)


def _five_parts(draft: Draft) -> str:
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}
    sealed = jwts.sign(draft.header, draft.claims, draft.key).encode()
    return ".".join(
        [jwts.signing_input(header, {}).partition(".")[0], *map(jwts.b64, (b"k" * 256, b"i" * 12, sealed, b"t" * 16))]
    )


def _attacker_header(**header: Any) -> Act:
    """Point to the attacker's key in the header and sign with it."""

    def seal(draft: Draft) -> str:
        key = draft.core.keys.foreign(draft.key.alg)
        extra = {name: key.public() if value is None else value for name, value in header.items()}
        return jwts.sign({**draft.header, **extra}, draft.claims, key)

    return _seal_with(seal)


def _stale_key(draft: Draft, _options: Mapping[str, Any]) -> None:
    key = draft.core.keys.foreign(draft.key.alg)
    draft.header["kid"] = f"retired-{key.kid}"
    draft.seal = _signed_by_attacker


def _crit(draft: Draft, _options: Mapping[str, Any]) -> None:
    draft.header |= {"crit": ["urn:example:must-understand"], "urn:example:must-understand": True}


alg_none = _seal_with(_unsigned)
foreign_signature = _seal_with(_signed_by_attacker)

ID_TOKEN: Mapping[str, BadAnswer | BadDraft] = {
    "wrong_iss": BadDraft("names another issuer (option `value`)", put(iss=ATTACKER)),
    "missing_iss": BadDraft("has no iss", drop("iss")),
    "wrong_aud": BadDraft("is meant for another client (option `value`)", put(aud="another-client")),
    "missing_aud": BadDraft("has no aud", drop("aud")),
    "untrusted_aud": BadDraft("names an unknown second audience, with azp", _audiences("another-client", azp=True)),
    "many_aud_no_azp": BadDraft("names two audiences without azp", _audiences("another-client", azp=False)),
    "aud_list": BadDraft("has the one right audience in a list, which is allowed", _audiences(azp=False)),
    "wrong_azp": BadDraft("was issued to another client (option `value`)", put(azp="another-client")),
    "wrong_nonce": BadDraft("has another nonce (option `value`)", put(nonce="another-nonce")),
    "missing_nonce": BadDraft("has no nonce", drop("nonce")),
    "wrong_at_hash": BadDraft("belongs to another access token", put(at_hash="AAAAAAAAAAAAAAAAAAAAAA")),
    "missing_at_hash": BadDraft("has no at_hash, which is allowed", drop("at_hash")),
    "unknown_claims": BadDraft("has claims nobody knows, which do no harm", put(**{"https://example.com/x": {"a": 1}})),
    "expired": BadDraft("expired an hour ago (option `seconds`)", _shift("exp", -HOUR)),
    "missing_exp": BadDraft("has no exp", drop("exp")),
    "exp_string": BadDraft("has exp as a string", put(exp="tomorrow")),
    "iat_future": BadDraft("is issued in an hour (option `seconds`)", _shift("iat", HOUR)),
    "iat_past": BadDraft("was issued ten years ago (option `seconds`)", _shift("iat", -LONG_AGO)),
    "missing_iat": BadDraft("has no iat", drop("iat")),
    "missing_sub": BadDraft("has no sub", drop("sub")),
    "other_sub": BadDraft("is about somebody else (option `value`)", put(sub="u-somebody-else")),
    "long_sub": BadDraft("has a sub of more than 255 characters", put(sub="u" * 256)),
    "sub_number": BadDraft("has a number as sub", put(sub=12345)),
    "missing_auth_time": BadDraft("has no auth_time", drop("auth_time")),
    "old_auth_time": BadDraft("says the person signed in long ago (option `seconds`)", _shift("auth_time", -LONG_AGO)),
    "other_acr": BadDraft("has another acr (option `value`)", put(acr="0")),
    "missing_acr": BadDraft("has no acr", drop("acr")),
    "alg_none": BadDraft("has alg none", alg_none),
    "hs256_public_key": BadDraft("is an HS256 token keyed with the public key's PEM", _seal_with(_hs256_public_key)),
    "hs256_client_secret": BadDraft(
        "is an HS256 token keyed with the client secret, or the client_id if there is none",
        _seal_with(_hs256_client_secret),
    ),
    "zeroed_signature": BadDraft("has zeros as its signature", _seal_with(_zeroed)),
    "no_signature": BadDraft("has an empty signature", _seal_with(_no_signature)),
    "wrong_key": BadDraft("is signed by another key", foreign_signature),
    "stale_key": BadDraft("is signed by a key that is published no more", _stale_key),
    "jku_header": BadDraft("points to the attacker's keys with jku", _attacker_header(jku=f"{ATTACKER}/jwks")),
    "jwk_header": BadDraft("brings the attacker's key along as jwk", _attacker_header(jwk=None)),
    "x5u_header": BadDraft("points to the attacker's certificate with x5u", _attacker_header(x5u=f"{ATTACKER}/x5u")),
    "crit_header": BadDraft("has a critical header nobody knows", _crit),
    "two_parts": BadDraft("has two parts only", _seal_with(_two_parts)),
    "encrypted": BadDraft("has five parts, as an encrypted token", _seal_with(_five_parts)),
    "not_a_jwt": BadDraft("is a word", _seal_with(lambda _draft: "nonsense")),
    "absent": BadAnswer("is not in the token answer", on_success(change(id_token=None))),
}
