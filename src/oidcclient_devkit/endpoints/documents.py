"""The two metadata documents (OIDC Discovery, RFC 8414) and the JWKS."""

from typing import Any

from oidcclient_devkit.answers import Answer, json_answer
from oidcclient_devkit.clients import AUTH_METHODS, SCOPES
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grant_rules import LEGACY_GRANT_TYPES
from oidcclient_devkit.grants.binding import DevkitBinding
from oidcclient_devkit.grants.client_auth import KEY_ALGS, SECRET_ALGS
from oidcclient_devkit.grants.extensions import PROMPTS, RESPONSE_MODES
from oidcclient_devkit.keys import ENCRYPTION_ALGS, SIGNING_ALGS
from oidcclient_devkit.request_objects import ENCRYPTION_METHODS
from oidcclient_devkit.signing_in import ACR_VALUES

OIDC_PATH = "/.well-known/openid-configuration"
OAUTH_PATH = "/.well-known/oauth-authorization-server"

CLAIMS = ("sub", "name", "preferred_username", "email", "email_verified", "auth_time", "acr", "amr")


def metadata(core: Core, _exchange: Exchange) -> Answer:
    """Describe this provider; the same document at both addresses."""
    assertion_algs = [*KEY_ALGS, *SECRET_ALGS]
    document: dict[str, Any] = {
        "issuer": core.issuer,
        "authorization_endpoint": core.address("/authorize"),
        "token_endpoint": core.address("/token"),
        "userinfo_endpoint": core.address("/userinfo"),
        "jwks_uri": core.address("/jwks"),
        "pushed_authorization_request_endpoint": core.address("/par"),
        "revocation_endpoint": core.address("/revoke"),
        "end_session_endpoint": core.address("/end-session"),
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(core.controls.grants.grant_types),
        "subject_types_supported": ["public"],
        "acr_values_supported": list(ACR_VALUES),
        "prompt_values_supported": sorted(PROMPTS),
        "claims_supported": list(CLAIMS),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "ui_locales_supported": ["en"],
        "protected_resources": [core.api],  # RFC 9728 section 4
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(SIGNING_ALGS),
        "request_object_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "request_object_encryption_enc_values_supported": list(ENCRYPTION_METHODS),
        "require_signed_request_object": False,
        "request_uri_parameter_supported": False,
        "require_pushed_authorization_requests": False,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "id_token_signing_alg_values_supported": list(SIGNING_ALGS),
        "userinfo_signing_alg_values_supported": list(SIGNING_ALGS),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": assertion_algs,
        **DevkitBinding(core).metadata,
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "registration_endpoint": core.address("/register"),
        "device_authorization_endpoint": core.address("/device-authorization"),
        "introspection_endpoint": core.address("/introspect"),
        "introspection_endpoint_auth_methods_supported": [name for name in AUTH_METHODS if name != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": assertion_algs,
    }
    if core.controls.grants.legacy:
        document["devkit_legacy_grant_types"] = list(LEGACY_GRANT_TYPES)  # a member of our own, as a warning
    return json_answer(document, headers=())


def jwks(core: Core, _exchange: Exchange) -> Answer:
    """Publish the public keys."""
    return json_answer(core.keys.jwks(), headers=())
