"""Who answers behind an emulated wire: a script, or the offline speech of `crossfade.offline`."""

from .backend import (
    Backend,
    Call,
    Dialogue,
    Part,
    Prompt,
    Reply,
    Say,
    Told,
    Tool,
    ToolOutput,
    Trigger,
)
from .scripted import ScriptedBackend

__all__ = [
    "Backend",
    "Call",
    "Dialogue",
    "Part",
    "Prompt",
    "Reply",
    "Say",
    "ScriptedBackend",
    "Told",
    "Tool",
    "ToolOutput",
    "Trigger",
]
