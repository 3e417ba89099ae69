"""One HTTP exchange through the hooks: each may change it, look at the answer, and try again once per reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from oidcclient._words.effects import Flow, send
from oidcclient._words.errors import UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.value import dataclass, replace
from oidcclient._words.values import ProviderMetadata, TokenResponse
from oidcclient.hooks import (
    AcceptsTokens,
    AddsParameters,
    Exchange,
    ExchangeKind,
    Hook,
    HookContext,
    Prepares,
    Signed,
    Signs,
    SuppliesTransport,
    TransportMaterial,
    WrapsExchanges,
)
from oidcclient.protocol import ClientAuth, check_endpoint

__all__ = ["BoundHook", "BoundHooks", "authenticator", "bind_hooks", "with_aliases"]

Authenticate = Callable[[HttpRequest], HttpRequest]
SendOn = Callable[[HttpRequest], Flow[HttpResponse]]


@dataclass(frozen=True, slots=True)
class BoundHook:
    """A hook with what belongs to one session of it."""

    hook: Hook
    context: HookContext


class _Guarded:
    """The `proceed` a hook is given: it counts, so that no hook can loop."""

    __slots__ = ("_hook", "_reasons", "_send_on")

    def __init__(self, hook: WrapsExchanges, send_on: SendOn) -> None:
        self._hook = hook
        self._send_on = send_on
        self._reasons: set[str] | None = None

    def __call__(self, request: HttpRequest, *, reason: str | None = None) -> Flow[HttpResponse]:
        if self._reasons is None:
            self._reasons = set()
        elif reason is None or reason in self._reasons:
            name = getattr(self._hook, "name", type(self._hook).__name__)
            raise UsageError(f"the hook {name} sent a request again without a new reason", rule="retry")
        if reason is not None:
            self._reasons.add(reason)
        return self._send_on(request)


class BoundHooks:
    """
    The hooks of one session, in order; the first is the outermost.

    Args:
        hooks: The hooks with their contexts. Which powers each has is looked up here, once, and not for each request.

    `signer` is the hook that can sign a request to an API at once, if it is the only one that such a request passes;
    `stored` tells that what the hooks keep is in a stored session.
    """

    def __init__(self, hooks: tuple[BoundHook, ...] = ()) -> None:
        self.hooks = hooks
        self.stored = False
        self.binds = any(getattr(bound.hook, "binds", False) for bound in hooks)
        self._wrapping = tuple(
            (bound.hook, bound.context) for bound in reversed(hooks) if isinstance(bound.hook, WrapsExchanges)
        )
        self._supplying = tuple(
            (bound.hook, bound.context) for bound in hooks if isinstance(bound.hook, SuppliesTransport)
        )
        self.signer: tuple[Signs, HookContext] | None = None
        if len(self._wrapping) == 1 and not self._supplying:
            self.signer = next(((bound.hook, bound.context) for bound in hooks if isinstance(bound.hook, Signs)), None)

    def prepare(self) -> Flow[None]:
        """Let each hook refuse what cannot work."""
        for bound in self.hooks:
            if isinstance(bound.hook, Prepares):
                yield from bound.hook.prepare(bound.context)

    def parameters(self) -> Flow[Mapping[str, str]]:
        """
        Collect the authorization request parameters of all hooks.

        Raises:
            UsageError: Two hooks give the same one.
        """
        added: dict[str, str] = {}
        for bound in self.hooks:
            if isinstance(bound.hook, AddsParameters):
                more = yield from bound.hook.authorization_parameters(bound.context)
                if added.keys() & more.keys():
                    raise UsageError(f"two hooks add {', '.join(sorted(added.keys() & more.keys()))}", rule="hook")
                added.update(more)
        return added

    def accept_token(self, kind: ExchangeKind, response: TokenResponse) -> bool:
        """Let each hook refuse a token response; return whether one of them knows its type."""
        known = [
            bound.hook.accept_token(bound.context, kind, response)
            for bound in self.hooks
            if isinstance(bound.hook, AcceptsTokens)
        ]
        return any(known)

    def transport(self) -> TransportMaterial:
        """
        Merge the TLS material of all hooks.

        Raises:
            UsageError: Two hooks bring a certificate.
        """
        material = [hook.transport(context) for hook, context in self._supplying]
        certificates = [one.certificate for one in material if one.certificate]
        if len(certificates) > 1:
            raise UsageError("two hooks bring a TLS client certificate", rule="hook")
        aliases = {name: address for one in material for name, address in one.endpoint_aliases.items()}
        return TransportMaterial(certificates[0] if certificates else None, aliases)

    def states(self, before: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return what each hook keeps, for the session record; what absent hooks keep is carried along."""
        return {**before, **{bound.hook.name: bound.context.state for bound in self.hooks if bound.context.state}}

    def exchange(
        self,
        kind: ExchangeKind,
        request: HttpRequest,
        *,
        authenticate: Authenticate | None = None,
        access_token: str | None = None,
        token_type: str | None = None,
        repeatable: bool = True,
        signed: Signed | None = None,
        witness: Callable[[HttpResponse], object] | None = None,
    ) -> Flow[HttpResponse]:
        """
        Send a request through all hooks and return the answer.

        Args:
            kind: What it is for.
            request: The request, without client authentication.
            authenticate: Adds client authentication; called anew for each time the request goes out.
            access_token: The token it carries.
            token_type: That token's type.
            repeatable: Whether the request can be sent again.
            signed: What it has gone out with already.
            witness: Is shown each answer as it comes, before a hook can do anything with it.
        """
        certificate = self.transport().certificate if self._supplying else None
        send_on: SendOn = send
        if authenticate or certificate or witness:
            send_on = partial(_transmit, authenticate, certificate, witness)
        about = (kind, access_token, token_type, repeatable, signed)
        for hook, context in self._wrapping:
            send_on = partial(_offer, hook, context, send_on, about)
        return send_on(request)


