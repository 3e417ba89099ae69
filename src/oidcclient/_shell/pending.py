"""What every way to sign in has in common, as the clients run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from oidcclient._flows.exchange import BoundHooks
from oidcclient._words.effects import Flow
from oidcclient._words.record import SessionRecord
from oidcclient._words.ways import DeviceCode, Way
from oidcclient.protocol import AuthorizationRequest

from .core import Memory

if TYPE_CHECKING:
    from .core import ClientCore

__all__ = ["LoginOptions", "Memory", "Pending", "memory_of", "plan_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """The arguments of `login()`, checked."""

    via: Way
    open_browser: Callable[[str], object] | None = field(repr=False)
    timeout: float
    request: AuthorizationRequest
    account: str | None = None


class Pending(Protocol):
    """A sign-in that was started and waits for a person."""

    @property
    def device_code(self) -> DeviceCode | None:
        """The codes, where the person signs in on another device."""
        ...

    @property
    def address(self) -> str:
        """Where the person signs in."""
        ...

    @property
    def memory(self) -> Memory:
        """What the hooks know."""
        ...

    def show(self, issuer: str) -> Flow[None]:
        """Open the address, or show to the person what is needed."""
        ...

    def finish(self) -> Flow[SessionRecord]:
        """Wait for the person, and end with a stored session."""
        ...

    def forget(self) -> Flow[None]:
        """Let the hooks remove what they made for a sign-in that nobody waits for."""
        ...

    def cancel(self) -> None:
        """Stop the sign-in; may be called from any thread."""
        ...

    def close(self) -> None:
        """Let go of all that waits. Quick, never raises, and may be called twice."""
        ...


def plan_settings(core: ClientCore, options: LoginOptions) -> dict[str, Any]:
    """Return what a `SignInPlan` is made of."""
    return {
        "provider": core.provider,
        "client_id": core.client_id,
        "client_auth": core.client_auth,
        "policy": core.policy,
        "hooks": core.hooks,
        "profile": core.profile,
        "store": core.store,
        "request": options.request,
        "account": options.account,
        "timeout": options.timeout,
        "clock": core.clock,
        "emit": core.emit,
    }


def memory_of(hooks: BoundHooks) -> Memory:
    """Return what the hooks of a sign-in know already."""
    return {bound.hook.name: bound.context.memory for bound in hooks.hooks}
