"""OpenAI Realtime (GA wire) on loopback."""

from .behaviour import Behaviour
from .server import OpenAIEmulator
from .session import Session
from .timing import Timing

__all__ = ["Behaviour", "OpenAIEmulator", "Session", "Timing"]
