"""Each turn of a call as a sound file of its own, cut from the recording."""

from pathlib import Path

import soundfile

from crossfade.errors import SettingsError

from .run import Run

CUTS = "turns"
MARGIN_S = 0.1
_CHANNELS = {"user": (0, "caller"), "agent": (1, "agent")}


def cut_turns(run: Run) -> list[Path]:
    """Write turns/001-caller.wav and so on: mono, the speaker's side alone, a little before and
    after included. What did not sound has no file, and its number is left out.

    Raises:
        SettingsError: There is no recording or no transcript, or a file cannot be written.
    """
    if run.recording is None or run.transcript is None:
        raise SettingsError(
            f"{run.folder}: turns are cut from a recording by a transcript, and one is missing; "
            "let the call come to its end, and make it without --no-content"
        )
    folder = run.folder / CUTS
    written = []
    try:
        folder.mkdir(exist_ok=True)
        with soundfile.SoundFile(run.recording) as recording:
            for number, turn in enumerate(run.transcript.get("turns") or (), 1):
                if turn.get("role") in _CHANNELS and "sound_start_s" in turn:
                    channel, who = _CHANNELS[turn["role"]]
                    path = folder / f"{number:03}-{who}.wav"
                    span = (turn["sound_start_s"], turn["sound_end_s"])
                    _cut(recording, path, channel, *span)
                    written.append(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise SettingsError(
            f"{folder}: turns cannot be cut ({error}); make room, or copy the call's folder to "
            "where you may write"
        ) from error
    return written


def _cut(
    recording: soundfile.SoundFile, path: Path, channel: int, start_s: float, end_s: float
) -> None:
    rate_hz = recording.samplerate
    start = max(0, round((start_s - MARGIN_S) * rate_hz))
    recording.seek(min(start, recording.frames))
    frames = recording.read(
        round((end_s + MARGIN_S) * rate_hz) - start, dtype="int16", always_2d=True
    )
    try:
        soundfile.write(path, frames[:, channel], rate_hz, subtype="PCM_16")
    except soundfile.SoundFileError:
        path.unlink(missing_ok=True)
        raise


__all__ = ["CUTS", "cut_turns"]
