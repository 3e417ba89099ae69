"""An app that makes its DPoP proofs by hand."""

from typing import Any

import httpx

from tests.dpop_server.proofs import ClientKey, new_key, prove

CODE = {"scope": "openid profile offline_access", "prompt": "consent"}


class DPoPApp:
    """An app that proves possession of its key by hand."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.provider = app.provider
        self.http: httpx.Client = app.http
        self.key = new_key()
        app.provider.sign_in_as("ann")

    def post(self, path: str, form: Any, key: ClientKey | None = None, **claims: Any) -> httpx.Response:
        url = f"{self.provider.issuer}{path}"
        return self.http.post(url, data=form, headers={"DPoP": prove(key or self.key, "POST", url, **claims)})

    def code(self, **changes: Any) -> str:
        code: str = self.app.sign_in(**CODE, **changes)["code"]
        return code

    def redeem(self, code: str, key: ClientKey | None = None, form: Any = None, **claims: Any) -> httpx.Response:
        return self.post("/token", self.app.form(code, **(form or {})), key, **claims)

    def tokens(self, **claims: Any) -> dict[str, Any]:
        answer = self.redeem(self.code(), **claims)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def refresh(self, token: str, key: ClientKey | None = None, form: Any = None, **claims: Any) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.provider.client_id} | (
            form or {}
        )
        return self.post("/token", form, key, **claims)

    def call(self, url: str, token: str, key: ClientKey | None = None, **claims: Any) -> httpx.Response:
        headers = {"Authorization": f"DPoP {token}", "DPoP": prove(key or self.key, "GET", url, token, **claims)}
        return self.http.get(url, headers=headers)

    def api(self, path: str, token: str, key: ClientKey | None = None, **claims: Any) -> httpx.Response:
        return self.call(f"{self.provider.api}{path}", token, key, **claims)


def challenges(answer: httpx.Response) -> dict[str, str]:
    """Return the parameters of each challenge by its scheme."""
    found = [value for name, value in answer.headers.multi_items() if name == "www-authenticate"]
    assert all(value.partition(" ")[2] for value in found)
    return {value.partition(" ")[0]: value.partition(" ")[2] for value in found}
