"""
The protocol without I/O: build a request, parse an answer, check a rule.

For people who bring their own HTTP. Every `build_*` returns an `HttpRequest`, every `parse_*` takes an `HttpResponse`,
every `check_*` raises or returns None. Time is an argument. Each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from oidcclient._words.http import HttpRequest, HttpResponse
    from oidcclient._words.values import ProviderMetadata, TokenResponse

    from ._addresses import check_endpoint, check_issuer, is_loopback, origin, redirect_target
    from ._authorization import (
        AuthorizationRequest,
        Transaction,
        authorization_address,
        authorization_parameters,
        callback_path,
        new_transaction,
    )
    from ._base import TokenBase
    from ._callback import check_state, parse_callback, same_secret
    from ._challenges import Challenge, parse_challenges
    from ._client_auth import (
        ClientAuth,
        ClientSecretBasic,
        ClientSecretJwt,
        ClientSecretPost,
        PrivateKeyJwt,
        PublicClient,
    )
    from ._device import (
        DEVICE_GRANT,
        DeviceAuthorization,
        DevicePoll,
        build_device_authorization_request,
        build_device_token_request,
        check_no_nonce,
        device_code_expired,
        device_endpoint,
        parse_device_authorization_response,
        parse_device_token_response,
    )
    from ._ending import (
        build_revocation_request,
        check_post_logout_redirect_uri,
        end_session_address,
        parse_revocation_response,
    )
    from ._id_token import Expected, IDToken, allowed_algorithms, parse_id_token, verify_id_token
    from ._jws import SignedJwt, parse_jwt, verify_jwt
    from ._keys import KeySet, key_set_from, keys_for, parse_key_set
    from ._metadata import (
        REDIRECTS,
        build_metadata_request,
        metadata_addresses,
        metadata_from,
        parse_metadata,
    )
    from ._par import PushedRequest, build_par_request, parse_par_response, pushed_address
    from ._refresh import build_refresh_request, check_continuity, rotated_token
    from ._token import (
        build_code_request,
        check_token_type,
        granted_scope,
        missing_scopes,
        parse_token_response,
        resources_of_code,
    )
    from ._userinfo import build_userinfo_request, check_userinfo_sub, parse_userinfo_response, verify_userinfo

_HOMES = {
    "oidcclient._words.http": (
        "HttpRequest",
        "HttpResponse",
    ),
    "oidcclient._words.values": (
        "ProviderMetadata",
        "TokenResponse",
    ),
    "._addresses": (
        "check_endpoint",
        "check_issuer",
        "is_loopback",
        "origin",
        "redirect_target",
    ),
    "._authorization": (
        "AuthorizationRequest",
        "Transaction",
        "authorization_address",
        "authorization_parameters",
        "callback_path",
        "new_transaction",
    ),
    "._base": ("TokenBase",),
    "._callback": (
        "check_post_logout_redirect_uri",
        "check_state",
        "parse_callback",
        "same_secret",
    ),
    "._challenges": (
        "Challenge",
        "parse_challenges",
    ),
    "._client_auth": (
        "ClientAuth",
        "ClientSecretBasic",
        "ClientSecretJwt",
        "ClientSecretPost",
        "PrivateKeyJwt",
        "PublicClient",
    ),
    "._device": (
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
    ),
    "._ending": (
        "build_revocation_request",
        "check_post_logout_redirect_uri",
        "end_session_address",
        "parse_revocation_response",
    ),
    "._id_token": (
        "Expected",
        "IDToken",
        "allowed_algorithms",
        "parse_id_token",
        "verify_id_token",
    ),
    "._jws": (
        "SignedJwt",
        "parse_jwt",
        "verify_jwt",
    ),
    "._keys": (
        "KeySet",
        "key_set_from",
        "keys_for",
        "parse_key_set",
    ),
    "._metadata": (
        "REDIRECTS",
        "build_metadata_request",
        "metadata_addresses",
        "metadata_from",
        "parse_metadata",
    ),
    "._par": (
        "PushedRequest",
        "build_par_request",
        "parse_par_response",
        "pushed_address",
    ),
    "._refresh": (
        "build_refresh_request",
        "check_continuity",
        "rotated_token",
    ),
    "._token": (
        "build_code_request",
        "check_token_type",
        "granted_scope",
        "missing_scopes",
        "parse_token_response",
        "resources_of_code",
    ),
    "._userinfo": (
        "build_userinfo_request",
        "check_userinfo_sub",
        "parse_userinfo_response",
        "verify_userinfo",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEVICE_GRANT",
    "REDIRECTS",
    "AuthorizationRequest",
    "Challenge",
    "ClientAuth",
    "ClientSecretBasic",
    "ClientSecretJwt",
    "ClientSecretPost",
    "DeviceAuthorization",
    "DevicePoll",
    "Expected",
    "HttpRequest",
    "HttpResponse",
    "IDToken",
    "KeySet",
    "PrivateKeyJwt",
    "ProviderMetadata",
    "PublicClient",
    "PushedRequest",
    "SignedJwt",
    "TokenBase",
    "TokenResponse",
    "Transaction",
    "allowed_algorithms",
    "authorization_address",
    "authorization_parameters",
    "build_code_request",
    "build_device_authorization_request",
    "build_device_token_request",
    "build_metadata_request",
    "build_par_request",
    "build_refresh_request",
    "build_revocation_request",
    "build_userinfo_request",
    "callback_path",
    "check_continuity",
    "check_endpoint",
    "check_issuer",
    "check_no_nonce",
    "check_post_logout_redirect_uri",
    "check_state",
    "check_token_type",
    "check_userinfo_sub",
    "device_code_expired",
    "device_endpoint",
    "end_session_address",
    "granted_scope",
    "is_loopback",
    "key_set_from",
    "keys_for",
    "metadata_addresses",
    "metadata_from",
    "missing_scopes",
    "new_transaction",
    "origin",
    "parse_callback",
    "parse_challenges",
    "parse_device_authorization_response",
    "parse_device_token_response",
    "parse_id_token",
    "parse_jwt",
    "parse_key_set",
    "parse_metadata",
    "parse_par_response",
    "parse_revocation_response",
    "parse_token_response",
    "parse_userinfo_response",
    "pushed_address",
    "redirect_target",
    "resources_of_code",
    "rotated_token",
    "same_secret",
    "verify_id_token",
    "verify_jwt",
    "verify_userinfo",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
