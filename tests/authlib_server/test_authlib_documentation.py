"""The page on authorization servers, followed word by word, in Flask."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from oidcclient_dpop.server import authlib
from tests.authlib_server.conftest import CHALLENGE, VERIFIER
from tests.authlib_server.flask_project import new_project
from tests.authlib_server.own_grants import REDIRECT_URI
from tests.dpop_server.proofs import ClientKey, new_key, prove

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "protecting-an-authorization-server.md"
ISSUER = "https://login.example.com"
REQUEST = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": REDIRECT_URI,
    "scope": "read",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


class PageApp:
    """What the page's code makes of a project, and a client of it."""

    def __init__(self, project: ModuleType) -> None:
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        exec(compile("".join(blocks), PAGE.name, "exec"), {"__name__": "page"})  # noqa: S102 - our own page
        self.project = project
        self.http = project.app.test_client()

    def post(self, path: str, form: Any, key: ClientKey, **claims: Any) -> Any:
        proof = prove(key, "POST", f"{ISSUER}{path}", **claims)
        return self.http.post(path, data=form, headers={"DPoP": proof}, base_url=ISSUER)

    def post_twice(self, path: str, form: Any, key: ClientKey) -> Any:
        """Be asked for a nonce, and send it."""
        asked = self.post(path, form, key)
        assert (asked.status_code, asked.json["error"]) == (400, "use_dpop_nonce")
        return self.post(path, form, key, nonce=asked.headers["DPoP-Nonce"])

    def code_form(self, **request: str) -> dict[str, str]:
        """Allow a request, and return what redeems its code."""
        shown = self.http.get("/oauth/authorize", query_string=request, base_url=ISSUER)
        assert shown.text == "May app do that?"
        allowed = self.http.post("/oauth/authorize", data=request, base_url=ISSUER)
        code = dict(parse_qsl(urlsplit(allowed.headers["Location"]).query))["code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": "app"}
        return form | {"redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> PageApp:
    project = new_project()
    monkeypatch.setitem(sys.modules, "project", project)
    return PageApp(project)


def test_the_page_issues_and_refreshes_bound_tokens(page: PageApp) -> None:
    """Sections 5 and 8: nothing is used up by a challenge."""
    key = new_key()
    tokens = page.post_twice("/oauth/token", page.code_form(**REQUEST), key).json
    assert tokens["token_type"] == "DPoP"
    assert [token.dpop_jkt for token in page.project.Token.kept] == [key.jkt]
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "app"}
    assert page.post_twice("/oauth/token", form, new_key()).json["error"] == "invalid_grant"
    assert page.post_twice("/oauth/token", form, key).json["token_type"] == "DPoP"


def test_the_page_binds_the_code_of_a_pushed_request(page: PageApp) -> None:
    """Section 10.1."""
    key = new_key()
    pushed = page.post_twice("/oauth/par", REQUEST, key)
    assert (pushed.status_code, pushed.json["expires_in"]) == (201, 60)
    assert pushed.headers["DPoP-Nonce"]
    form = page.code_form(client_id="app", request_uri=pushed.json["request_uri"])
    assert page.post_twice("/oauth/token", form, new_key()).json["error"] == "invalid_grant"
    assert page.post_twice("/oauth/token", form, key).json["token_type"] == "DPoP"


def test_the_page_refuses_a_push_that_is_not_there(page: PageApp) -> None:
    gone = {"client_id": "app", "request_uri": "urn:ietf:params:oauth:request_uri:gone"}
    answer = page.http.get("/oauth/authorize", query_string=gone, base_url=ISSUER)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request_uri")


def test_the_page_names_every_public_part() -> None:
    text = PAGE.read_text("utf-8")
    errors = {name for name in authlib.__all__ if name.endswith("Error")}
    assert not [name for name in set(authlib.__all__) - errors if name not in text]
