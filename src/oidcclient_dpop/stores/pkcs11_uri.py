"""PKCS#11 URIs (RFC 7512): which module, which token, which key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from oidcclient import KeyUnavailable, UsageError

__all__ = ["Pkcs11Uri", "parse_uri"]

# RFC 7512 section 2.3: pk11-path and pk11-query. Those that we can look for, and those that are refused by name: to
# ignore one would widen the search.
TOKEN_NAMES: Final = {"token", "manufacturer", "serial", "model"}
KEY_NAMES: Final = {"object", "id", "type"}
UNSUPPORTED: Final = {
    "library-description",
    "library-manufacturer",
    "library-version",
    "slot-description",
    "slot-id",
    "slot-manufacturer",
}
QUERY_NAMES: Final = {"module-path", "module-name", "pin-source", "pin-value"}
VENDOR: Final = re.compile(
    r"x-[A-Za-z0-9-]+"
)  # RFC 7512 section 2.3 leaves other names to vendors; these are theirs for sure
BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
LONGEST_URI: Final = 4096
LONGEST_PIN_FILE: Final = 1024  # bytes
MODULE_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
# RFC 7512 section 2.4: how a module-name becomes a file is for the program to say. p11-kit's folders first.
MODULE_FOLDERS: Final = ("/usr/lib/pkcs11", "/usr/lib64/pkcs11", "/usr/local/lib/pkcs11", "/usr/lib", "/usr/lib64")


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """
    A PKCS#11 URI, parsed.

    Args:
        path: The attributes that say which token and key, decoded; `id` apart.
        key_id: The attribute `id`, which is bytes.
        query: The attributes that say how to get there, decoded. Holds the PIN, if the URI has it.
    """

    path: Mapping[str, str]
    key_id: bytes | None
    query: Mapping[str, str] = field(repr=False)

    @property
    def names_key(self) -> bool:
        """Whether one key is meant, and not any of the token."""
        return "object" in self.path or self.key_id is not None

    def without_pin(self) -> str:
        """Return the URI as it may be stored and shown."""
        parts = [f"{name}={quote(value, safe='')}" for name, value in self.path.items()]
        if self.key_id is not None:
            parts.append("id=" + "".join(f"%{byte:02X}" for byte in self.key_id))
        query = [f"{name}={quote(value, safe='/:')}" for name, value in self.query.items() if name != "pin-value"]
        return f"pkcs11:{';'.join(parts)}" + (f"?{'&'.join(query)}" if query else "")

    def module(self) -> str:
        """
        Return the file of the module.

        Raises:
            oidcclient.UsageError: The URI names none.
            oidcclient.KeyUnavailable: It is not there.
        """
        path = self.query.get("module-path")
        if path is not None:
            if not Path(path).is_file():
                raise KeyUnavailable(f"there is no PKCS#11 module {path}", hint="Install it.", rule="module-path")
            return path
        name = self.query["module-name"]
        for folder in MODULE_FOLDERS:
            for file in (f"{name}.so", f"lib{name}.so"):
                found = Path(folder, file)
                if found.is_file():
                    return str(found)
        raise KeyUnavailable(
            f"there is no PKCS#11 module {name} in {', '.join(MODULE_FOLDERS)}",
            hint="Install it, or say where it is: ?module-path=/path/module.so.",
            rule="module-name",
        )

    def pin(self) -> str | None:
        """
        Return the PIN, or None if the URI has none. Secret.

        Raises:
            oidcclient.KeyUnavailable: The file that should hold it cannot be read.
        """
        source = self.query.get("pin-source")
        if source is None:
            return self.query.get("pin-value")
        try:
            with Path(source.removeprefix("file:")).open("rb") as file:
                data = file.read(LONGEST_PIN_FILE + 1)
        except OSError as error:
            problem = error.strerror
        else:
            if len(data) <= LONGEST_PIN_FILE:
                return data.decode("utf-8", "replace").rstrip("\r\n")
            problem = "it is too long for a PIN"
        raise KeyUnavailable(f"the PIN cannot be read from {source}: {problem}", rule="pin-source")


def parse_uri(uri: str) -> Pkcs11Uri:
    """
    Return a parsed URI.

    Raises:
        oidcclient.UsageError: It is none, or says something that cannot be kept. The error shows nothing of the URI.
    """
    if not uri.startswith("pkcs11:") or len(uri) > LONGEST_URI or BAD_ESCAPE.search(uri):
        raise _refused("it is no PKCS#11 URI", "pkcs11:token=...;object=...?module-path=/path/module.so")
    head, _, tail = uri.removeprefix("pkcs11:").partition("?")
    encoded = _attributes(head, ";", TOKEN_NAMES | KEY_NAMES, unsupported=UNSUPPORTED)
    query = {name: _text(value) for name, value in _attributes(tail, "&", QUERY_NAMES).items()}
    identifier = encoded.pop("id", None)
    path = {name: _text(value) for name, value in encoded.items()}
    if path.get("type", "private") != "private":
        raise _refused("the key to sign with is a private one", "type=private")
    # RFC 7512 section 2.4: with both of them, "the URI SHOULD be refused as invalid"
    if "pin-source" in query and "pin-value" in query:
        raise _refused("pin-source and pin-value exclude each other", "one of them")
    _check_module(query)
    if "pin-source" in query and not query["pin-source"].removeprefix("file:").startswith("/"):
        raise _refused("pin-source is a file", "pin-source=file:/path")
    return Pkcs11Uri(path, None if identifier is None else unquote_to_bytes(identifier), query)


def _attributes(
    text: str, separator: str, names: set[str], *, unsupported: set[str] | frozenset[str] = frozenset()
) -> dict[str, str]:
    """Return attributes, still percent-encoded, without those of vendors."""
    found: dict[str, str] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if VENDOR.fullmatch(name):
            continue
        if name in unsupported:
            raise _refused(f"the attribute {name} is not supported", "token, serial, object or id")
        if not equals or name not in names:
            raise _refused("it has an attribute that RFC 7512 does not name", "only those of section 2.3")
        if name in found:  # RFC 7512 section 2.3: each of these at most once
            raise _refused(f"the attribute {name} is there twice", "each of them once")
        found[name] = value
    return found


def _text(encoded: str) -> str:
    try:
        text = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise _refused("an attribute is no text", "UTF-8")
    return text


def _check_module(query: Mapping[str, str]) -> None:
    if "module-path" in query:
        # A module is code that is run: never one from the folder that the program happens to be in.
        if not Path(query["module-path"]).is_absolute():
            raise _refused("module-path is no absolute path", "module-path=/path/module.so")
    elif not MODULE_NAME.fullmatch(query.get("module-name", "")):
        raise _refused("it does not say which module to load", "?module-path=/path/module.so")


def _refused(reason: str, expected: str) -> UsageError:
    return UsageError(
        f"the PKCS#11 URI cannot be used: {reason}", rule="uri", section="RFC 7512 section 2.3", expected=expected
    )
