"""One sign-in, written out: provider, request, secrets and good answers. A test changes one thing of it."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest

from oidcclient import OidcError, Policy
from oidcclient.protocol import (
    AuthorizationRequest,
    Expected,
    HttpRequest,
    HttpResponse,
    KeySet,
    ProviderMetadata,
    Transaction,
    key_set_from,
    metadata_from,
)
from tests.protocol.signing import signer

NOW = 1_800_000_000.0
ISSUER = "https://login.example.com"
CLIENT_ID = "desktop-app"
REDIRECT_URI = "http://127.0.0.1:49152/callback"
POLICY = Policy()
JSON = (("Content-Type", "application/json"),)

# Whatever is secret holds this word, so that one search finds every leak.
MARK = "s3cr3t"
STATE = f"{MARK}-state-0123456789012345678901234567890"
NONCE = f"{MARK}-nonce-0123456789012345678901234567890"
VERIFIER = f"{MARK}-verifier-0123456789012345678901234567"
CODE = f"{MARK}-code"
ACCESS_TOKEN = f"{MARK}-access-token"
REFRESH_TOKEN = f"{MARK}-refresh-token"
CLIENT_SECRET = f"{MARK}-client-secret-that-is-long-enough-for-every-hash-there-is"
REQUEST_URI = f"urn:ietf:params:oauth:request_uri:{MARK}"

METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "userinfo_endpoint": f"{ISSUER}/userinfo",
    "response_types_supported": ["code"],
    "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    "code_challenge_methods_supported": ["S256"],
}
WITH_DEVICE: dict[str, Any] = {"device_authorization_endpoint": f"{ISSUER}/device"}
WITH_PAR: dict[str, Any] = {"pushed_authorization_request_endpoint": f"{ISSUER}/par"}
WITH_ISS: dict[str, Any] = {"authorization_response_iss_parameter_supported": True}
DEVICE_CODE = f"{MARK}-device-code"
USER_CODE = "WDJB-MJHT"
DEVICE: dict[str, Any] = {
    "device_code": DEVICE_CODE,
    "user_code": USER_CODE,
    "verification_uri": "https://example.com/device",
    "verification_uri_complete": f"https://example.com/device?user_code={USER_CODE}",
    "expires_in": 1800,
    "interval": 5,
}
TOKENS: dict[str, Any] = {
    "access_token": ACCESS_TOKEN,
    "token_type": "Bearer",
    "expires_in": 3600,
    "refresh_token": REFRESH_TOKEN,
}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "ann",
    "aud": CLIENT_ID,
    "exp": NOW + 300,
    "iat": NOW - 5,
    "nonce": NONCE,
}


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return members with changes; what is changed to `...` is left out."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}


def metadata(policy: Policy = POLICY, /, **changes: Any) -> ProviderMetadata:
    return metadata_from(changed(METADATA, changes), issuer=ISSUER, policy=policy)


def claims(**changes: Any) -> dict[str, Any]:
    return changed(CLAIMS, changes)


def keys(*algorithms: str) -> KeySet:
    return key_set_from({"keys": [signer(name).jwk() for name in algorithms or ("ES256", "RS256")]})


def expected(**changes: Any) -> Expected:
    fields: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "nonce": NONCE,
        "access_token": ACCESS_TOKEN,
        "policy": POLICY,
        "now": NOW,
    }
    return Expected(**{**fields, **changes})


def transaction(**asked: Any) -> Transaction:
    return Transaction(
        issuer=ISSUER,
        state=STATE,
        nonce=NONCE,
        code_verifier=VERIFIER,
        redirect_uri=REDIRECT_URI,
        request=AuthorizationRequest(**asked),
    )


def answer(members: object, status: int = 200, *headers: tuple[str, str]) -> HttpResponse:
    """Return a JSON answer; headers given replace the content type."""
    return HttpResponse(status, headers or JSON, json.dumps(members).encode())


def raw(body: bytes, status: int = 200, content_type: str = "application/json") -> HttpResponse:
    return HttpResponse(status, (("Content-Type", content_type),), body)


def form(request: HttpRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)


def shown_by(error: BaseException) -> str:
    """Return everything that a log, a report or a person could see of an error and of those behind it."""
    texts = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link is not None:
        # A report may print what is chained even where Python would not.
        texts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "\n".join(texts)


def assert_no_secret(error: BaseException) -> None:
    shown = shown_by(error)
    assert MARK not in shown
    assert not re.search(r"(?<![A-Za-z])eyJ", shown)  # how every JWT begins, and nothing else but PrivateKeyJwt


@contextmanager
def refused(kind: type[OidcError], rule: str | None = None, section: str = "") -> Generator[list[OidcError]]:
    """Expect exactly this error, with a hint, and without a secret in it or behind it."""
    caught: list[OidcError] = []
    with pytest.raises(OidcError) as raised:
        yield caught
    error = raised.value
    assert type(error) is kind, shown_by(error)
    assert rule is None or error.rule == rule, shown_by(error)
    assert (error.section or "").startswith(section), shown_by(error)
    assert error.hint
    assert_no_secret(error)
    caught.append(error)
