"""Signing in and out, as `Client` and `AsyncClient` do it: everything but the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from oidcclient._flows.ending import EndPlan
from oidcclient._words.effects import Flow
from oidcclient._words.errors import LoginRequired, UsageError
from oidcclient._words.record import RecordKey, SessionRecord
from oidcclient._words.values import Json
from oidcclient._words.ways import Auto, Device, Loopback, Way
from oidcclient.protocol import AuthorizationRequest

from .pending import LoginOptions, Pending

if TYPE_CHECKING:
    from .core import ClientCore

__all__ = ["check_fits", "end_plan", "finish_login", "login", "login_options", "start_login"]


LONGEST_WAIT = 1e6  # seconds; eleven days


def texts(name: str, values: Iterable[str] | str | None) -> tuple[str, ...]:
    """
    Return one or several strings as a tuple.

    Raises:
        UsageError: They are no strings.
    """
    if values is None:
        return ()
    found = (values,) if isinstance(values, str) else tuple(values)
    if not all(isinstance(text, str) and text for text in found):
        raise UsageError(f"{name} must hold strings", rule=name)
    return found


def login_options(
    core: ClientCore,
    *,
    via: Way | None,
    open_browser: Callable[[str], object] | None,
    timeout: float,
    login_hint: str | None,
    prompt: str | None,
    max_age: int | None,
    acr_values: str | Sequence[str] | None,
    resource: str | Sequence[str] | None,
    claims: Mapping[str, Json] | None,
    extra: Mapping[str, str] | None,
    account: str | None = None,
) -> LoginOptions:
    """
    Check the arguments of a sign-in.

    Raises:
        UsageError: One does not fit.
    """
    if not 0 < timeout < LONGEST_WAIT:  # NaN is neither
        raise UsageError("timeout must be a number of seconds above 0", rule="timeout", received=timeout)
    if isinstance(via, Device) and open_browser is not None:
        raise UsageError(
            "open_browser does not go with Device(): its page is opened on another device",
            rule="open_browser",
            hint="Device(show=...) takes the code to show.",
        )
    if prompt is None and "offline_access" in core.scopes:
        prompt = "consent"  # OIDC Core 11: providers ignore offline_access without it
    request = AuthorizationRequest(
        scopes=core.scopes,
        login_hint=login_hint,
        prompt=prompt,
        max_age=max_age,
        acr_values=" ".join(texts("acr_values", acr_values)) or None,
        resources=texts("resource", resource),
        claims=claims,
        extra=dict(extra or {}),
    )
    return LoginOptions(
        via=via or Loopback(), open_browser=open_browser, timeout=timeout, request=request, account=account
    )


def start_login(core: ClientCore, options: LoginOptions, *, opens: bool) -> Flow[Pending]:
    """
    Start a sign-in.

    Args:
        core: The client.
        options: What was asked for.
        opens: Whether the address is to be opened, or the code shown, by `login`; otherwise the program has it.
    """
    via = options.via
    if isinstance(via, Auto):
        from .choosing import start_chosen  # noqa: PLC0415 - one of the ways is needed, not all

        return (yield from start_chosen(core, options, via, opens=opens))
    if isinstance(via, Device):
        from .by_device import start_device  # noqa: PLC0415 - one of the ways is needed, not all

        return (yield from start_device(core, options, via, opens=opens))
    from .by_browser import start_browser  # noqa: PLC0415 - one of the ways is needed, not all

    return (yield from start_browser(core, options, via, opens=opens, detection=None))


def finish_login(core: ClientCore, pending: Pending) -> Flow[SessionRecord]:
    """Wait for the end of a sign-in."""
    try:
        record = yield from pending.finish()
    finally:
        pending.close()
    return core.begin(record, pending.memory)


def login(core: ClientCore, options: LoginOptions) -> Flow[SessionRecord]:
    """Sign a person in, from the first request to the stored session."""
    pending = yield from start_login(core, options, opens=True)
    try:
        yield from pending.show(core.issuer)
    except BaseException:
        pending.close()
        raise
    return (yield from finish_login(core, pending))


def end_plan(core: ClientCore, key: RecordKey) -> EndPlan:
    """Gather what ending a session needs."""
    return EndPlan(
        provider=core.provider,
        client_id=core.client_id,
        client_auth=core.client_auth,
        policy=core.policy,
        store=core.store,
        key=key,
        bind=core.bind,
        clock=core.clock,
        emit=core.emit,
    )


def check_fits(core: ClientCore, key: RecordKey, request: AuthorizationRequest) -> None:
    """
    Refuse a stored session that is not what a sign-in would give now.

    Raises:
        LoginRequired: It lacks a scope or a resource, or the person signed in too long ago.
    """
    record = core.record(key)
    lacking = [*(set(core.scopes) - set(record.scopes)), *(set(request.resources) - set(record.resources))]
    if lacking:
        raise LoginRequired(
            "the stored session was not asked for all that is wanted now", rule="scope", received=lacking
        )
    if request.max_age is not None:
        signed_in = record.claims.get("auth_time")
        if not isinstance(signed_in, int | float) or core.clock.now() - signed_in > request.max_age:
            raise LoginRequired("the person signed in too long ago", rule="max_age", section="OIDC Core 3.1.2.1")
