"""Gemini Live (BidiGenerateContent) on loopback."""

from .faults import OWN_FAULTS
from .server import GeminiEmulator
from .session import Session
from .timing import Timing

__all__ = ["OWN_FAULTS", "GeminiEmulator", "Session", "Timing"]
