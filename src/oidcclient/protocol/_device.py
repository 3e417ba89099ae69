"""Signing in on another device: the two requests of RFC 8628 and their answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from oidcclient._words.errors import (
    DiscoveryRefused,
    IDTokenRefused,
    LoginDenied,
    LoginTimedOut,
    OAuthError,
    OidcError,
    ResponseRefused,
    UsageError,
)
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import Json, ProviderMetadata, TokenResponse

from ._addresses import LONGEST_ADDRESS, check_endpoint, is_plain
from ._authorization import AuthorizationRequest, form_request, wishes
from ._id_token import IDToken
from ._parsing import finite, json_object, parse_error, text_member
from ._token import parse_token_response, resources_of_code

__all__ = [
    "DEVICE_GRANT",
    "DeviceAuthorization",
    "DevicePoll",
    "build_device_authorization_request",
    "build_device_token_request",
    "check_no_nonce",
    "device_code_expired",
    "device_endpoint",
    "parse_device_authorization_response",
    "parse_device_token_response",
]

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"  # section 3.4
_OK = 200
_WHAT = "the device authorization response"
_DEFAULT_INTERVAL = 5.0  # seconds, where the provider names none (section 3.2)
_LONGEST_USER_CODE = 64  # characters; a person types it, section 6.1 has eight
_DIGITS = 12  # of a number in a string: 30,000 years
_HINT = "Have the device authorization grant allowed for this client at the provider, or sign in another way."


class DevicePoll(Enum):
    """What the token endpoint says while nobody has decided (section 3.5)."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAuthorization:
    """
    The answer of the device authorization endpoint (section 3.2).

    Args:
        device_code: What the device asks with. Secret; never shown (section 3.3).
        user_code: What the person types or compares. For that person alone.
        verification_uri: Where to type it.
        verification_uri_complete: The same with the code in it; None where the provider sends none.
        expires_in: How long both codes live, in seconds.
        interval: The shortest time between two polls, in seconds.
    """

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    verification_uri: str
    verification_uri_complete: str | None = field(repr=False)
    expires_in: float
    interval: float


def device_endpoint(metadata: ProviderMetadata) -> str | None:
    """Return the provider's device authorization endpoint, if it has one (section 4)."""
    endpoint = metadata.raw.get("device_authorization_endpoint")
    return endpoint if isinstance(endpoint, str) else None


def build_device_authorization_request(
    metadata: ProviderMetadata, asked: AuthorizationRequest, policy: Policy
) -> HttpRequest:
    """
    Make the device authorization request, without client authentication (section 3.1).

    Beyond `scope` it carries what an authorization request would: a server must ignore what it does not know. What was
    demanded is checked in the ID Token.

    Raises:
        UsageError: The provider has no endpoint for it, or `prompt=none` leaves a person nothing to do.
    """
    endpoint = device_endpoint(metadata)
    if endpoint is None:
        raise UsageError(
            "the provider has no device authorization endpoint",
            rule="device",
            section="RFC 8628 section 4",
            hint="Sign in another way: via=Loopback() or via=Paste().",
        )
    if asked.prompt == "none":
        raise UsageError("prompt=none cannot be kept on another device", rule="prompt", section="RFC 8628 section 3.3")
    form = {"scope": " ".join(asked.scopes), **wishes(asked)}
    present = [(name, value) for name, value in form.items() if value is not None]
    return form_request(endpoint, [*present, *(("resource", uri) for uri in asked.resources)], policy)


def parse_device_authorization_response(response: HttpResponse, *, issuer: str, policy: Policy) -> DeviceAuthorization:
    """
    Read the answer to a device authorization request (section 3.2).

    Args:
        response: The answer.
        issuer: The issuer it came from.
        policy: What addresses are allowed.

    Raises:
        OAuthError: The provider refused the request.
        ResponseRefused: The answer lacks what it must hold, or an address in it is one to stay away from.
        TransportError: The provider is busy or broken.
    """
    if response.status != _OK:
        raise _for_device(parse_error(response, _WHAT))
    members = json_object(response.body, _WHAT)
    complete = members.get("verification_uri_complete")
    # Google sends verification_url, the name of an early draft.
    plain = "verification_uri" if members.get("verification_uri") is not None else "verification_url"
    return DeviceAuthorization(
        device_code=_text(members, "device_code"),
        user_code=_user_code(members),
        verification_uri=_address(_text(members, plain, "verification_uri"), issuer, policy),
        verification_uri_complete=None
        if complete is None
        else _address(_text(members, "verification_uri_complete"), issuer, policy),
        expires_in=_seconds(members, "expires_in", None),
        interval=_seconds(members, "interval", _DEFAULT_INTERVAL),
    )


