"""
The functions of Core Foundation and Security, and objects that are released.

Core Foundation's rule: what a function with Create or Copy in its name returns is ours to release, and what one with
Get returns is not. Names, types and numbers are those of SecKey.h, SecItem.h, SecAccessControl.h, CFNumber.h and
CFString.h.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int32, c_long, c_uint8, c_uint32, c_ulong, c_void_p
from typing import Any, Final

__all__ = ["EnclaveError", "Frameworks", "FrameworksMissing", "Key"]

CORE_FOUNDATION: Final = "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
SECURITY: Final = "/System/Library/Frameworks/Security.framework/Security"

UTF_8: Final = 0x08000100  # kCFStringEncodingUTF8
SINT32: Final = 3  # kCFNumberSInt32Type
PRIVATE_KEY_USAGE: Final = 1 << 30  # kSecAccessControlPrivateKeyUsage
KEY_BITS: Final = 256  # the enclave has P-256 alone
LONGEST_TEXT: Final = 1024  # bytes, of what macOS says went wrong
LARGEST_DATA: Final = 16_384  # bytes, of anything that is asked for
# kSecAttrTokenOID, which is not in the headers; the key as the enclave encrypted it. CryptoKit has it as the
# dataRepresentation of a key.
TOKEN_OID: Final = "toid"  # noqa: S105 - the name of an attribute

# Every pointer has to be a c_void_p: as an int it would be cut.
_REF, _INDEX, _FLAGS, _OUT = c_void_p, c_long, c_ulong, POINTER(c_void_p)
IN_CORE_FOUNDATION: Final[Mapping[str, tuple[Any, ...]]] = {
    "CFDataCreate": (_REF, _REF, c_char_p, _INDEX),
    "CFDataGetLength": (_INDEX, _REF),
    "CFDataGetBytePtr": (_REF, _REF),
    "CFDictionaryCreate": (_REF, _REF, _OUT, _OUT, _INDEX, _REF, _REF),
    "CFDictionaryGetValue": (_REF, _REF, _REF),
    "CFErrorCopyDescription": (_REF, _REF),
    "CFErrorGetCode": (_INDEX, _REF),
    "CFNumberCreate": (_REF, _REF, _INDEX, _REF),
    "CFRelease": (None, _REF),
    "CFStringCreateWithCString": (_REF, _REF, c_char_p, c_uint32),
    "CFStringGetCString": (c_uint8, _REF, c_char_p, _INDEX, c_uint32),
}
IN_SECURITY: Final[Mapping[str, tuple[Any, ...]]] = {
    "SecAccessControlCreateWithFlags": (_REF, _REF, _REF, _FLAGS, _OUT),
    "SecKeyCopyAttributes": (_REF, _REF),
    "SecKeyCopyExternalRepresentation": (_REF, _REF, _OUT),
    "SecKeyCopyPublicKey": (_REF, _REF),
    "SecKeyCreateRandomKey": (_REF, _REF, _OUT),
    "SecKeyCreateSignature": (_REF, _REF, _REF, _REF, _OUT),
    "SecKeyCreateWithData": (_REF, _REF, _REF, _OUT),
}


class EnclaveError(Exception):
    """
    A function refused.

    Args:
        function: Which one.
        code: The number that it gave, 0 for none.
        text: What it said.
    """

    def __init__(self, function: str, code: int, text: str) -> None:
        self.function = function
        self.code = code
        self.text = text
        super().__init__(f"{function}: {code} {text}".rstrip())


class FrameworksMissing(Exception):
    """There are no such libraries here, or they lack something."""


class Owned:
    """Objects of Core Foundation that are ours, to be released together, the last first."""

    def __init__(self, frameworks: Frameworks) -> None:
        self._frameworks = frameworks
        self._references: list[int] = []

    def add(self, function: str, *arguments: Any) -> int:
        """Call a function that returns an object which is ours."""
        reference: int | None = self._frameworks.call(function, *arguments)
        if not reference:
            raise EnclaveError(function, 0, "it returned nothing")
        self._references.append(reference)
        return reference

    def add_checked(self, function: str, *arguments: Any) -> int:
        """Call a function that returns an object which is ours, or leaves an error, which then is ours too."""
        error = c_void_p()
        reference: int | None = self._frameworks.call(function, *arguments, byref(error))
        if error.value:
            self._references.append(error.value)
        if not reference:
            raise EnclaveError(function, *self._explained(error.value))
        self._references.append(reference)
        return reference

    def _explained(self, error: int | None) -> tuple[int, str]:
        if not error:
            return 0, "it does not say why"
        text = self.add("CFErrorCopyDescription", error)
        room = ctypes.create_string_buffer(LONGEST_TEXT)
        fits = self._frameworks.call("CFStringGetCString", text, room, len(room), UTF_8)
        return self._frameworks.call("CFErrorGetCode", error), room.value.decode("utf-8", "replace") if fits else ""

    def data(self, content: bytes) -> int:
        """Return content as a CFData."""
        return self.add("CFDataCreate", None, content, len(content))

    def text(self, content: str) -> int:
        """Return a text as a CFString."""
        return self.add("CFStringCreateWithCString", None, content.encode(), UTF_8)

    def number(self, content: int) -> int:
        """Return a number as a CFNumber."""
        return self.add("CFNumberCreate", None, SINT32, byref(c_int32(content)))

    def dictionary(self, content: Mapping[int, int]) -> int:
        """Return a CFDictionary, which retains what is in it."""
        count = len(content)
        keys, values = (c_void_p * count)(*content.keys()), (c_void_p * count)(*content.values())
        callbacks = (f"kCFTypeDictionary{kind}CallBacks" for kind in ("Key", "Value"))
        addresses = [self._frameworks.address(name) for name in callbacks]
        return self.add("CFDictionaryCreate", None, keys, values, count, *addresses)

    def give_up(self, reference: int) -> int:
        """Return an object that somebody else releases from now on."""
        self._references.remove(reference)
        return reference

    def release(self) -> None:
        """Release all of them."""
        while self._references:
            self._frameworks.call("CFRelease", self._references.pop())


class Frameworks:
    """
    The two libraries.

    Args:
        path: A library to take in place of both of them; for tests.

    Raises:
        FrameworksMissing: There are none.
    """

    def __init__(self, path: str | None = None) -> None:
        try:
            self._core_foundation = ctypes.CDLL(path or CORE_FOUNDATION)
            self._security = ctypes.CDLL(path or SECURITY)
            self._functions: dict[str, Any] = {}
            for library, functions in (
                (self._core_foundation, IN_CORE_FOUNDATION),
                (self._security, IN_SECURITY),
            ):
                for name, (result, *arguments) in functions.items():
                    function = getattr(library, name)
                    function.restype, function.argtypes = result, arguments
                    self._functions[name] = function
        except (OSError, AttributeError) as error:
            raise FrameworksMissing(str(error)) from None

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function."""
        return self._functions[function](*arguments)

    def constant(self, name: str) -> int:
        """Return an object that is always there."""
        library = self._core_foundation if name.startswith("kCF") else self._security
        try:
            return c_void_p.in_dll(library, name).value or 0
        except ValueError as error:
            raise FrameworksMissing(str(error)) from None

    def address(self, name: str) -> int:
        """Return where a structure lies that is always there."""
        return ctypes.addressof(ctypes.c_char.in_dll(self._core_foundation, name))

    @contextmanager
    def owned(self) -> Generator[Owned]:
        """Release what a block gets, unless it gives it up."""
        owned = Owned(self)
        try:
            yield owned
        finally:
            owned.release()

    def content(self, data: int) -> bytes:
        """Return what a CFData holds."""
        length = self.call("CFDataGetLength", data)
        if not 0 <= length <= LARGEST_DATA:
            raise EnclaveError("CFDataGetLength", length, "is too large")
        return ctypes.string_at(self.call("CFDataGetBytePtr", data), length)

    def create(self, access: int) -> tuple[Key, bytes]:
        """
        Return a new key, and the same key encrypted by the enclave.

        Args:
            access: What the enclave asks for before it signs: SecAccessControlCreateFlags.
        """
        k = self.constant
        with self.owned() as own:
            control = own.add_checked(
                "SecAccessControlCreateWithFlags",
                None,
                k("kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly"),
                PRIVATE_KEY_USAGE | access,
            )
            private = {k("kSecAttrIsPermanent"): k("kCFBooleanFalse"), k("kSecAttrAccessControl"): control}
            wanted = {
                k("kSecAttrKeyType"): k("kSecAttrKeyTypeECSECPrimeRandom"),
                k("kSecAttrKeySizeInBits"): own.number(KEY_BITS),
                k("kSecAttrTokenID"): k("kSecAttrTokenIDSecureEnclave"),
                k("kSecPrivateKeyAttrs"): own.dictionary(private),
            }
            key = own.add_checked("SecKeyCreateRandomKey", own.dictionary(wanted))
            attributes = own.add("SecKeyCopyAttributes", key)
            wrapped = self.call("CFDictionaryGetValue", attributes, own.text(TOKEN_OID))
            if not wrapped:
                raise EnclaveError("SecKeyCopyAttributes", 0, f"the key has no {TOKEN_OID}")
            return Key(self, own.give_up(key)), self.content(wrapped)

    def open(self, wrapped: bytes) -> Key:
        """
        Return a key from its encrypted form.

        Where the enclave does not know that form, it makes a new key instead, without a word: compare the public key.
        """
        k = self.constant
        with self.owned() as own:
            data = own.data(wrapped)
            wanted = {
                k("kSecAttrKeyType"): k("kSecAttrKeyTypeECSECPrimeRandom"),
                k("kSecAttrKeyClass"): k("kSecAttrKeyClassPrivate"),
                k("kSecAttrTokenID"): k("kSecAttrTokenIDSecureEnclave"),
                own.text(TOKEN_OID): data,
            }
            return Key(self, own.give_up(own.add_checked("SecKeyCreateWithData", data, own.dictionary(wanted))))


