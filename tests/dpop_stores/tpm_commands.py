"""Commands that only tests give to a TPM: to own it, to make a key persistent, to try to take one out."""

import struct
import time
from pathlib import Path
from typing import Self

from oidcclient_dpop.stores.tpm2 import constants as c
from oidcclient_dpop.stores.tpm2.blob import WrappedKey
from oidcclient_dpop.stores.tpm2.commands import Tpm
from oidcclient_dpop.stores.tpm2.marshal import sized
from oidcclient_dpop.stores.tpm2.transport import open_socket

# TPM_CC
CC_EVICT_CONTROL = 0x120
CC_HIERARCHY_CHANGE_AUTH = 0x129


class Owner:
    """Somebody who does to a simulator what an administrator or an attacker does to a chip."""

    def __init__(self, path: Path) -> None:
        deadline = time.monotonic() + 10
        self.tpm = Tpm(open_socket(str(path), deadline), deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tpm.channel.close()

    def set_up_storage_root(self) -> None:
        with self.tpm.parent(c.RH_OWNER) as handle:
            self._evict(handle)

    def remove_storage_root(self) -> None:
        self._evict(c.SRK_HANDLE)

    def _evict(self, handle: int) -> None:
        self.tpm.command(
            CC_EVICT_CONTROL, [c.RH_OWNER, handle], authorised=True, parameters=struct.pack(">I", c.SRK_HANDLE)
        )

    def take_ownership(self, password: bytes) -> None:
        self.tpm.command(CC_HIERARCHY_CHANGE_AUTH, [c.RH_OWNER], authorised=True, parameters=sized(password))

    def duplicate(self, key: WrappedKey) -> None:
        handle = self.tpm.load(key)
        self.tpm.command(
            c.CC_DUPLICATE,
            [handle, c.RH_NULL],
            authorised=True,
            parameters=sized(b"") + struct.pack(">H", c.ALG_NULL),
        )

    def leave_loaded(self, key: WrappedKey, count: int) -> None:
        for _ in range(count):
            self.tpm.load(key)
