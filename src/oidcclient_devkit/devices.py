"""What a person decides about a device (RFC 8628 section 3.3): found by its user code, allowed or refused."""

from .core import Core
from .store import DeviceRequest, SignedIn

WRONG_CODES = 10  # per minute; RFC 8628 section 5.1: so that nobody finds a code by guessing
WRONG_CODES_WINDOW = 60.0  # seconds


class TooManyWrongCodes(Exception):
    """No user code is looked at for now."""


def plain(user_code: str) -> str:
    """Return a user code without case and punctuation (RFC 8628 section 6.1)."""
    return "".join(char for char in user_code if char.isascii() and char.isalnum()).upper()


def find_waiting(core: Core, user_code: str) -> DeviceRequest | None:
    """Find the device that shows this code and still waits.

    Raises:
        TooManyWrongCodes: if too many codes were wrong lately.
    """
    now = core.clock.now()
    recent = [when for when in core.store.wrong_user_codes if now - when < WRONG_CODES_WINDOW]
    core.store.wrong_user_codes = recent
    if len(recent) >= WRONG_CODES:
        raise TooManyWrongCodes
    for waiting in core.store.devices.values():
        if plain(waiting.user_code) == plain(user_code) and waiting.approved is None and now < waiting.expires_at:
            return waiting
    recent.append(now)
    return None


def decide(waiting: DeviceRequest, signed_in: SignedIn | None) -> None:
    """Let the device have what it asked for in this person's name, or nothing (None)."""
    waiting.grant.signed_in = signed_in
    waiting.approved = signed_in is not None
