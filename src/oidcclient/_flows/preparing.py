"""What every sign-in does before it asks for anything, and when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import RemoteError, TransportError
from oidcclient._words.values import ProviderMetadata
from oidcclient.hooks import HookContext

from .ending import forget_state
from .exchange import BoundHooks, bind_hooks, with_aliases
from .plan import SignInPlan
from .provider import fetch_keys, fetch_metadata

__all__ = ["abandon", "begin", "forgetting", "prefetch_keys"]

T = TypeVar("T")


def begin(plan: SignInPlan, go_on: Callable[[ProviderMetadata, BoundHooks], Flow[T]]) -> Flow[T]:
    """
    Make ready, then go on: metadata, the store, the hooks' keys, so that nothing is opened in vain.

    Raises:
        OidcError: Something is in the way.
    """
    now = yield from run(plan.clock.now)
    metadata = yield from fetch_metadata(plan.provider, now)
    yield from run(plan.store.probe)
    hooks = bind_hooks(plan.hooks, lambda _hook: _context(plan, metadata, now))
    metadata = with_aliases(metadata, hooks, plan.policy)
    return (yield from forgetting(plan, hooks, _prepared(hooks, lambda: go_on(metadata, hooks))))


def _prepared(hooks: BoundHooks, go_on: Callable[[], Flow[T]]) -> Flow[T]:
    yield from hooks.prepare()
    return (yield from go_on())


def forgetting(plan: SignInPlan, hooks: BoundHooks, flow: Flow[T]) -> Flow[T]:
    """
    Go through a flow; if it fails, whatever failed, let the hooks remove what they made for the sign-in.

    Unless the session is stored by then: it is the session's from there on.
    """
    try:
        return (yield from flow)
    except GeneratorExit:
        raise
    except BaseException:  # Ctrl-C and a task that is cancelled, too
        if not hooks.stored:
            yield from forget_state(plan.hooks, hooks.states({}), plan.emit)
        raise


def abandon(plan: SignInPlan, hooks: BoundHooks) -> Flow[None]:
    """Let the hooks remove what they made for a sign-in that nobody will wait for."""
    return forget_state(plan.hooks, hooks.states({}), plan.emit)


def _context(plan: SignInPlan, metadata: ProviderMetadata, now: float) -> HookContext:
    return HookContext(
        issuer=metadata.issuer,
        client_id=plan.client_id,
        profile=plan.profile,
        account=None,
        metadata=metadata,
        policy=plan.policy,
        now=now,
        emit=plan.emit,
    )


def prefetch_keys(plan: SignInPlan, metadata: ProviderMetadata) -> Flow[None]:
    """Fetch the keys ahead of need. A failure is no failure of the sign-in yet: they are fetched again when needed."""
    now = yield from run(plan.clock.now)
    try:
        yield from fetch_keys(plan.provider, metadata, now)
    except (TransportError, RemoteError):
        plan.provider.keys = None
