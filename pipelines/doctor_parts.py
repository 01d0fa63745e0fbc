"""Examines what is installed: packages, codecs, models, offline speech."""

import io
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

import numpy as np

from .doctor_finding import Finding, bad, note, ok

_VERSIONS = ((3, 11), (3, 14))
_NEEDED = ("pipecat-ai", "websockets", "numpy", "onnxruntime", "pydantic", "orjson", "soundfile")
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "offline": (("espeakng_loader", "pocketsphinx"), "offline recogniser and synthesiser"),
    "gemini": (("google.genai",), "checks of Gemini's set-up, ephemeral tokens"),
    "moshi": (("sphn",), "Moshi"),
    "mcp": (("mcp",), "tools of MCP servers"),
    "emulators": (("cryptography",), "TLS of the emulators"),
    "store": (("sqlalchemy", "aiosqlite", "alembic"), "the store of calls"),
    "postgres": (("asyncpg",), "the store in PostgreSQL"),
    "serve": (("starlette", "uvicorn"), "the server's pages"),
    "webrtc": (("aiortc", "pipecat_ai_prebuilt"), "browsers by WebRTC"),
    "livekit": (("livekit.rtc",), "rooms of LiveKit"),
    "daily": (("daily",), "rooms of Daily"),
    "telemetry": (("opentelemetry.sdk",), "traces and metrics"),
    "prometheus": (("opentelemetry.exporter.prometheus",), "metrics for Prometheus"),
}
"""Extra → the modules that it brings, and what for."""


def python() -> Iterator[Finding]:
    """A version that Crossfade was resolved for."""
    told = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    least, below = _VERSIONS
    if least <= sys.version_info[:2] < below:
        yield ok("python", told)
    else:
        cure = f"use {'.'.join(map(str, least))} or later, below {'.'.join(map(str, below))}"
        yield bad("python", told, cure)


def packages() -> Iterator[Finding]:
    """What every call needs, with its version."""
    missing = []
    for name in ("crossfade", *_NEEDED):
        try:
            yield ok(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            missing.append(name)
    for name in missing:
        yield bad(name, "is not installed", "pip install crossfade")


def extras() -> Iterator[Finding]:
    """What some calls need."""
    for extra, (modules, purpose) in EXTRAS.items():
        missing = [module for module in modules if not _there(module)]
        if missing:
            told = f"{', '.join(missing)} missing: {purpose}"
            yield note(f"extra {extra}", told, f"pip install 'crossfade[{extra}]', if you need it")
        else:
            yield ok(f"extra {extra}", "installed")


def codecs() -> Iterator[Finding]:
    """Sound files can be written and read in each form."""
    import soundfile

    samples = np.zeros(2400, dtype=np.int16)
    for name, container, subtype in (
        ("WAV", "WAV", "PCM_16"),
        ("FLAC", "FLAC", "PCM_16"),
        ("Opus", "OGG", "OPUS"),
    ):
        try:
            memory = io.BytesIO()
            soundfile.write(memory, samples, 24_000, format=container, subtype=subtype)
            memory.seek(0)
            soundfile.read(memory)
        except (soundfile.SoundFileError, ValueError, TypeError) as error:
            cure = "pip install -U soundfile: its wheel brings libsndfile"
            yield bad(f"codec {name}", str(error), cure)
        else:
            yield ok(f"codec {name}", f"by libsndfile {soundfile.__libsndfile_version__}")


def models() -> Iterator[Finding]:
    """The speech model can be loaded, and tells silence from speech."""
    from crossfade.audio.silero import SileroStream, model_path, shared_model
    from crossfade.audio.vad import WINDOW_SAMPLES
    from crossfade.errors import CrossfadeError

    try:
        score = SileroStream(shared_model()).score(np.zeros(WINDOW_SAMPLES, dtype=np.float32))
    except CrossfadeError as error:
        yield bad("model Silero", str(error), "pip install -U pipecat-ai, which brings it")
        return
    if score < 0.5:
        yield ok("model Silero", f"hears no speech in silence ({model_path().name})")
    else:
        cure = "reinstall pipecat-ai and onnxruntime"
        yield bad("model Silero", f"takes silence for speech ({score:.2f})", cure)


def offline_speech() -> Iterator[Finding]:
    """What the emulators and the embedded cascade understand and speak with."""
    from crossfade.offline.recogniser import recogniser_available
    from crossfade.offline.synthesiser import synthesiser_available

    for what, reason in (
        ("recogniser", recogniser_available()),
        ("synthesiser", synthesiser_available()),
    ):
        if reason is None:
            yield ok(what, "installed")
        else:
            yield note(what, reason.partition(";")[0], reason.partition("; ")[2])


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


__all__ = ["EXTRAS", "codecs", "extras", "models", "offline_speech", "packages", "python"]
