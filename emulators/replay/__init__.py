"""Recorded sessions, played back: the service's side is sent, the client's side is checked."""

from .recording import Recording, load_recording
from .server import ReplayEmulator

__all__ = ["Recording", "ReplayEmulator", "load_recording"]
