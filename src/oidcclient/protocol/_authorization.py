"""The authorization request: PKCE, state, nonce, what the caller asks for (OIDC Core 3.1.2.1, RFC 7636)."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from oidcclient._words.errors import DiscoveryRefused, UsageError
from oidcclient._words.http import HttpRequest
from oidcclient._words.policy import Policy
from oidcclient._words.values import Json, ProviderMetadata

from ._parsing import form_body

__all__ = [
    "AuthorizationRequest",
    "Transaction",
    "authorization_address",
    "authorization_parameters",
    "callback_path",
    "new_transaction",
]

_RANDOM_BYTES = 32  # 256 bits: RFC 7636 section 7.1 for the verifier; state and nonce get as much
_VERIFIER_LENGTH = 43  # characters: 32 octets in base64url (RFC 7636 section 4.1)
_PROMPTS = ("none", "login", "consent", "select_account", "create")

# What neither a caller's extra parameters nor a hook may ever set; `dpop_jkt` is a hook's.
PROTECTED = frozenset(
    {
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code_challenge",
        "code_challenge_method",
        "dpop_jkt",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "state",
    }
)
# What has an argument of its own; passing it twice would hide which one counts.
_NAMED = frozenset({"acr_values", "claims", "login_hint", "max_age", "prompt", "resource", "scope"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """
    What the caller asks the provider for.

    Args:
        scopes: The scopes; `openid` must be among them (OIDC Core 3.1.2.1).
        login_hint: Who is expected to sign in.
        prompt: One or more of none, login, consent, select_account, create, space-separated.
        max_age: The longest time since the person last signed in, in seconds.
        acr_values: The authentication contexts wished for, best first, space-separated.
        resources: Resource indicators (RFC 8707).
        claims: The `claims` request parameter (OIDC Core 5.5). An essential `acr` in it is demanded of the ID Token.
        ui_locales: The person's languages, best first, space-separated.
        id_token_hint: An ID Token of the person expected, for `prompt=none`. Secret.
        extra: Further parameters; none may replace a security parameter.

    Raises:
        UsageError: An argument does not fit.
    """

    scopes: tuple[str, ...] = ("openid",)
    login_hint: str | None = None
    prompt: str | None = None
    max_age: int | None = None
    acr_values: str | None = None
    resources: tuple[str, ...] = ()
    claims: Mapping[str, Json] | None = None
    ui_locales: str | None = None
    id_token_hint: str | None = field(default=None, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no provider could answer or what would weaken the request."""
        if "openid" not in self.scopes:
            raise UsageError(
                "scopes must hold openid", rule="scope", section="OIDC Core 3.1.2.1", received=" ".join(self.scopes)
            )
        _check_prompt(self.prompt)
        if self.max_age is not None and (isinstance(self.max_age, bool) or self.max_age < 0):
            raise UsageError("max_age must be 0 or more seconds", rule="max_age", received=self.max_age)
        for resource in self.resources:
            _check_resource(resource)
        _check_claims(self.claims)
        given = {name for name in ("ui_locales", "id_token_hint") if getattr(self, name) is not None}
        refused = sorted(name for name in self.extra if _is_reserved(name) or name in given)
        if refused:
            raise UsageError(
                f"extra may not hold {', '.join(refused)}",
                rule="extra",
                section="RFC 9700 section 4.7",
                hint="Use the argument of that name if there is one; security parameters cannot be set.",
            )

    @property
    def essential_acr(self) -> tuple[str, ...] | None:
        """The `acr` values of which the ID Token must carry one; empty means any; None means not demanded."""
        asked = ((self.claims or {}).get("id_token") or {}).get("acr")
        if not isinstance(asked, Mapping) or asked.get("essential") is not True:
            return None
        values = asked.get("values", [asked["value"]] if "value" in asked else [])
        return tuple(str(value) for value in values)


def _is_reserved(name: str) -> bool:
    return name in PROTECTED | _NAMED or name.startswith("code_challenge")


