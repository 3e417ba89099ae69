"""
The whole thing on one machine: a provider, an API, and an app that signs its user in.

    python examples/desktop_app [--scripted]

Where a browser can be opened, you are the user: the sign-in page names the accounts. Elsewhere a scripted browser
stands in for you.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider

from app import sign_in, who_am_i  # isort: skip

STEPS = {
    events.MetadataFetched: "found the provider's metadata, and its issuer is the one asked for",
    events.KeysFetched: "fetched the provider's signing keys while the browser was open",
    events.RequestPushed: "pushed the authorization request; the browser carries a reference alone",
    events.CallbackAccepted: "the browser came back with the answer to this very request",
    events.TokenReceived: "exchanged the code for tokens",
    events.IDTokenVerified: "verified the ID Token",
}


def tell(event: events.Event) -> None:
    """Show what happens, one line each."""
    if type(event) in STEPS:
        print(f"  - {STEPS[type(event)]}")


def browser_for(provider: Provider) -> Callable[[str], object] | None:
    """Return a scripted browser where no real one can reach a person; None means the system browser."""
    if "--scripted" not in sys.argv and oidcclient.can_open_browser():
        print("Your browser opens now. Sign in as one of the people named on the page.")
        return None
    print("There is no browser here that could reach you: a scripted one signs in as ann.")
    return provider.browser(user="ann")


def main() -> int:
    """Run the demo."""
    with Provider() as provider:
        print(f"An OpenID provider runs at {provider.issuer}, a protected API at {provider.api}.")
        open_browser = browser_for(provider)
        with oidcclient.Client(
            issuer=provider.issuer,
            client_id=provider.client_id,
            scopes=["openid", "profile", "email"],
            policy=oidcclient.Policy(allow_http_loopback=True),  # the provider is on this machine, over http
            on_event=tell,
        ) as client:
            session = sign_in(client, provider.api, open_browser=open_browser)
            print("\nSigned in. The verified claims:")
            for name in ("sub", "name", "email"):
                print(f"  {name:6} {session.user.claims.get(name)}")
            print(f"\nThe protected API says: {who_am_i(session, provider.api)}")
            again = client.session()
            print(f"The session is found again without a browser: {again.user.claims.get('name')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
