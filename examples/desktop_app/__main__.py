"""
The whole thing on one machine: a provider, an API, and an app that signs its user in.

    python examples/desktop_app [--scripted]

Where a browser can be opened, you are the user: the sign-in page names the accounts. Elsewhere a scripted browser
stands in for you.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable

import httpx

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP

from app import sign_in, who_am_i  # isort: skip

STEPS = {
    events.MetadataFetched: "found the provider's metadata, and its issuer is the one asked for",
    events.KeysFetched: "fetched the provider's signing keys while the browser was open",
    events.RequestPushed: "pushed the authorization request; the browser carries a reference alone",
    events.CallbackAccepted: "the browser came back with the answer to this very request",
    events.TokenReceived: "exchanged the code for tokens",
    events.IDTokenVerified: "verified the ID Token",
    events.SessionRefreshed: "renewed the access token; the old refresh token is spent, the new one is saved",
    events.SignedOut: "wiped the session from this machine",
}


def tell(event: events.Event) -> None:
    """Show what happens, one line each."""
    if type(event) in STEPS:
        print(f"  - {STEPS[type(event)]}")
    elif isinstance(event, events.Notice):
        print(f"  ! {event.text}")


def browser_for(provider: Provider) -> Callable[[str], object] | None:
    """Return a scripted browser where no real one can reach a person; None means the system browser."""
    if "--scripted" not in sys.argv and oidcclient.can_open_browser():
        print("Your browser opens now. Sign in as one of the people named on the page.")
        return None
    print("There is no browser here that could reach you: a scripted one signs in as ann.")
    return provider.browser(user="ann")


def make_client(provider: Provider, folder: str) -> oidcclient.Client:
    """Make the app's client; it could be another process, or the same app next week."""
    return oidcclient.Client(
        issuer=provider.issuer,
        client_id=provider.client_id,
        scopes=["openid", "profile", "email", "offline_access"],
        policy=oidcclient.Policy(allow_http_loopback=True),  # the provider is on this machine, over http
        store=oidcclient.FileStore(folder),  # a real app leaves this out: its key is then in the system's keyring
        hooks=[DPoP(store=f"file:{folder}/keys")],  # and DPoP() alone takes the best key store of the machine
        on_event=tell,
    )


def first_start(provider: Provider, folder: str) -> None:
    """Sign in, show who it is, call the API."""
    with make_client(provider, folder) as client:
        session = sign_in(client, provider.api, open_browser=browser_for(provider))
        print("\nSigned in. The verified claims:")
        for name in ("sub", "name", "email"):
            print(f"  {name:6} {session.user.claims.get(name)}")
        print(f"\nThe protected API says: {who_am_i(session, provider.api)}")
        stolen = {"Authorization": f"DPoP {session.access_token(provider.api).value}"}
        refusal = httpx.get(f"{provider.api}/me", headers=stolen, trust_env=False)
        print(f"The same token without the key: {refusal.status_code}, refused.")
        print(f"The key is here: {session.describe()[0]}")


def next_start(provider: Provider, folder: str) -> None:
    """Start again after the token has ended: no browser, no question; then sign out."""
    print("\nThe program starts again, and the access token has ended meanwhile:")
    provider.expire_tokens()
    with make_client(provider, folder) as client:
        session = sign_in(client, provider.api, open_browser=None)
        print(f"The protected API says: {who_am_i(session, provider.api)}")
        print("\nSigning out:")
        session.logout()
        try:
            client.session()
        except oidcclient.LoginRequired as nobody:
            print(f"Afterwards: {nobody}. {nobody.hint}")


def main() -> int:
    """Run the demo."""
    with Provider() as provider, tempfile.TemporaryDirectory() as folder:
        print(f"An OpenID provider runs at {provider.issuer}, a protected API at {provider.api}.")
        first_start(provider, folder)
        next_start(provider, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
