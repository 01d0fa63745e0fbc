"""Moshi on loopback."""

from .behaviour import Server
from .server import MoshiEmulator
from .session import Session
from .timing import Pace, Timing

__all__ = ["MoshiEmulator", "Pace", "Server", "Session", "Timing"]
