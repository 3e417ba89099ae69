"""
The form of an encrypted record.

    7 bytes   "oidcrec"
    1 byte    version of this form
    1 byte    version of the record within
    8 bytes   which key
    12 bytes  nonce, random
    rest      AES-256-GCM of the record as JSON, with its tag

The associated data binds the ciphertext to all of the header and to where the file lies, so that no file can stand in
for another.
"""

from __future__ import annotations

import json
import os

from oidcclient._words.errors import StoreError
from oidcclient._words.record import SessionRecord
from oidcclient._words.record_json import RECORD_VERSION, record_from_json, record_to_json

from .place import Place, account_name
from .problems import Damaged

__all__ = ["key_id_of", "record_bytes", "seal", "unseal"]

MAGIC = b"oidcrec"
FORMAT_VERSION = 1
KEY_ID_BYTES = 8
HEADER_BYTES = len(MAGIC) + 2 + KEY_ID_BYTES
NONCE_BYTES = 12
TAG_BYTES = 16


def record_bytes(record: SessionRecord) -> bytes:
    """
    Return a record as text, for encryption.

    Raises:
        StoreError: It holds what JSON cannot.
    """
    try:
        return json.dumps(record_to_json(record), separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"the session cannot be written as JSON ({type(error).__name__})",
            hint="Let hooks keep only strings, numbers, lists and objects in their state.",
            rule="record",
        ) from None  # the foreign error may quote what it stumbled over


def seal(plain: bytes, place: Place, *, key_id: str, key: bytes) -> bytes:
    """Encrypt a record for its place."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only once there is a record

    header = MAGIC + bytes([FORMAT_VERSION, RECORD_VERSION]) + bytes.fromhex(key_id)
    nonce = os.urandom(NONCE_BYTES)
    return header + nonce + AESGCM(key).encrypt(nonce, plain, _associated_data(header, place))


def key_id_of(sealed: bytes) -> str:
    """
    Return which key a record is encrypted with.

    Raises:
        Damaged: This is no record.
        StoreError: It was written by a newer version of this library.
    """
    if len(sealed) < HEADER_BYTES + NONCE_BYTES + TAG_BYTES or not sealed.startswith(MAGIC):
        raise Damaged
    format_version, record_version = sealed[len(MAGIC)], sealed[len(MAGIC) + 1]
    if format_version > FORMAT_VERSION or record_version > RECORD_VERSION:
        raise StoreError(
            "the stored session was written by a newer version of oidcclient",
            hint="Update this program; the stored session was left as it is.",
            rule="version",
            expected=f"at most {FORMAT_VERSION}.{RECORD_VERSION}",
            received=f"{format_version}.{record_version}",
        )
    return sealed[HEADER_BYTES - KEY_ID_BYTES : HEADER_BYTES].hex()


def unseal(sealed: bytes, place: Place, key: bytes) -> SessionRecord:
    """
    Decrypt the record of a place.

    Raises:
        Damaged: It is not what was written there.
        StoreError: It was written by a newer version of this library.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only once there is a record
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only once there is a record

    header, rest = sealed[:HEADER_BYTES], sealed[HEADER_BYTES:]
    try:
        plain = AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], _associated_data(header, place))
    except InvalidTag:
        raise Damaged from None
    return _record(plain, place)


def _record(plain: bytes, place: Place) -> SessionRecord:
    try:
        record = record_from_json(json.loads(plain))
    except (ValueError, RecursionError):
        raise Damaged from None
    except StoreError as error:
        if error.rule == "version":
            raise
        raise Damaged from None
    group = (record.profile, record.issuer, record.client_id)
    if group != (place.profile, place.issuer, place.client_id) or account_name(record.account) != place.account:
        raise Damaged
    return record


def _associated_data(header: bytes, place: Place) -> bytes:
    # JSON, since joined text could be cut in two ways.
    parts = [header.hex(), place.issuer, place.client_id, place.profile, place.account]
    return json.dumps(parts).encode("ascii")
