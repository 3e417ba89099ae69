"""Two hooks of different kinds: one marks requests, one binds a session to a key it makes up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oidcclient import DowngradeRefused, UsageError
from oidcclient.hooks import (
    Exchange,
    ExchangeKind,
    Flow,
    HookContext,
    HttpResponse,
    Proceed,
    TokenResponse,
    TransportMaterial,
)


class RequestId:
    """Add a header to every exchange; keep nothing, bind nothing."""

    name = "request-id"

    def __init__(self) -> None:
        self.kinds: list[ExchangeKind] = []

    def exchange(self, context: HookContext, exchange: Exchange, proceed: Proceed) -> Flow[HttpResponse]:
        self.kinds.append(exchange.kind)
        return (yield from proceed(exchange.request.with_header("X-Request-Id", f"{len(self.kinds)}")))


class SenderConstraint:
    """
    Bind tokens to a key, as DPoP does: a parameter, a proof on each request, one retry on a challenge, its own type.

    The proofs are numbers, so that a test can tell one from the next.
    """

    name = "constraint"
    binds = True

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def prepare(self, context: HookContext) -> Flow[None]:
        if not context.metadata.raw.get("constraint_supported"):
            raise UsageError("the provider knows no constraint", rule="constraint")
        context.state["key"] = "k-1"
        yield from ()

    def authorization_parameters(self, context: HookContext) -> Flow[Mapping[str, str]]:
        yield from ()
        return {"x_key": context.state["key"]}

    def exchange(self, context: HookContext, exchange: Exchange, proceed: Proceed) -> Flow[HttpResponse]:
        self.exchanges.append(exchange)
        response = yield from proceed(exchange.request.with_header("Proof", self._proof(context, exchange)))
        challenge = response.header("x-challenge")
        if response.status == 400 and challenge is not None:
            context.state["challenge"] = challenge
            proof = self._proof(context, exchange)
            response = yield from proceed(exchange.request.with_header("Proof", proof), reason="challenge")
        return response

    @staticmethod
    def _proof(context: HookContext, exchange: Exchange) -> str:
        count = context.memory["count"] = context.memory.get("count", 0) + 1
        bound_to = f" {exchange.access_token}" if exchange.access_token else ""
        return f"{context.state['key']} {count} {context.state.get('challenge', '-')}{bound_to}"

    def accept_token(self, context: HookContext, kind: ExchangeKind, response: TokenResponse) -> bool:
        if response.token_type.lower() != "bound":
            raise DowngradeRefused("the token is not bound", rule="token_type", received=response.token_type)
        return True


class Stubborn:
    """Send again and again, with the reasons given."""

    name = "stubborn"

    def __init__(self, *reasons: str | None) -> None:
        self.reasons = reasons

    def exchange(self, context: HookContext, exchange: Exchange, proceed: Proceed) -> Flow[HttpResponse]:
        response = yield from proceed(exchange.request)
        for reason in self.reasons:
            response = yield from proceed(exchange.request, reason=reason)
        return response


class Adds:
    """Contribute the parameters given."""

    def __init__(self, name: str, **parameters: str) -> None:
        self.name = name
        self.parameters = parameters

    def authorization_parameters(self, context: HookContext) -> Flow[Mapping[str, str]]:
        yield from ()
        return self.parameters


class Transport:
    """Contribute what the connection needs."""

    def __init__(self, name: str = "transport", **material: Any) -> None:
        self.name = name
        self.material = TransportMaterial(**material)

    def transport(self, context: HookContext) -> TransportMaterial:
        return self.material