def _check_claims(claims: Mapping[str, Json] | None) -> None:
    """An essential `acr` is read from here, so a wrong form must not pass for "not demanded"."""
    places = [] if claims is None else [claims.get("id_token"), claims.get("userinfo")]
    readable = all(isinstance(place, Mapping | None) for place in places)
    for place in places if readable else []:
        acr = (place or {}).get("acr")
        readable = readable and not (isinstance(acr, Mapping) and not isinstance(acr.get("values", []), list | tuple))
    try:
        json.dumps(claims, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        readable = False
    if not readable:
        raise UsageError("claims must be JSON as OIDC Core 5.5 defines it", rule="claims", section="OIDC Core 5.5")


def _check_prompt(prompt: str | None) -> None:
    values = (prompt or "").split(" ") if prompt is not None else []
    if not set(values) <= set(_PROMPTS):
        raise UsageError("prompt has a value nobody knows", rule="prompt", section="OIDC Core 3.1.2.1", received=prompt)
    if "none" in values and len(values) > 1:
        raise UsageError(
            "prompt=none goes with no other value", rule="prompt", section="OIDC Core 3.1.2.1", received=prompt
        )


def _check_resource(resource: str) -> None:
    try:
        parts = urlsplit(resource)
        absolute = bool(parts.scheme and (parts.netloc or parts.path))
    except ValueError:  # "https://[": no URI at all
        absolute = False
    if not absolute or "#" in resource:
        raise UsageError(
            "a resource must be an absolute URI without fragment",
            rule="resource",
            section="RFC 8707 section 2",
            received=resource,
        )


@dataclass(frozen=True, slots=True)
class Transaction:
    """
    One sign-in under way: what binds the answer to the request. All random values are new for each.

    Args:
        issuer: The issuer it goes to (RFC 9700 section 4.4.2).
        state: Ties the callback to this request. Secret.
        nonce: Ties the ID Token to it. Secret.
        code_verifier: Ties the code to it (RFC 7636). Secret.
        redirect_uri: Byte for byte as it goes on the wire; empty until the receiver is open.
        request: What was asked for.
    """

    issuer: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str
    request: AuthorizationRequest


def new_transaction(issuer: str, request: AuthorizationRequest, redirect_uri: str = "") -> Transaction:
    """Draw the random values of a sign-in (RFC 7636 section 4.1, RFC 6749 section 10.10)."""
    import pkce  # noqa: PLC0415 - some 10 ms, paid at a sign-in only

    return Transaction(
        issuer=issuer,
        state=secrets.token_urlsafe(_RANDOM_BYTES),
        nonce=secrets.token_urlsafe(_RANDOM_BYTES),
        code_verifier=pkce.generate_code_verifier(_VERIFIER_LENGTH),
        redirect_uri=redirect_uri,
        request=request,
    )


def callback_path(issuer: str, policy: Policy) -> str:
    """
    Return the path of the `redirect_uri` where none is set.

    With several issuers each gets a path of its own, so that a response meant for another issuer cannot be delivered
    (RFC 8252 section 8.10), unless the policy shares one path among issuers that send `iss`.
    """
    if not policy.several_issuers or policy.shared_redirect_path:
        return "/callback"
    return f"/callback/{hashlib.sha256(issuer.encode()).hexdigest()[:16]}"


def authorization_parameters(
    transaction: Transaction,
    *,
    client_id: str,
    form_post: bool,
    added: Mapping[str, str],
) -> list[tuple[str, str]]:
    """
    Return the parameters of the authorization request, in order.

    Args:
        transaction: The sign-in under way.
        client_id: The client's identifier.
        form_post: Whether to ask for `response_mode=form_post`; otherwise the default is not named.
        added: What hooks contribute.

    Raises:
        UsageError: A hook would set a parameter of the core.
    """
    import pkce  # noqa: PLC0415 - loaded already by new_transaction

    asked = transaction.request
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": transaction.redirect_uri,
        "scope": " ".join(asked.scopes),
        "state": transaction.state,
        "nonce": transaction.nonce,
        "code_challenge": pkce.get_code_challenge(transaction.code_verifier),
        "code_challenge_method": "S256",
        "response_mode": "form_post" if form_post else None,
        **wishes(asked),
    }
    present = {name: value for name, value in parameters.items() if value is not None}
    clash = sorted(name for name in added if name in present or (_is_reserved(name) and name != "dpop_jkt"))
    if clash:
        raise UsageError(f"a hook may not set {', '.join(clash)}", rule="hook")
    return [*present.items(), *(("resource", uri) for uri in asked.resources), *added.items()]


def wishes(asked: AuthorizationRequest) -> dict[str, str | None]:
    """Return the parameters with which a caller says who should sign in, and how (OIDC Core 3.1.2.1)."""
    return {
        "login_hint": asked.login_hint,
        "prompt": asked.prompt,
        "max_age": None if asked.max_age is None else str(asked.max_age),
        "acr_values": asked.acr_values,
        "ui_locales": asked.ui_locales,
        "id_token_hint": asked.id_token_hint,
        "claims": None if asked.claims is None else json.dumps(asked.claims, separators=(",", ":")),
        **asked.extra,
    }


def authorization_address(metadata: ProviderMetadata, parameters: list[tuple[str, str]]) -> str:
    """
    Return the address for the browser (RFC 6749 section 4.1.1); the endpoint's own query is kept (section 3.1).

    Raises:
        DiscoveryRefused: That query names one of our parameters, which would then come twice.
    """
    endpoint = metadata.authorization_endpoint or ""
    own = {name for name, _ in parse_qsl(endpoint.partition("?")[2], keep_blank_values=True)}
    twice = sorted(own & {name for name, _ in parameters})
    if twice:
        raise DiscoveryRefused(
            f"the provider's authorization_endpoint sets {', '.join(twice)}",
            rule="authorization_endpoint",
            section="RFC 6749 section 3.1",
        )
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters, quote_via=quote)}"


def form_request(endpoint: str, parameters: list[tuple[str, str]], policy: Policy) -> HttpRequest:
    """Make a POST of a form."""
    headers = (("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded"))
    return HttpRequest("POST", endpoint, headers, form_body(parameters), max_bytes=policy.max_response_bytes)
