"""The emulators by name, loaded when they are wanted."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from .faults.script import Fault
from .server import Emulator

EMULATORS = {"openai": "OpenAIEmulator", "gemini": "GeminiEmulator", "moshi": "MoshiEmulator"}
"""The class of each wire's package."""


def emulator_class(wire: str) -> Callable[..., Emulator[Any]]:
    """The emulator of a wire."""
    found: Callable[..., Emulator[Any]] = getattr(_package(wire), EMULATORS[wire])
    return found


def timing_class(wire: str) -> type[Any]:
    """The speeds and delays of a wire's emulator."""
    found: type[Any] = _package(wire).Timing
    return found


def own_faults(wire: str) -> Sequence[type[Fault]]:
    """The faults that only this wire can have."""
    found: Sequence[type[Fault]] = importlib.import_module(
        f"{__package__}.{wire}.faults"
    ).OWN_FAULTS
    return found


def _package(wire: str) -> Any:
    return importlib.import_module(f"{__package__}.{wire}")