class Key:
    """
    A private key that is open. It is released with this object.

    Args:
        frameworks: The libraries.
        reference: The SecKey, which is ours.
    """

    def __init__(self, frameworks: Frameworks, reference: int) -> None:
        self._frameworks = frameworks
        self._reference = reference
        self._release = weakref.finalize(self, frameworks.call, "CFRelease", reference)
        self._release.atexit = False  # a call that hangs may still use it

    def close(self) -> None:
        """Release the key."""
        self._release()

    def public_point(self) -> bytes:
        """Return the public key as X9.63 has it: 04, X and Y."""
        with self._frameworks.owned() as own:
            return self._exported(own, own.add("SecKeyCopyPublicKey", self._reference))

    def private_form(self) -> bytes:
        """Return the private key, which should not be possible."""
        with self._frameworks.owned() as own:
            return self._exported(own, self._reference)

    def _exported(self, own: Owned, key: int) -> bytes:
        return self._frameworks.content(own.add_checked("SecKeyCopyExternalRepresentation", key))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, which is hashed with SHA-256 on the way, as a DER sequence (X9.62)."""
        algorithm = self._frameworks.constant("kSecKeyAlgorithmECDSASignatureMessageX962SHA256")
        with self._frameworks.owned() as own:
            data = own.data(message)
            return self._frameworks.content(own.add_checked("SecKeyCreateSignature", self._reference, algorithm, data))
