"""What went wrong in Windows' key storage, in words, and whether the key is lost by it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from oidcclient import KeyLost, KeyUnavailable

from . import constants as c
from .ncrypt import CngError, CngMissing, MalformedAnswer

__all__ = ["NOT_THERE", "named", "translated"]

NOT_THERE: Final = frozenset({c.NTE_BAD_KEYSET, c.NTE_NO_KEY, c.NTE_NOT_FOUND})
# The TPM refuses what another one, or itself before it was cleared, has wrapped.
LOST: Final = NOT_THERE | {c.TPM_20_E_INTEGRITY}
NAMES: Final = {
    value: name
    for name, value in vars(c).items()
    if isinstance(value, int) and name.startswith(("NTE_", "TBS_", "TPM_"))
}

_NO_TPM = ("there is no TPM that Windows can use", "Look at tpm.msc; switch the TPM on in the firmware's settings.")
_NOT_READY = ("the TPM is not ready", "Look at tpm.msc; restart the computer.")
_NO_SERVICE = ("the TPM Base Services are not running", "Have an administrator start the service TBS.")
_UI = ("it would have to ask somebody", "Sign in to Windows at the computer itself, and try again.")
_NO_PROFILE = ("this user has no profile to keep keys in", "Run the program with the user's profile loaded.")
WORDS: Final[dict[int, tuple[str, str]]] = {
    c.NTE_DEVICE_NOT_READY: _NOT_READY,
    c.NTE_DEVICE_NOT_FOUND: _NO_TPM,
    c.TBS_E_TPM_NOT_FOUND: _NO_TPM,
    c.TPM_E_PCP_DEVICE_NOT_READY: _NOT_READY,
    c.TBS_E_PROVISIONING_INCOMPLETE: _NOT_READY,
    c.TBS_E_SERVICE_NOT_RUNNING: _NO_SERVICE,
    c.TBS_E_SERVICE_DISABLED: _NO_SERVICE,
    c.TBS_E_ACCESS_DENIED: ("no permission to use the TPM", "Ask the administrator of this computer."),
    c.TPM_20_E_LOCKOUT: (
        "the TPM is locked after wrong passwords",
        "Wait some hours, or have an administrator unlock it.",
    ),
    c.TPM_E_PCP_WRONG_PARENT: (
        "the TPM does not know the key that protects this one",
        "Restart the computer; if it stays so, the TPM was cleared: sign in again.",
    ),
    c.NTE_BAD_PROVIDER: ("Windows has no such provider", "Take another key store."),
    c.NTE_PROVIDER_DLL_FAIL: ("the provider cannot be loaded", "Take another key store."),
    c.NTE_PROV_DLL_NOT_FOUND: ("the provider is not installed", "Take another key store."),
    c.NTE_NOT_SUPPORTED: ("it keeps no such keys", "Take another key store."),
    c.TPM_E_PCP_NOT_SUPPORTED: ("the TPM keeps no such keys", "Take another key store."),
    c.NTE_PERM: ("Windows refuses access", "Look whether a policy or another user's profile is in the way."),
    c.NTE_TEMPORARY_PROFILE: _NO_PROFILE,
    c.NTE_SILENT_CONTEXT: _UI,
    c.NTE_UI_REQUIRED: _UI,
    c.NTE_USER_CANCELLED: ("somebody cancelled it", "Try again, and allow it."),
}
UNKNOWN: Final = ("it failed", "Try again; then another key store.")


def named(error: CngError) -> str:
    """Return which function said what."""
    return f"{error} {NAMES.get(error.status, '')}".rstrip()


@contextmanager
def translated(subject: str, *, may_be_lost: bool) -> Generator[None]:
    """
    Turn what happens below into the errors of this library.

    Args:
        subject: Who it happens to.
        may_be_lost: Whether a key that was made before is asked for.
    """
    try:
        yield
    except CngError as error:
        if may_be_lost and error.status in LOST:
            raise KeyLost(f"the key is not in {subject} ({named(error)})", rule="cng") from error
        words, hint = WORDS.get(error.status, UNKNOWN)
        raise KeyUnavailable(f"{subject}: {words} ({named(error)})", hint=hint, rule="cng") from error
    except CngMissing as error:
        raise KeyUnavailable(f"there is no key storage of Windows here: {error}", rule="cng") from error
    except (MalformedAnswer, OSError) as error:  # ctypes says OSError where a library reads what it must not
        raise KeyUnavailable(f"{subject} does not answer as it should: {error}", hint=UNKNOWN[1], rule="cng") from error
