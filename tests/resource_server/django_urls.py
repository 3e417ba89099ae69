"""The views."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from oidcclient_dpop.server import Needs
from oidcclient_dpop.server.django import check, protected, verified_request
from oidcclient_dpop.server.rest_framework import DPoPAuthentication, HasNeeds


class Me(APIView):  # type: ignore[misc] # no types
    authentication_classes = (DPoPAuthentication,)
    permission_classes = (HasNeeds,)
    needs = Needs(("profile",))

    def get(self, request: Any) -> Response:
        user = request.user
        return Response({"sub": request.auth.subject, "user": str(user), "known": user.is_authenticated})


class Admin(Me):
    needs = Needs(("admin",))


class Either(APIView):  # type: ignore[misc] # no types
    authentication_classes = (DPoPAuthentication, BasicAuthentication)
    permission_classes = (AllowAny,)

    def get(self, request: Any) -> Response:
        return Response({"auth": request.auth is not None})


class Writing(APIView):  # type: ignore[misc] # no types
    authentication_classes = (DPoPAuthentication,)
    needs = Needs(("write",))

    def get_permissions(self) -> list[Any]:
        return [HasNeeds()] if self.request.method == "POST" else [AllowAny()]

    def get(self, request: Any) -> Response:
        return Response({"auth": request.auth is not None})

    post = get


class Signed(APIView):  # type: ignore[misc] # no types
    authentication_classes = (DPoPAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        return Response({"sub": request.auth.subject})


@protected(Needs(("profile",)))
def plain(request: Any, name: str = "") -> HttpResponse:
    check(request, Needs(("profile",)))  # a second time: the proof is not used again
    response = JsonResponse({"sub": verified_request(request).subject, "name": name})
    response["Vary"] = "Accept"
    return response


@protected(Needs(("profile",)))
async def waiting(request: Any) -> HttpResponse:
    return JsonResponse({"sub": verified_request(request).subject})


def anybody(_request: Any) -> HttpResponse:
    return JsonResponse({"open": True})


urlpatterns = [
    path("me", Me.as_view()),
    path("admin", Admin.as_view()),
    path("either", Either.as_view()),
    path("writing", Writing.as_view()),
    path("signed", Signed.as_view()),
    path("plain", plain),
    path("waiting", waiting),
    path("files/<path:name>", plain),
    path("open", anybody),
]
