"""
What `oidcclient token` does, with MSAL: take a cached token that is good from its plain-text file, and print it.

Runs in the environment of the peers. MSAL asks the provider for its metadata in every process; here the answer is given
from memory, so what is measured lacks that request, to MSAL's advantage.
"""

import base64
import json
import sys
import time
from typing import Any

import msal  # type: ignore[import-not-found] # the environment of the peers has it
import msal_extensions  # type: ignore[import-not-found] # the environment of the peers has it
import requests  # MSAL loads it in any case

ISSUER, CLIENT_ID, SCOPE = "https://login.example.com/tenant", "my-desktop-app", "https://api.example.com/read"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "device_authorization_endpoint": f"{ISSUER}/device",
}


class Answer:
    """The provider's metadata."""

    status_code = 200
    text = json.dumps(METADATA)


class Offline(requests.Session):
    """Ask nobody."""

    def get(self, *_: Any, **__: Any) -> Any:
        """Return the metadata."""
        return Answer()


def encoded(value: object) -> str:
    """Return JSON in base64url."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def application(path: str) -> Any:
    """Return MSAL's client with its cache in a plain file."""
    cache = msal_extensions.PersistedTokenCache(msal_extensions.FilePersistence(path))
    return msal.PublicClientApplication(CLIENT_ID, oidc_authority=ISSUER, token_cache=cache, http_client=Offline())


def store(path: str, token: str) -> None:
    """Sign somebody in, as far as the cache is concerned."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "ann", "aud": CLIENT_ID, "exp": now + 3600, "iat": now, "name": "Ann Example"}
    response = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 86_400,
        "refresh_token": "r" * 43,
        "id_token": f"{encoded({'alg': 'none'})}.{encoded(claims)}.",
        "client_info": encoded({"uid": "ann", "utid": "example"}),
    }
    application(path).token_cache.add(
        {"client_id": CLIENT_ID, "scope": [SCOPE], "token_endpoint": METADATA["token_endpoint"], "response": response}
    )


def main(path: str, *token: str) -> None:
    """Print the token, or store one."""
    if token:
        store(path, *token)
        return
    app = application(path)
    found = app.acquire_token_silent([SCOPE], account=app.get_accounts()[0])
    sys.stdout.write(found["access_token"] + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
