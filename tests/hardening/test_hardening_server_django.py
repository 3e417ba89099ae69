"""Django's coroutine views, over ASGI and WSGI."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from oidcclient_dpop.server import MemoryReplayCache, Needs, VerifiedProof
from tests.dpop_server.proofs import new_key
from tests.resource_server.django_site import set_up
from tests.resource_server.lab import Lab
from tests.resource_server.test_resource_asgi import credentials

set_up()

from django.http import HttpResponse, JsonResponse  # noqa: E402 - Django is configured by the line above
from django.test import AsyncClient, Client, override_settings  # noqa: E402 - Django is configured by the line above
from django.urls import path  # noqa: E402 - Django is configured by the line above
from django.utils.decorators import method_decorator  # noqa: E402 - Django is configured by the line above
from django.views import View  # noqa: E402 - Django is configured by the line above

from oidcclient_dpop.server.django import check, check_async, protected, verified_request  # noqa: E402 - Django is configured by the line above


@protected(Needs(("profile",)))
async def function(request: Any) -> HttpResponse:
    await check_async(request, Needs(("profile",)))  # a second time: the proof is not used again
    return JsonResponse({"sub": verified_request(request).subject})


@method_decorator(protected(Needs(("profile",))), name="dispatch")
class OfAClass(View):  # type: ignore[misc] # no types
    async def get(self, request: Any) -> HttpResponse:
        return JsonResponse({"sub": verified_request(request).subject})


@protected()
def asks_more(request: Any) -> HttpResponse:
    check(request, Needs(("admin",)))
    return HttpResponse()


@protected()
async def asks_more_async(request: Any) -> HttpResponse:
    await check_async(request, Needs(("admin",)))
    return HttpResponse()


urlpatterns = [
    path("more", asks_more),
    path("more-async", asks_more_async),
    path("function", function),
    path("class", OfAClass.as_view()),
]


class AsyncCache:
    """A cache that needs an event loop."""

    def __init__(self) -> None:
        self._inner = MemoryReplayCache()

    async def use(self, proof: VerifiedProof, *, now: float) -> None:
        await asyncio.sleep(0)
        self._inner.use(proof, now=now)


def ask(kind: str, where: str, headers: dict[str, str]) -> Any:
    if kind == "wsgi":
        return Client().get(where, headers=headers, RAW_URI=where)

    async def go() -> Any:
        return await AsyncClient().get(where, headers=headers)

    return asyncio.run(go())


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
@pytest.mark.parametrize(
    ("where", "cache"), [("/function", MemoryReplayCache), ("/function", AsyncCache), ("/class", MemoryReplayCache)]
)
def test_a_coroutine_view_is_protected_as_any_other(kind: str, where: str, cache: Any) -> None:
    lab = Lab(new_key(), new_key())
    settings = {"OIDCCLIENT_DPOP_RESOURCE": lab.resource(replay=cache()), "ROOT_URLCONF": sys.modules[__name__]}
    with override_settings(**settings):
        headers = dict(credentials(lab, where))
        answer = ask(kind, where, headers)
        assert (answer.status_code, answer.json()) == (200, {"sub": "ann"})
        assert ask(kind, where, headers).status_code == 401  # a second time
        assert ask(kind, where, {}).status_code == 401
        assert ask(kind, where, dict(credentials(lab, where, scope="email"))).status_code == 403


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
@pytest.mark.parametrize("where", ["/more", "/more-async"])
def test_what_a_view_asks_beyond_its_decorator_counts(kind: str, where: str) -> None:
    lab = Lab(new_key(), new_key())
    settings = {"OIDCCLIENT_DPOP_RESOURCE": lab.resource(), "ROOT_URLCONF": sys.modules[__name__]}
    with override_settings(**settings):
        assert ask(kind, where, dict(credentials(lab, where))).status_code == 403
        assert ask(kind, where, dict(credentials(lab, where, scope="admin"))).status_code == 200
