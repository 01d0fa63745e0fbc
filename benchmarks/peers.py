"""Other people's implementations of the same, and whether they are installed here."""

from importlib.util import find_spec

_MODULES = {
    "pipecat": ("pipecat.services.openai.realtime",),
    "livekit": ("livekit.plugins.openai", "livekit.plugins.silero"),
    "google-genai": ("google.genai",),
    "uvloop": ("uvloop",),
}


def installed(peer: str) -> bool:
    """Whether it can be measured here."""
    try:
        return all(find_spec(module) is not None for module in _MODULES[peer])
    except ImportError:
        return False


__all__ = ["installed"]
