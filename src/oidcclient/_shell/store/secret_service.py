"""
The shortest way to a secret that is there and unlocked: the Secret Service itself, without `keyring` in between.

`keyring` costs a whole process more to load than all else that a cached token needs. What it stored is found under the
attributes that it gave it; the secret comes encrypted over the bus, as with `keyring`. Whatever is out of the ordinary,
such as a prompt to unlock, is left to `keyring`.
"""

from __future__ import annotations

from contextlib import closing

__all__ = ["secret_at_once"]

DEFAULT_COLLECTION = "/org/freedesktop/secrets/aliases/default"  # the one that keyring writes to


def secret_at_once(service: str, name: str) -> str | None:
    """
    Return a secret, or None where it cannot be had at once: it is not there, or locked, or there is no Secret Service.

    Args:
        service: The service it was stored for, as `keyring` calls it.
        name: The name it was stored under.
    """
    try:
        import secretstorage  # noqa: PLC0415 - Linux alone has it

        with closing(secretstorage.dbus_init()) as bus:
            collection = secretstorage.Collection(bus, DEFAULT_COLLECTION)
            for item in collection.search_items({"service": service, "username": name}):
                return item.get_secret().decode("utf-8")
    except Exception:  # noqa: BLE001, S110 - it and its D-Bus library let out errors of many kinds; keyring tells them apart
        pass
    return None
