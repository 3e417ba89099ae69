"""The how-to on protecting an API, followed word by word, and its applications asked."""

from __future__ import annotations

import asyncio
import re
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from oidcclient_devkit import Provider
from oidcclient_dpop.server import AsyncRedisReplayCache, JWTAccessTokens, MemoryReplayCache, RedisReplayCache
from tests.dpop_server.proofs import new_key
from tests.resource_server.django_site import set_up
from tests.resource_server.lab import API, Lab, jwks
from tests.resource_server.serving import serve_asgi
from tests.resource_server.signed_in import signed_in
from tests.resource_server.test_resource_asgi import Pairs, credentials

set_up()

from django.test import Client, override_settings  # noqa: E402 - Django is configured by the line above
from django.urls import path  # noqa: E402 - Django is configured by the line above

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "protecting-an-api.md"
SECTIONS = PAGE.read_text("utf-8").split("\n## ")
HELLO = {"ASGI": "hello ann", "WSGI": "hello ann", "FastAPI": '{"sub":"ann"}'}


def blocks(section: str) -> list[str]:
    """Return the Python of the section whose heading begins so."""
    return re.findall(r"```python\n(.*?)```", next(one for one in SECTIONS if one.startswith(section)), re.DOTALL)


@pytest.fixture
def lab() -> Lab:
    return Lab(new_key("ES256"), new_key("ES256"))


@pytest.fixture
def follow(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the page's code, all or down to the end of a section, with an authorization server whose keys are here."""
    monkeypatch.setenv("DPOP_NONCE_SECRET", "5a" * 32)
    monkeypatch.setattr("oidcclient_dpop.server.JWTAccessTokens", partial(JWTAccessTokens, jwks=jwks(lab.signer)))

    def run(last: str) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "page"}
        for section in SECTIONS:
            for block in blocks(section):
                exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - our own page
            if section.startswith(last):
                break
        return names

    return run


def ask(app: Any, target: str, headers: Pairs | None = None) -> httpx.Response:
    if asyncio.iscoroutinefunction(app.__call__):

        async def run() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=API) as client:
                return await client.get(target, headers=headers)

        return asyncio.run(run())
    with httpx.Client(transport=httpx.WSGITransport(app, raise_app_exceptions=False), base_url=API) as client:
        return client.get(target, headers=headers)


def test_what_the_page_shows_runs_from_top_to_bottom(follow: Any) -> None:
    assert {"resource", "protected", "me", "Me", "tokens", "replay", "nonces"} <= follow("What a client is told").keys()


@pytest.mark.parametrize("section", ["ASGI", "WSGI", "FastAPI"])
def test_the_applications_of_the_page_know_who_asks(follow: Any, lab: Lab, section: str) -> None:
    names = follow(section)
    app = names["app"] if section == "FastAPI" else names["protected"]
    answer = ask(app, "/me", credentials(lab))
    assert (answer.status_code, answer.text) == (200, HELLO[section])
    refused = ask(app, "/me")
    assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "DPoP ")


@pytest.mark.parametrize(
    ("section", "error"), [("ASGI", "insufficient_user_authentication"), ("WSGI", "insufficient_scope")]
)
def test_the_routes_of_the_page_ask_for_more(follow: Any, lab: Lab, section: str, error: str) -> None:
    answer = ask(follow(section)["protected"], "/admin/users", credentials(lab, "/admin/users"))
    assert answer.json()["error"] == error


def test_the_open_route_of_the_page_answers_everybody(follow: Any) -> None:
    answer = ask(follow("ASGI")["protected"], "/health")
    assert (answer.status_code, answer.text) == (200, "well")


def test_the_views_of_the_page_know_who_asks(follow: Any, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    names = follow("Django")
    urls, project = ModuleType("urls"), ModuleType("project.api")
    urls.__dict__["urlpatterns"] = [path("me", names["me"]), path("rest", names["Me"].as_view())]
    project.__dict__["resource"] = names["resource"]
    monkeypatch.setitem(sys.modules, "project.api", project)
    settings = {name: names[name] for name in ("OIDCCLIENT_DPOP_RESOURCE", "MIDDLEWARE")}
    with override_settings(ROOT_URLCONF=urls, **settings):
        for target in ("/me", "/rest"):
            answer = Client().get(target, headers=dict(credentials(lab, target)), RAW_URI=target)
            assert (answer.status_code, answer.json()) == (200, {"sub": "ann"})
            assert Client().get(target).status_code == 401


def test_the_page_can_be_tried_with_the_devkit(oidc_provider: Provider, tmp_path: Path) -> None:
    code = "".join(blocks("Try it") + blocks("ASGI")).replace("http://127.0.0.1:9400", oidc_provider.issuer)

    def app_at(url: str) -> Any:
        names: dict[str, Any] = {"__name__": "page"}
        exec(compile(code.replace("http://127.0.0.1:8000", url), PAGE.name, "exec"), names)  # noqa: S102 - our own page
        return names["protected"]

    with serve_asgi(app_at) as served, signed_in(oidc_provider, tmp_path, served) as calls:
        assert calls.get("/me").text == f"hello {oidc_provider.users['ann'].sub}"


def test_the_page_says_which_memory_has_a_length() -> None:
    text = PAGE.read_text("utf-8")
    assert "`len(resource.replay)` with `MemoryReplayCache`" in text
    assert hasattr(MemoryReplayCache, "__len__")
    assert not any(hasattr(cache, "__len__") for cache in (RedisReplayCache, AsyncRedisReplayCache))
