"""What a sign-in needs, and what is known of it while it waits for a person."""

from __future__ import annotations

from collections.abc import Callable

from oidcclient._words.clock import Clock
from oidcclient._words.events import EventHandler
from oidcclient._words.policy import Policy
from oidcclient._words.receiver import Pause, Receiver
from oidcclient._words.record import Store
from oidcclient._words.value import dataclass, field
from oidcclient._words.values import ProviderMetadata
from oidcclient.hooks import Hook
from oidcclient.protocol import AuthorizationRequest, ClientAuth, DeviceAuthorization, Transaction

from .exchange import BoundHooks
from .provider import Provider

__all__ = ["Begun", "DevicePlan", "DeviceStarted", "LoginPlan", "SignInPlan", "Started"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPlan:
    """
    What every way to sign in needs.

    Args:
        provider: What is known of the provider.
        client_id: The client.
        client_auth: How it authenticates.
        policy: Limits and exceptions.
        hooks: The add-ons.
        profile: The name under which the session is stored.
        store: Where it is stored.
        request: What to ask for.
        account: The `sub` that must sign in; None lets anybody.
        timeout: How long a person may take, in seconds.
        clock: The time.
        emit: Takes events.
    """

    provider: Provider
    client_id: str
    client_auth: ClientAuth = field(repr=False)
    policy: Policy
    hooks: tuple[Hook, ...]
    profile: str
    store: Store = field(repr=False)
    request: AuthorizationRequest
    account: str | None = None
    timeout: float
    clock: Clock
    emit: EventHandler = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPlan(SignInPlan):
    """
    What a sign-in needs whose answer a browser brings.

    Args:
        receiver: How the answer comes back.
        form_post: Whether to ask for `response_mode=form_post`.
        own_start: Whether a browser on this machine is sent to our own start address first.
        show_again: Takes a new address when the shown one has expired.
    """

    receiver: Receiver
    form_post: bool
    own_start: bool
    show_again: Callable[[str], object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan(SignInPlan):
    """
    What a sign-in on another device needs (RFC 8628).

    Args:
        pause: Lets time pass between two polls.
    """

    pause: Pause


@dataclass(slots=True)
class Begun:
    """
    A sign-in that was prepared.

    Args:
        metadata: The provider, its endpoints replaced by a hook's aliases.
        hooks: The add-ons with their contexts.
    """

    metadata: ProviderMetadata
    hooks: BoundHooks


@dataclass(slots=True)
class Started(Begun):
    """
    A sign-in that waits for a person and a browser.

    Args:
        transaction: What ties the answer to the request.
        parameters: The authorization request.
        address: What a browser opens.
        expires_at: When that address expires, on the clock's `ticks`; None if it does not.
        deadline: When the wait ends, on the clock's `ticks`.
        starts: How often a browser asked for the start address.
    """

    transaction: Transaction = field(repr=False)
    parameters: list[tuple[str, str]] = field(repr=False)
    address: str = field(repr=False)
    expires_at: float | None
    deadline: float
    starts: int = 0


@dataclass(slots=True)
class DeviceStarted(Begun):
    """
    A sign-in that waits for a person at another device.

    Args:
        authorization: The codes, and how long they are good.
        given_at: When they came, in Unix seconds.
        expires_at: When they end, on the clock's `ticks`.
        deadline: When the wait ends, on the clock's `ticks`.
    """

    authorization: DeviceAuthorization
    given_at: float
    expires_at: float
    deadline: float
