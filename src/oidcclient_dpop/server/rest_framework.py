"""
Protecting views of Django REST framework.

    class Me(APIView):
        authentication_classes = [DPoPAuthentication]
        permission_classes = [HasNeeds]
        needs = Needs(("profile",))

`request.auth` is the `VerifiedRequest`. The middleware of `oidcclient_dpop.server.django` belongs to it: it puts the
nonce on good answers too, and says of refusals that they are not to be stored.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission

from .django import REFUSED, api_request, check, the_resource
from .resource.answers import AccessRefused
from .resource.credentials import brings_token
from .resource.needs import ANY_TOKEN, Needs
from .resource.verified import VerifiedRequest

__all__ = ["DPoPAuthentication", "HasNeeds", "Refused", "TokenUser"]

_UNDECIDED = "oidcclient_dpop_undecided"  # what a request has that brought no token and was not answered yet


class Refused(APIException):  # type: ignore[misc] # Django REST framework has no types
    """A refusal as Django REST framework knows it, with the status and the challenge that belong to it."""

    def __init__(self, refused: AccessRefused) -> None:
        detail = {} if refused.error is None else {"error": refused.error, "error_description": str(refused)}
        super().__init__(detail)
        self.status_code = refused.answer.status
        headers = refused.answer.headers
        # What the framework makes headers of: its exception_handler.
        self.auth_header = ", ".join(value for name, value in headers if name == "WWW-Authenticate") or None
        self.wait = next((int(value) for name, value in headers if name == "Retry-After"), None)


class TokenUser:
    """
    Whom a token is about, for views that ask for a user; there is none in the database.

    Attributes:
        pk: The `sub`.
    """

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, subject: str | None) -> None:
        self.pk = self.id = self.username = subject

    def __str__(self) -> str:
        return str(self.pk)


class DPoPAuthentication(BaseAuthentication):  # type: ignore[misc] # Django REST framework has no types
    """
    Authenticates requests by their access token and proof.

    Put it first: the framework answers 401 with the challenge of the first of `authentication_classes`. Behind another
    one it is not told that a request without a token was refused, and so makes no event of it.
    """

    def authenticate(self, request: Any) -> tuple[Any, VerifiedRequest] | None:
        """
        Return the user and the `VerifiedRequest`; None for a request without a token.

        Raises:
            Refused: It has one that is not good.
        """
        plain = _plain(request)
        if not brings_token(api_request(plain), bearer="Bearer" in the_resource().schemes):
            setattr(plain, _UNDECIDED, True)  # another authentication, or the permissions, may decide
            return None
        try:
            verified = check(plain, _needs_at_once(request))
        except AccessRefused as refused:
            raise _refusal(plain, refused) from refused
        return self.user_for(verified), verified

    def authenticate_header(self, request: Any) -> str:
        """
        Return the challenge for a request without a token (RFC 6750 section 3.1: with no error in it).

        The framework asks for it when it answers 401: that is when it is known that nobody else let the request in.
        """
        plain = _plain(request)
        if getattr(plain, _UNDECIDED, False):
            setattr(plain, _UNDECIDED, False)
            setattr(plain, REFUSED, True)
            with suppress(AccessRefused):  # the framework's own answer goes out; the observer is told here
                check(plain)
        return the_resource().challenge

    def user_for(self, verified: VerifiedRequest) -> Any:
        """Return the user that a token is about; override it to take one of the database."""
        return TokenUser(verified.subject)


class HasNeeds(BasePermission):  # type: ignore[misc] # Django REST framework has no types
    """Lets in what a `DPoPAuthentication` let in, if it has what the view's `needs` say."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """
        Tell whether the request was authenticated by a token.

        Raises:
            Refused: Its token is not good for this view.
        """
        if not isinstance(request.auth, VerifiedRequest):
            return False
        try:
            the_resource().check_needs(request.auth, _needs(view))
        except AccessRefused as refused:
            raise _refusal(_plain(request), refused) from refused
        return True


def _needs_at_once(request: Any) -> Needs:
    """Return what the view needs, if it is sure already that `HasNeeds` will ask for it: then one check is enough."""
    from rest_framework.views import APIView  # noqa: PLC0415 - it loads what the settings name, maybe this module

    view = request.parser_context.get("view")
    if getattr(type(view), "get_permissions", None) is not APIView.get_permissions:  # it decides as it runs
        return ANY_TOKEN
    return _needs(view) if HasNeeds in view.permission_classes else ANY_TOKEN


def _needs(view: Any) -> Needs:
    found: Needs = getattr(view, "needs", ANY_TOKEN)
    return found


def _plain(request: Any) -> Any:
    """Return Django's request; None for what tools ask for a schema with."""
    return getattr(request, "_request", None)


def _refusal(plain: Any, refused: AccessRefused) -> Refused:
    setattr(plain, REFUSED, True)
    return Refused(refused)
