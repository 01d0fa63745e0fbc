"""OpenAI Realtime (GA wire) on loopback."""

from .server import OpenAIEmulator
from .session import Session
from .timing import Timing

__all__ = ["OpenAIEmulator", "Session", "Timing"]
