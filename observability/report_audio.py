"""A recording as it goes into a page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import soundfile

from .turns import stereo_blocks

LOSSLESS_BYTES = 6_000_000
"""What is larger as FLAC is embedded as Ogg Vorbis, a quarter of its size and less."""

_COMPRESSION = 0.9
"""Of what there is: an hour of Vorbis takes 20 MB, and FLAC is packed as well as it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedAudio:
    """A sound file in a page."""

    media_type: str
    base64: str


def embedded_audio(path: Path) -> EmbeddedAudio:
    """Encode a stereo recording: without loss where it is short, else so that an hour fits.

    Raises:
        SettingsError: The file is missing, is no sound file, or is not stereo.
    """
    content, media_type = _encoded(path, "FLAC", "PCM_16", LOSSLESS_BYTES), "audio/flac"
    if content is None:
        content, media_type = _encoded(path, "OGG", "VORBIS", None), "audio/ogg"
    return EmbeddedAudio(media_type=media_type, base64=base64.b64encode(content or b"").decode())


def _encoded(path: Path, form: str, subtype: str, most_bytes: int | None) -> bytes | None:
    """The file in another format; None as soon as it is larger than it may be."""
    target = io.BytesIO()
    blocks = stereo_blocks(path, block_s=1.0)
    first = next(blocks, None)
    if first is None:
        return b""
    frames, rate_hz = first
    with soundfile.SoundFile(
        target, "w", rate_hz, 2, subtype, format=form, compression_level=_COMPRESSION
    ) as file:
        file.write(frames)
        for frames, _ in blocks:
            file.write(frames)
            if most_bytes is not None and target.tell() > most_bytes:
                return None
    return target.getvalue()


__all__ = ["EmbeddedAudio", "embedded_audio"]
