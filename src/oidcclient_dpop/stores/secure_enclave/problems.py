"""What went wrong in the Secure Enclave, in words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from oidcclient import KeyUnavailable

from .frameworks import EnclaveError, FrameworksMissing

__all__ = ["translated"]

# SecBase.h. Which of them a Mac without an enclave gives is not known: each means unavailable, and none lost.
WORDS: Final[dict[int, tuple[str, str, str]]] = {
    -4: ("errSecUnimplemented", "this Mac has no Secure Enclave", "Take another key store."),
    -128: ("errSecUserCanceled", "somebody cancelled it", "Try again, and allow it."),
    -25291: ("errSecNotAvailable", "this Mac has no Secure Enclave", "Take another key store."),
    -25293: ("errSecAuthFailed", "it was not allowed", "Try again, and allow it."),
    -25308: (
        "errSecInteractionNotAllowed",
        "it would have to ask somebody, or the Mac was not unlocked since it started",
        "Sign in at the Mac itself, and try again.",
    ),
    -34018: ("errSecMissingEntitlement", "macOS does not let this program use it", "Take another key store."),
}
HINT: Final = "Try again; then another key store."


@contextmanager
def translated() -> Generator[None]:
    """Turn what happens below into the errors of this library."""
    try:
        yield
    except FrameworksMissing as error:
        raise KeyUnavailable(f"macOS lacks what is needed: {error}", rule="secure-enclave") from error
    except EnclaveError as error:
        name, words, hint = WORDS.get(error.code, ("", "it failed", HINT))
        said = f"{error.function}: {error.code} {name or error.text}".rstrip()
        raise KeyUnavailable(f"Secure Enclave: {words} ({said})", hint=hint, rule="secure-enclave") from error
