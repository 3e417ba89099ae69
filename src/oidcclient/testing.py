"""For those who write a store of their own: the promises of `oidcclient.Store`, as tests to run against it."""

from __future__ import annotations

from ._shell.store.contract import StoreContract
from ._shell.store.contract_parts import example_record

__all__ = ["StoreContract", "example_record"]
