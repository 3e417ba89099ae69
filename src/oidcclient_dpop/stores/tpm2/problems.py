"""What went wrong at a TPM, in words, and whether the key is lost by it."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from oidcclient import KeyLost, KeyUnavailable

from . import constants as c
from .commands import TpmError

__all__ = ["lost", "unavailable", "why_not_open"]

PERMISSION: Final = (
    "add your user to the group tss (sudo usermod -aG tss <user>) and sign in to the computer again, "
    'or add a udev rule before 73-seat-late.rules: KERNEL=="tpmrm[0-9]*", TAG+="uaccess"'
)
NO_TPM: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ECONNREFUSED, errno.ENOTDIR})
OWNER_HAS_PASSWORD: Final = frozenset({c.RC_BAD_AUTH, c.RC_AUTH_FAIL, c.RC_HIERARCHY})


def why_not_open(error: OSError, path: str) -> str:
    """Say why a TPM cannot be opened: that there is none, that it is not for this user, or that it is in use."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"no permission for {path}: {PERMISSION}"
    if error.errno in NO_TPM:
        if sys.platform != "linux":
            return "no TPM that can be reached in this way on this system"
        if path == "/dev/tpmrm0" and os.path.exists("/dev/tpm0"):  # noqa: PTH110 - text is enough
            return "no TPM 2.0: /dev/tpm0 is there and /dev/tpmrm0 is not, which is a TPM 1.2 or a very old kernel"
        return f"no TPM: {path} is not there"
    if error.errno == errno.EBUSY:
        return f"{path} is in use by another program: use the resource manager, /dev/tpmrm0"
    return f"{path} cannot be opened: {error.strerror}"


def lost(error: TpmError) -> KeyLost | None:
    """Return the error for a key that this TPM will never load again, or None if it may."""
    if error.command != c.CC_LOAD:
        return None
    # The wrapping does not fit (another TPM, or this one was cleared), or the parent it was made under is gone.
    if error.is_about_parameter or error.base in {c.RC_INTEGRITY, c.RC_HANDLE}:
        return KeyLost(
            f"this TPM did not make the key, or was cleared since ({error})",
            rule="tpm2",
            section="TPM 2.0 Library part 3, TPM2_Load",
        )
    return None


def unavailable(error: Exception, path: str) -> KeyUnavailable:
    """Return the error for a TPM that cannot be used now."""
    if isinstance(error, TpmError):
        if error.base in OWNER_HAS_PASSWORD:
            return KeyUnavailable(
                f"the TPM's owner hierarchy is not for us ({error})",
                hint="It has a password or is switched off: have a storage root key set up at 0x81000001.",
                rule="tpm2",
            )
        return KeyUnavailable(f"the TPM refused ({error})", hint="Try again; then another key store.", rule="tpm2")
    if isinstance(error, OSError):
        reason = why_not_open(error, path)
        return KeyUnavailable(f"the TPM cannot be used: {reason}", hint=reason, rule="tpm2")
    return KeyUnavailable(
        f"what came is no answer of a TPM 2.0: {error}", hint="Try again; then another key store.", rule="tpm2"
    )
