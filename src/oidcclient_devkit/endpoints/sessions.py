"""The browser's session with the provider, kept in a cookie."""

import hmac
from urllib.parse import urlsplit

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.store import Session


def cookie_name(core: Core) -> str:
    """Cookies do not know ports, so the name does."""
    return f"oidc_devkit_{urlsplit(core.issuer).port}"


def current_session(core: Core, exchange: Exchange) -> Session | None:
    """Return the session of this browser, if it has one."""
    handle = exchange.cookie(cookie_name(core))
    return core.store.sessions.get(handle or "")


def with_cookie(core: Core, session: Session, answer: Answer) -> Answer:
    """Give the session to the browser. Lax: it comes along when an app opens the sign-in page."""
    answer.headers.append(("Set-Cookie", f"{cookie_name(core)}={session.id}; Path=/; HttpOnly; SameSite=Lax"))
    return answer


def csrf_holds(session: Session, exchange: Exchange) -> bool:
    """Tell whether a form came from a page of this session."""
    return hmac.compare_digest(session.csrf.encode(), (exchange.value("csrf") or "").encode())
