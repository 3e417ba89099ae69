"""Signing out here, at an app's wish (OpenID Connect RP-Initiated Logout)."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from oidcclient_devkit.answers import Answer, redirect_answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grants.id_token import read_id_token_hint
from oidcclient_devkit.pages.render import error_page, page
from oidcclient_devkit.store import Session

from .sessions import csrf_holds, current_session


def end_session(core: Core, exchange: Exchange) -> Answer:
    """Sign out at once if an ID Token says for whom; ask the person otherwise (section 2)."""
    hint = exchange.value("id_token_hint")
    claims = read_id_token_hint(core, hint) if hint is not None else None
    if hint is not None and claims is None:
        return error_page(400, "Sign-out was refused", "The id_token_hint was not issued by this provider.")
    client_id = exchange.value("client_id") or (str(claims["aud"]) if claims else None)
    if claims is not None and claims["aud"] != client_id:
        return error_page(400, "Sign-out was refused", "The client_id is not the one the id_token_hint was issued to.")
    target = exchange.value("post_logout_redirect_uri")
    client = core.clients.get(client_id or "")
    if target is not None and (client is None or not client.check_post_logout_redirect_uri(target)):
        return error_page(
            400,
            "Sign-out was refused",
            "The post_logout_redirect_uri is not registered for this client, so nobody is sent there.",
            [("post_logout_redirect_uri", target), ("Registered", ", ".join(client.post_logout_redirect_uris))]
            if client
            else [("post_logout_redirect_uri", target)],
        )
    session = current_session(core, exchange)
    if session is not None and not _may_end(core, exchange, session, claims):
        kept = [(name, value) for name, value in exchange.params if name not in {"csrf", "decision"}]
        return page("sign_out.html", form_target=target, csrf=session.csrf, kept=kept, client=client)
    if session is not None:
        core.store.sessions.pop(session.id, None)
    if target is None:
        return page("signed_out.html")
    state = exchange.value("state")
    query = f"{'&' if urlsplit(target).query else '?'}{urlencode({'state': state})}" if state is not None else ""
    return redirect_answer(target + query, exchange.method)


def _may_end(core: Core, exchange: Exchange, session: Session, claims: dict[str, Any] | None) -> bool:
    """Only the person, or an app that was given an ID Token about this person, ends a session."""
    if session.signed_in is None:
        return True
    if exchange.method == "POST" and exchange.value("decision") == "sign_out" and csrf_holds(session, exchange):
        return True
    return claims is not None and claims.get("sub") == core.users[session.signed_in.username].sub