def _transmit(
    authenticate: Authenticate | None,
    certificate: tuple[str, str] | None,
    witness: Callable[[HttpResponse], object] | None,
    request: HttpRequest,
) -> Flow[HttpResponse]:
    ready = authenticate(request) if authenticate else request
    response = yield from send(replace(ready, certificate=certificate) if certificate else ready)
    if witness is not None:
        witness(response)
    return response


def _offer(
    hook: WrapsExchanges,
    context: HookContext,
    send_on: SendOn,
    about: tuple[ExchangeKind, str | None, str | None, bool, Signed | None],
    request: HttpRequest,
) -> Flow[HttpResponse]:
    kind, access_token, token_type, repeatable, signed = about
    exchange = Exchange(kind, request, access_token, token_type, repeatable, signed)
    return hook.exchange(context, exchange, _Guarded(hook, send_on))


def bind_hooks(hooks: Iterable[Hook], context: Callable[[Hook], HookContext]) -> BoundHooks:
    """Give each hook the context of one session."""
    return BoundHooks(tuple(BoundHook(hook, context(hook)) for hook in hooks))


def with_aliases(metadata: ProviderMetadata, hooks: BoundHooks, policy: Policy) -> ProviderMetadata:
    """
    Put the hooks' endpoint aliases in place, under the same https rule (RFC 8705 section 5).

    Endpoints alone: a hook may take the aliases from the provider's metadata, and an alias of `issuer` or `jwks_uri`
    there would let one provider speak for another.
    """
    aliases = {
        name: check_endpoint(name, address, issuer=metadata.issuer, policy=policy)
        for name, address in hooks.transport().endpoint_aliases.items()
        if name.endswith("_endpoint") and (hasattr(metadata, name) or name in metadata.raw)
    }
    if not aliases:
        return metadata
    fields = {name: address for name, address in aliases.items() if hasattr(metadata, name)}
    return replace(metadata, raw={**metadata.raw, **aliases}, **fields)  # type: ignore[arg-type] # every endpoint is a str


def authenticator(client_auth: ClientAuth, client_id: str, metadata: ProviderMetadata, now: float) -> Authenticate:
    """Return what adds client authentication to a request, anew each time the request goes out."""

    def authenticated(request: HttpRequest) -> HttpRequest:
        return client_auth.authenticate(
            request,
            client_id=client_id,
            issuer=metadata.issuer,
            token_endpoint=metadata.token_endpoint or "",
            now=now,
        )

    return authenticated
