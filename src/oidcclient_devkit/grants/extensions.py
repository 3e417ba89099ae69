"""What this provider adds to Authlib's grants: PKCE as RFC 9700 wants it, OpenID Connect, more parameters."""

import json
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode

from oidcclient_devkit.core import Core

from .id_token import new_id_token
from .resources import check_resources

RESPONSE_MODES = ("query", "form_post")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})


class S256Challenge(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """PKCE with S256 only, required of public clients (RFC 9700 section 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """RFC 7636 section 4.4.1: a missing challenge or an unknown method is an invalid_request."""
        data = grant.request.payload.data
        if grant.request.client.is_public and "code_challenge" not in data:
            raise InvalidRequestError("A public client sends a code_challenge (PKCE).")
        if "code_challenge" in data and data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The code_challenge_method is S256.")
        super().validate_code_challenge(grant, redirect_uri)


class RequestParameters:
    """Reads the parameters Authlib leaves alone."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def __call__(self, grant: Any) -> None:
        """Run before a person is asked anything."""
        grant.register_hook("after_validate_authorization_request_payload", self.check)

    def check(self, grant: Any, _redirect_uri: str) -> None:
        """Refuse what cannot be honoured, and keep the `claims` parameter, decoded."""
        request = grant.request
        data = request.payload.data
        if data.get("response_mode", "query") not in RESPONSE_MODES:
            raise InvalidRequestError("The response_mode is query or form_post.")
        if data.get("response_mode") == "form_post" and not data["redirect_uri"].startswith("http"):
            raise InvalidRequestError("The response_mode form_post needs an http or https redirect_uri.")
        if not data.get("max_age", "0").isdecimal():
            raise InvalidRequestError("The max_age is a number of seconds.")
        request.claims = read_claims_parameter(data.get("claims"))
        check_resources(self._core, request)


class OpenIDRequest(OpenIDCode):  # type: ignore[misc]  # Authlib has no types
    """The rules of the openid scope; makes the ID Token."""

    def __init__(self, core: Core) -> None:
        super().__init__(require_nonce=False)
        self._core = core

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """A nonce is the client's business."""
        del nonce, request
        return False

    def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
        """Make the ID Token with the provider's own clock and keys."""
        record = request.authorization_code or request.refresh_token or request.credential
        return new_id_token(
            self._core,
            request.client,
            record.grant,
            access_token=token["access_token"],
            with_nonce=request.authorization_code is not None,
        )


def read_claims_parameter(text: str | None) -> dict[str, dict[str, Any]]:
    """Decode the `claims` parameter (OIDC Core section 5.5)."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequestError("The claims parameter is not JSON.") from error
    places = {name: value.get(name) or {} for name in ("userinfo", "id_token")} if isinstance(value, dict) else None
    if places is None or not all(isinstance(wanted, dict) for wanted in places.values()):
        raise InvalidRequestError("The claims parameter is an object with userinfo and id_token in it.")
    return places
