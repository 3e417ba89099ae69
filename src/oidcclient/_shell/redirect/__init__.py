"""How an authorization response is received: a listener on loopback, or what a person pastes."""

from .limits import Limits
from .listener import LoopbackReceiver
from .pasting import AskedProgram, CodeWanted, PastingReceiver, UnheardReceiver

__all__ = ["AskedProgram", "CodeWanted", "Limits", "LoopbackReceiver", "PastingReceiver", "UnheardReceiver"]
