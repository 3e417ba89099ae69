"""How an authorization response is received: a listener on loopback, or what a person pastes."""

from .limits import Limits
from .listener import LoopbackReceiver
from .pasting import AskedProgram, PastingReceiver, UnheardReceiver

__all__ = ["AskedProgram", "Limits", "LoopbackReceiver", "PastingReceiver", "UnheardReceiver"]
