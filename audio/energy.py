"""How loud sound is, and where in a recording there is any."""

import numpy as np

from .pcm import SAMPLE_BYTES, to_float

FLOOR_DBFS = -120.0
_FRAME_MS = 10


def rms_dbfs(pcm: bytes) -> float:
    """Root mean square level against full scale; `FLOOR_DBFS` for silence and for no samples."""
    samples = to_float(pcm)
    if not samples.size:
        return FLOOR_DBFS
    power = float(np.dot(samples, samples)) / samples.size
    return max(FLOOR_DBFS, 10 * float(np.log10(power))) if power > 0 else FLOOR_DBFS


def sound_spans(
    pcm: bytes, rate_hz: int, threshold_dbfs: float = -45.0, join_ms: float = 200.0
) -> list[tuple[float, float]]:
    """Stretches of sound, as (start_ms, end_ms), judged in frames of 10 ms.

    Args:
        pcm: Mono sound.
        rate_hz: Its sample rate.
        threshold_dbfs: A frame at or above this level is sound.
        join_ms: Gaps of up to this length do not end a stretch.
    """
    # At some rates a frame is no whole number of samples.
    frames = -(-len(pcm) // SAMPLE_BYTES * 1000 // (rate_hz * _FRAME_MS))
    spans: list[tuple[float, float]] = []
    for index in range(frames):
        start, end = (at * rate_hz * _FRAME_MS // 1000 for at in (index, index + 1))
        if rms_dbfs(pcm[start * SAMPLE_BYTES : end * SAMPLE_BYTES]) < threshold_dbfs:
            continue
        start_ms = float(index * _FRAME_MS)
        if spans and start_ms - spans[-1][1] <= join_ms:
            start_ms = spans.pop()[0]
        spans.append((start_ms, float((index + 1) * _FRAME_MS)))
    return spans


def first_sound_ms(pcm: bytes, rate_hz: int, threshold_dbfs: float = -45.0) -> float | None:
    """Where the first frame of sound begins, None if the recording is silent."""
    spans = sound_spans(pcm, rate_hz, threshold_dbfs)
    return spans[0][0] if spans else None
