"""The authorization response (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207)."""

from __future__ import annotations

import hmac

from oidcclient._words.errors import CallbackRefused, LoginDenied, LoginRequired, OAuthError, OidcError
from oidcclient._words.values import ProviderMetadata

from ._authorization import Transaction

__all__ = ["check_state", "parse_callback", "same_secret"]

# A parameter the standards define may come once (RFC 6749 section 3.1); unknown ones are ignored (section 4.1.2).
_ONCE = ("state", "iss", "code", "error", "error_description", "error_uri", "response")
_LONGEST_CODE = 16_384  # characters; some codes are whole encrypted JWTs

# OIDC Core 3.1.2.6: the answers to prompt=none that mean "a person must act".
_INTERACTION = frozenset({"login_required", "interaction_required", "account_selection_required", "consent_required"})


def same_secret(received: str | None, expected: str) -> bool:
    """Compare two secrets in constant time; an absent one is never equal."""
    return received is not None and hmac.compare_digest(received.encode("utf-8", "replace"), expected.encode("utf-8"))


def check_state(received: str | None, expected: str) -> None:
    """
    Refuse a response that does not answer our request (RFC 6749 section 10.12, RFC 8252 section 8.9).

    Raises:
        CallbackRefused: `state` is absent or another.
    """
    if not same_secret(received, expected):
        raise CallbackRefused("the response is not for this sign-in", rule="state", section="RFC 6749 section 10.12")


def parse_callback(
    parameters: tuple[tuple[str, str], ...],
    transaction: Transaction,
    metadata: ProviderMetadata,
    *,
    received_at: str,
    require_iss: bool = False,
) -> str:
    """
    Check an authorization response and return its code.

    The order matters: nothing in a response is believed, an error least of all, before `state` and `iss` are ours.

    Args:
        parameters: Every name and value, form-decoded, in order.
        transaction: The sign-in it should answer.
        metadata: The metadata of the issuer it went to.
        received_at: The redirect URI on which it came.
        require_iss: Refuse a response without `iss`, whatever the metadata says.

    Raises:
        CallbackRefused: It is not the answer to our request, or not well-formed.
        LoginDenied: The person or the provider said no.
        LoginRequired: `prompt=none` could not be kept.
        OAuthError: The provider answered with another error.
    """
    check_redirect_uri(received_at, transaction.redirect_uri)
    _check_once(parameters)
    values = dict(parameters)
    check_state(values.get("state"), transaction.state)
    required = require_iss or metadata.authorization_response_iss_parameter_supported
    check_iss(values.get("iss"), transaction.issuer, required=required)
    _check_front_channel(values)
    if "error" in values:
        raise _provider_error(values)
    return _code(values)


def check_redirect_uri(received_at: str, redirect_uri: str) -> None:
    """
    Refuse a response that came on another redirect URI than the one stored with the request (RFC 8252 section 8.10).

    Raises:
        CallbackRefused: It did.
    """
    if received_at != redirect_uri:
        raise CallbackRefused(
            "the response came at another address",
            rule="redirect_uri",
            section="RFC 8252 section 8.10",
            expected=redirect_uri,
            received=received_at.partition("?")[0],
        )


def _check_once(parameters: tuple[tuple[str, str], ...]) -> None:
    names = [name for name, _ in parameters]
    repeated = [name for name in _ONCE if names.count(name) > 1]
    if repeated:
        raise CallbackRefused(
            f"the response names {', '.join(repeated)} twice", rule="duplicate", section="RFC 6749 section 3.1"
        )


def check_iss(received: str | None, issuer: str, *, required: bool) -> None:
    """
    Refuse a response of another issuer, by simple string comparison (RFC 9207 section 2.4).

    Args:
        received: The decoded `iss` parameter.
        issuer: The issuer the request went to.
        required: Whether it must be there (RFC 9207 section 3).

    Raises:
        CallbackRefused: It is another, or absent though required.
    """
    if received is None and required:
        raise CallbackRefused(
            "the response does not say which issuer it is from",
            rule="iss",
            section="RFC 9207 section 2.4",
            expected=issuer,
        )
    if received is not None and received != issuer:
        raise CallbackRefused(
            "the response is from another issuer",
            rule="iss",
            section="RFC 9207 section 2.4",
            expected=issuer,
            received=received,
            hint="Nothing was sent there. If you did not expect this, somebody may be mixing up two providers.",
        )


def _check_front_channel(values: dict[str, str]) -> None:
    """
    Refuse tokens in the front channel: only a code was asked for (RFC 9700 section 2.1.2).

    An ID Token or a JWT response would also bring an issuer identifier of its own (RFC 9207 section 4).
    """
    uninvited = sorted(values.keys() & {"access_token", "id_token", "response"})
    if uninvited:
        raise CallbackRefused(
            f"the response holds {', '.join(uninvited)}, which was not asked for",
            rule="response_type",
            section="RFC 9700 section 2.1.2",
            expected="code",
        )


def _provider_error(values: dict[str, str]) -> OidcError:
    error = values["error"] or "invalid_response"
    if error in _INTERACTION:
        return LoginRequired(
            f"the provider needs the person to act: {error}",
            rule=error,
            section="OIDC Core 3.1.2.6",
            hint="Sign in with a browser: call login() without prompt='none'.",
        )
    kind = LoginDenied if error == "access_denied" else OAuthError
    return kind(error, error_description=values.get("error_description"), error_uri=values.get("error_uri"))


def _code(values: dict[str, str]) -> str:
    code = values.get("code")
    if not code or len(code) > _LONGEST_CODE:
        raise CallbackRefused(
            "the response holds neither a code nor an error", rule="code", section="RFC 6749 section 4.1.2"
        )
    return code
