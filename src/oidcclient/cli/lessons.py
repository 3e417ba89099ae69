"""What `explain` says of each event of a sign-in: what goes on, and what is checked by which section."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oidcclient import events

from .output import duration
from .redaction import shown_address

__all__ = ["LESSONS", "ORDER", "Lesson"]

Check = tuple[str, str]  # what is checked, and where that rule stands
OWN_START = "/start/"  # the listener's own short address; what follows is good for one sign-in and is not shown


class Lesson:
    """
    What there is to say about one event.

    Args:
        title: What happens.
        says: How it works, in sentences.
        checks: What is checked, each with its section.
        endpoints: Whose messages belong here, by their names in the metadata.
        facts: What this event tells, in words.
    """

    def __init__(
        self,
        title: str,
        *says: str,
        checks: tuple[Check, ...] = (),
        endpoints: tuple[str, ...] = (),
        facts: Callable[[Any], list[str]] = lambda _: [],
    ) -> None:
        self.title = title
        self.says = says
        self.checks = checks
        self.endpoints = endpoints
        self.facts = facts


def _address(event: events.SignInAddress) -> list[str]:
    if OWN_START in event.address:
        return ["The browser gets a short address on this machine, which sends it on to the provider."]
    return [f"The address: {shown_address(event.address)}"]


def _token(event: events.TokenReceived) -> list[str]:
    lines = [f"The access token is of type {event.token_type}."]
    lines += [] if event.expires_in is None else [f"It is good for {duration(event.expires_in)}."]
    lines.append("There is a refresh token." if event.refreshable else "There is no refresh token.")
    return lines + [f"Not granted: {scope}" for scope in event.missing_scopes]


LESSONS: dict[type, Lesson] = {
    events.WayChosen: Lesson(
        "A way to sign in is chosen",
        "The person's own browser is best: it has their passwords and passkeys, and this program sees none of them.",
        checks=(("a window of this program's own is never used for it", "RFC 8252 section 8.12"),),
        facts=lambda event: [f"Chosen: {event.way}", *event.reasons],
    ),
    events.MetadataFetched: Lesson(
        "The provider says where its endpoints are",
        "All that is known before is the issuer. Its metadata are fetched from a fixed place below it.",
        checks=(
            ("the issuer in the answer is the one asked for, to the letter", "RFC 8414 section 3.3"),
            ("each endpoint is an https address", "OIDC Discovery section 3"),
            ("the provider supports PKCE with S256, if it lists what it supports", "RFC 7636 section 4.2"),
            ("at least one of its signing algorithms is allowed here", "RFC 8725 section 3.1"),
        ),
        endpoints=("metadata",),
    ),
    events.RequestPushed: Lesson(
        "The request is handed in behind the browser's back",
        "The request goes straight to the provider, which gives a reference for it. The browser carries the reference "
        "alone: nobody can read or change the request on the way.",
        checks=(("the answer has a request_uri and a lifetime", "RFC 9126 section 2.2"),),
        endpoints=("pushed_authorization_request_endpoint",),
        facts=lambda event: [f"The reference is good for {duration(event.expires_in)}."],
    ),
    events.SignInAddress: Lesson(
        "The person goes to the provider",
        "From here on the browser talks with the provider, and this program waits for it on loopback.",
        "The request has a code_challenge, which is BASE64URL(SHA256(code_verifier)). The verifier is 32 random bytes, "
        "made for this sign-in and kept here until the code is exchanged.",
        "state and nonce are random too: state ties the answer to this request, nonce ties the ID Token to it.",
        checks=(
            ("the port is open on loopback alone, and only while an answer is awaited", "RFC 8252 section 8.3"),
            ("every request carries an S256 challenge", "RFC 7636 section 4.3, RFC 9700 section 2.1.1"),
        ),
        facts=_address,
    ),
    events.DeviceCodeShown: Lesson(
        "A code for another device is shown",
        "There are two codes: one for the person to type, and a secret one to ask with whether they have done it.",
        checks=(
            ("the code and the address are something a person can see and type", "RFC 8628 section 6.1"),
            ("the person is told to go on only if they started it", "RFC 8628 section 5.4"),
            ("the provider is never asked more often than it allows", "RFC 8628 section 3.5"),
        ),
        endpoints=("device_authorization_endpoint",),
        facts=lambda event: [
            f"The page for it: {event.verification_uri}",
            f"The code is good for {duration(event.expires_in)}.",
            f"The provider is asked every {event.interval:g} seconds.",
        ],
    ),
    events.BrowserOpened: Lesson(
        "A browser is started",
        "What a launcher says of its success is not trusted: the address is shown whatever it says.",
        facts=lambda event: [f"{'Started' if event.started else 'Could not start'}: {event.how}"],
    ),
    events.KeysFetched: Lesson(
        "The provider's signing keys are fetched",
        "This is done while the person types, so that nobody waits for it later.",
        checks=(
            ("no private key is among them", "OIDC Discovery section 3"),
            ("keys of unknown kinds are never used", "RFC 7517 section 5"),
        ),
        endpoints=("jwks_uri",),
        facts=lambda event: [f"Keys: {event.count}"],
    ),
    events.CallbackAccepted: Lesson(
        "The browser comes back with a code",
        "A code is of no use to whoever overhears it: the verifier is still here.",
        checks=(
            ("it came to exactly the redirect URI that was sent", "RFC 8252 section 8.10"),
            ("state is the one that was sent; nothing else is believed before", "RFC 6749 section 10.12"),
            ("iss is this provider, if it sends iss", "RFC 9207 section 2.4"),
            ("no parameter comes twice", "RFC 6749 section 3.1"),
        ),
    ),
    events.TokenReceived: Lesson(
        "The code is exchanged for tokens",
        "code_verifier goes along: the provider hashes it and compares it with the challenge from before.",
        checks=(
            ("redirect_uri is repeated byte for byte", "RFC 6749 section 4.1.3"),
            ("the type of the token is one that is understood, and the one asked for", "RFC 6749 section 7.1"),
            ("the code is sent once and never again", "RFC 6749 section 4.1.2"),
        ),
        endpoints=("token_endpoint",),
        facts=_token,
    ),
    events.IDTokenVerified: Lesson(
        "The ID Token is checked",
        "It says who signed in. Nothing in it is believed before its signature is.",
        checks=(
            (
                "the signature is by a key of the provider, with an algorithm from our own list",
                "OIDC Core 3.1.3.7 (6-8)",
            ),
            ("iss is the issuer", "OIDC Core 3.1.3.7 (2)"),
            ("aud is this client and nobody unknown; azp is this client if it is there", "OIDC Core 3.1.3.7 (3-5)"),
            ("it has not expired and was issued just now", "OIDC Core 3.1.3.7 (9-10)"),
            ("nonce is the one that was sent", "OIDC Core 3.1.3.7 (11)"),
            ("acr and auth_time are as demanded", "OIDC Core 3.1.3.7 (12-13)"),
            ("at_hash is that of the access token, if it is there", "OIDC Core 3.1.3.8"),
        ),
        facts=lambda event: [f"Signed with {event.algorithm}."],
    ),
    events.SignedIn: Lesson(
        "Somebody is signed in",
        "`oidcclient login` now writes the session to an encrypted file. Here it stays in memory.",
    ),
    events.SessionRefreshed: Lesson(
        "The session is refreshed",
        "No person is needed. The old refresh token is spent with it, so one process at a time does this.",
        checks=(
            ("a new ID Token is of the same person, issuer and client", "OIDC Core 12.2"),
            ("a new refresh token takes the place of the old one before anything else", "RFC 9700 section 4.14.2"),
        ),
        endpoints=("token_endpoint",),
    ),
    events.SignedOut: Lesson(
        "The session is ended",
        "It is wiped here first. Then the provider is told to forget its tokens.",
        checks=(("a token that the provider does not know is no error", "RFC 7009 section 2.2"),),
        endpoints=("revocation_endpoint",),
    ),
}
# What a sign-in with the browser goes through, for whoever wants to read and not to sign in.
ORDER = (
    events.WayChosen,
    events.MetadataFetched,
    events.RequestPushed,
    events.SignInAddress,
    events.BrowserOpened,
    events.KeysFetched,
    events.CallbackAccepted,
    events.TokenReceived,
    events.IDTokenVerified,
    events.SignedIn,
    events.SessionRefreshed,
    events.SignedOut,
)
