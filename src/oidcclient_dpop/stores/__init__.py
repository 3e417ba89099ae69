"""
Where keys are kept, and which store to take.

Importing this loads no store; each is loaded when it is used.
"""

from __future__ import annotations

from .registry import NewKey, choose, create_best, default_stores, open_store, schemes

__all__ = ["NewKey", "choose", "create_best", "default_stores", "open_store", "schemes"]
