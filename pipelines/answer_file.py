"""Writes the agent's side of a recording as a sound file of its own."""

from pathlib import Path

import soundfile

from crossfade.errors import SettingsError

_AGENT = 1
_BLOCK_FRAMES = 65536


def check_answer_file(path: Path) -> None:
    """Refuse a place where no sound file can be written, before the call is made.

    Raises:
        SettingsError: Naming the path and the cure.
    """
    if path.suffix.lower() != ".wav":
        raise SettingsError(f"--output writes a WAV file; name it *.wav instead of {path.name}")
    new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise SettingsError(
            f"cannot write {path} ({error.strerror}); name a file where you may write one"
        ) from error
    if new:
        path.unlink()


def write_answer_file(recording: Path, path: Path) -> None:
    """Copy the right channel of a stereo recording, the agent as played, to a mono WAV file.

    Raises:
        SettingsError: The file cannot be written.
    """
    try:
        with (
            soundfile.SoundFile(recording) as source,
            soundfile.SoundFile(path, "w", source.samplerate, 1, "PCM_16") as target,
        ):
            for block in source.blocks(_BLOCK_FRAMES, dtype="int16"):
                target.write(block[:, _AGENT])
    except (OSError, soundfile.SoundFileError) as error:
        raise SettingsError(f"cannot write {path}: {error}") from error
