"""Other people's implementations of the same, and whether they are installed here."""

from importlib.util import find_spec

_MODULES = {
    "pipecat": "pipecat.services.openai.realtime",
    "livekit": "livekit.plugins.openai",
    "google-genai": "google.genai",
    "uvloop": "uvloop",
}


def installed(peer: str) -> bool:
    """Whether it can be measured here."""
    try:
        return find_spec(_MODULES[peer]) is not None
    except ImportError:
        return False


__all__ = ["installed"]