def _text(members: dict[str, Json], name: str, called: str | None = None) -> str:
    value = text_member(members, name, _WHAT, ResponseRefused)
    if value is None:
        raise ResponseRefused(f"{_WHAT} has no {called or name}", rule=called or name, section="RFC 8628 section 3.2")
    return value


def _user_code(members: dict[str, Json]) -> str:
    """It goes to a terminal, and a person compares it: what cannot be seen has no place in it."""
    code = _text(members, "user_code")
    if not code.isprintable() or code.isspace() or len(code) > _LONGEST_USER_CODE:
        raise ResponseRefused(
            "user_code is nothing a person could type", rule="user_code", section="RFC 8628 section 6.1"
        )
    return code


def _address(address: str, issuer: str, policy: Policy) -> str:
    """Section 3.2 wants an address for people; some lead into a page by a fragment, which no server sees."""
    base, _, fragment = address.partition("#")
    try:
        check_endpoint("verification_uri", base, issuer=issuer, policy=policy)
        usable = len(address) <= LONGEST_ADDRESS and (not fragment or is_plain(fragment))
    except DiscoveryRefused:
        usable = False
    if not usable:
        raise ResponseRefused(
            "the address to sign in at is not https, or no address at all",
            rule="verification_uri",
            section="RFC 8628 section 3.2",
            expected="an https address",
            received=base.partition("?")[0],  # the code may be in its query
        )
    return address


def _seconds(members: dict[str, Json], name: str, default: float | None) -> float:
    """Read a number of seconds; some providers send it as a string."""
    value = members.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _DIGITS:
        value = int(value)
    if not finite(value) or value < 0:
        raise ResponseRefused(f"{name} in {_WHAT} is no number of seconds", rule=name, section="RFC 8628 section 3.2")
    return float(value)


def build_device_token_request(
    metadata: ProviderMetadata, authorization: DeviceAuthorization, asked: AuthorizationRequest, policy: Policy
) -> HttpRequest:
    """
    Make one poll, without client authentication, which a public client's `client_id` is part of (section 3.4).

    Args:
        metadata: The provider.
        authorization: The codes.
        asked: What was asked for; its resources are named again (RFC 8707 section 2.2).
        policy: Limits.
    """
    form = [
        ("grant_type", DEVICE_GRANT),
        ("device_code", authorization.device_code),
        *(("resource", uri) for uri in resources_of_code(asked)),
    ]
    return form_request(metadata.token_endpoint or "", form, policy)


def parse_device_token_response(response: HttpResponse) -> TokenResponse | DevicePoll:
    """
    Read the answer to a poll (section 3.5).

    Returns:
        The tokens, or that nobody has decided yet.

    Raises:
        LoginDenied: The person said no.
        LoginTimedOut: The codes have expired; ask for new ones only when the person wants to go on.
        OAuthError: The provider refused for another reason: the polling ends.
        ResponseRefused: The answer is malformed.
        TransportError: The provider is busy or broken: ask again later.
    """
    try:
        return parse_token_response(response)
    except OAuthError as refusal:
        found = refusal
    if found.error in {poll.value for poll in DevicePoll}:
        return DevicePoll(found.error)
    if found.error == "expired_token":
        raise device_code_expired()
    if found.error == "access_denied":
        raise LoginDenied(
            found.error, error_description=found.error_description, error_uri=found.error_uri, status=found.status
        )
    raise _for_device(found)


def device_code_expired() -> LoginTimedOut:
    """Say that the codes have come to their end."""
    return LoginTimedOut(
        "nobody used the code before it expired",
        rule="expired_token",
        section="RFC 8628 section 3.5",
        hint="Sign in again for a new code, when the person is ready to use it.",
    )


def _for_device(error: OidcError) -> OidcError:
    if isinstance(error, OAuthError) and error.error in {"unauthorized_client", "unsupported_grant_type"}:
        error.hint = _HINT
    return error


def check_no_nonce(id_token: IDToken) -> None:
    """
    Refuse an ID Token with a `nonce` where none was sent: it answers another request.

    A present nonce must equal the one sent (OIDC Core 2), and RFC 8628 has no request to send one in.

    Raises:
        IDTokenRefused: It has one.
    """
    if id_token.claims.get("nonce") is not None:
        raise IDTokenRefused(
            "the ID Token has a nonce, and none was sent", rule="nonce", section="OIDC Core 2", expected="none"
        )
