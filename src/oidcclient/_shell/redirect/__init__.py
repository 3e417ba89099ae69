"""The redirect listener on loopback."""

from .limits import Limits
from .listener import LoopbackReceiver

__all__ = ["Limits", "LoopbackReceiver"]
