"""The provider's first page and its style sheet."""

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.clients import DESKTOP
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.pages.render import page, style_sheet


def home(core: Core, _exchange: Exchange) -> Answer:
    """Say what this is."""
    return page(
        "home.html",
        issuer=core.issuer,
        api=core.api,
        client_id=DESKTOP,
        users=list(core.users.values()),
        clients=list(core.clients.values()),
        legacy=core.controls.grants.legacy,
    )


def style(_core: Core, _exchange: Exchange) -> Answer:
    """Serve the style sheet of all pages."""
    return Answer(200, [("Content-Type", "text/css; charset=utf-8"), ("Cache-Control", "no-cache")], style_sheet())
