"""Sending an authorization response to the app."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from oidcclient_devkit.answers import Answer, printable, redirect_answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.misbehaviours import bend_callback
from oidcclient_devkit.pages.render import page


def deliver(core: Core, exchange: Exchange, request: Any, params: list[tuple[str, str]]) -> Answer:
    """Send the parameters where the app asked for them, with iss (RFC 9207 section 2)."""
    data = request.payload.data
    redirect_uri = data["redirect_uri"]
    sent = bend_callback(core, exchange, [*params, ("iss", core.issuer)])
    if data.get("response_mode") == "form_post" and redirect_uri.startswith("http"):
        client = core.clients[data["client_id"]]
        return page("form_post.html", form_target=redirect_uri, client=client, target=redirect_uri, params=sent)
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return redirect_answer(f"{redirect_uri}{separator}{urlencode(sent)}", exchange.method)


def deliver_error(core: Core, exchange: Exchange, request: Any, error: Any) -> Answer:
    """Tell the app that there will be no code (RFC 6749 section 4.1.2.1)."""
    params = [("error", str(error.error))]
    description = error.get_error_description() if hasattr(error, "get_error_description") else error.description
    if description:
        params.append(("error_description", printable(str(description))))
    state = request.payload.state
    answer = deliver(core, exchange, request, [*params, *([("state", state)] if state is not None else [])])
    answer.why = ": ".join(value for _, value in params)
    return answer


def sent_params(location: str, redirect_uri: str) -> list[tuple[str, str]]:
    """Return the parameters that Authlib added to the redirect address."""
    before = parse_qsl(urlsplit(redirect_uri).query, keep_blank_values=True)
    return parse_qsl(urlsplit(location).query, keep_blank_values=True)[len(before) :]
