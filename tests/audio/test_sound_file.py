import os
import wave
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from crossfade.audio.energy import sound_spans
from crossfade.audio.pcm import to_float, to_pcm
from crossfade.audio.sound_file import WavWriter, read_sound
from crossfade.errors import CallerError, SettingsError, SoundError

RATE_HZ = 16000


def tone(seconds: float = 0.1, level: float = 0.5, rate_hz: int = RATE_HZ) -> bytes:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return to_pcm(level * np.sin(2 * np.pi * 440 * time_s))


def write(path: Path, pcm: bytes, rate_hz: int = RATE_HZ) -> Path:
    with WavWriter(path, rate_hz) as file:
        file.write(pcm)
    return path


def test_what_is_written_is_read_bit_by_bit(tmp_path: Path) -> None:
    sound = read_sound(write(tmp_path / "tone.wav", tone()))
    assert sound.pcm == tone()
    assert sound.rate_hz == RATE_HZ
    assert sound.duration_ms == 100


@pytest.mark.parametrize(("name", "subtype"), [("a.flac", "PCM_24"), ("a.ogg", "VORBIS")])
def test_other_formats_are_read_at_their_own_rate(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / name
    soundfile.write(path, to_float(tone(rate_hz=44100)), 44100, subtype=subtype)
    sound = read_sound(path)
    assert sound.rate_hz == 44100
    assert sound.duration_ms == pytest.approx(100, abs=1)


def test_channels_are_mixed_down(tmp_path: Path) -> None:
    left = to_float(tone())
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, 0 * left], axis=1), RATE_HZ)
    mixed = to_float(read_sound(tmp_path / "stereo.wav").pcm)
    assert np.abs(mixed - left / 2).max() <= 1 / 32768


def test_channels_that_cancel_each_other_out_are_not_mixed(tmp_path: Path) -> None:
    left = to_float(tone())
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, -left], axis=1), RATE_HZ)
    assert np.abs(to_float(read_sound(tmp_path / "stereo.wav").pcm)).max() > 0.4


def test_float_samples_beyond_full_scale_are_turned_down_whole(tmp_path: Path) -> None:
    loud = 8 * to_float(tone())
    soundfile.write(tmp_path / "loud.wav", loud, RATE_HZ, subtype="FLOAT")
    samples = to_float(read_sound(tmp_path / "loud.wav").pcm)
    assert np.abs(samples - loud / np.abs(loud).max()).max() < 1e-3


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    samples = to_float(tone())
    samples[7] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE_HZ, subtype="FLOAT")
    assert_refused(tmp_path / "nan.wav", SoundError, "no numbers")


def assert_refused(path: Path, kind: type[CallerError], problem: str) -> None:
    with pytest.raises(kind, match=problem) as caught:
        read_sound(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "; " in str(caught.value), "the cure is missing"
    assert "\n" not in str(caught.value)


def test_what_is_no_usable_sound_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "nothing.wav").touch()
    (tmp_path / "raw.raw").write_bytes(bytes(100))
    assert_refused(tmp_path / "absent.wav", SettingsError, "no such file")
    assert_refused(tmp_path, SettingsError, "is a folder")
    assert_refused(tmp_path / "text.wav", SettingsError, "cannot be read as sound")
    assert_refused(tmp_path / "nothing.wav", SettingsError, "cannot be read as sound")
    assert_refused(tmp_path / "raw.raw", SettingsError, "cannot be read as sound")
    assert_refused(write(tmp_path / "empty.wav", b""), SoundError, "no samples")


def test_silence_is_refused_and_faint_sound_is_not(tmp_path: Path) -> None:
    assert_refused(write(tmp_path / "silent.wav", bytes(3200)), SoundError, "is silent")
    faint = tone(1.0, level=0.0012)
    assert_refused(write(tmp_path / "too_faint.wav", faint), SoundError, "-60 dBFS")
    assert read_sound(write(tmp_path / "click.wav", bytes(32000) + tone(0.02))).duration_ms > 1000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "secret.wav", tone())
    path.chmod(0)
    assert_refused(path, SettingsError, "read")


def test_the_file_is_playable_after_every_flush(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    file = WavWriter(path, 24000, channels=2)
    for second in range(1, 4):
        with wave.open(str(path)) as so_far:
            assert so_far.getnframes() == (second - 1) * 24000
        file.write(tone(2, rate_hz=24000))
        file.flush()
    file.write(tone(0.5, rate_hz=24000))
    with wave.open(str(path)) as killed_here:
        assert killed_here.getnframes() == 3 * 24000
        assert killed_here.getnchannels() == 2
        assert killed_here.getframerate() == 24000
    file.close()
    file.close()
    with wave.open(str(path)) as closed:
        assert closed.getnframes() == 3.25 * 24000


class HalfHearted:
    """A file that takes little at a time, and after a while nothing."""

    def __init__(self, file: FileIO, most_bytes: int) -> None:
        self._file = file
        self._left_bytes = most_bytes

    def write(self, pcm: bytes) -> int:
        if not self._left_bytes:
            raise OSError(28, "No space left on device")
        taken = self._file.write(pcm[: min(50_000, self._left_bytes)])
        self._left_bytes -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_what_a_disk_takes_piece_by_piece_is_whole_and_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pcm = rng.integers(-9000, 9000, 300_000).astype("<i2").tobytes()
    path = tmp_path / "slow.wav"
    with WavWriter(path, 8000) as wav:
        wav._file = HalfHearted(wav._file, 10**7)  # type: ignore[assignment]
        for start in range(0, len(pcm), 200_000):
            wav.write(pcm[start : start + 200_000])
    assert read_sound(path).pcm == pcm


def test_of_a_large_piece_that_fails_nothing_is_told_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "full.wav"
    wav = WavWriter(path, 8000)
    wav.write(bytes(1000))
    wav.flush()
    wav._file = HalfHearted(wav._file, 120_000)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space"):
        wav.write(bytes(200_000))
    with pytest.raises(OSError, match="No space"):
        wav.close()
    assert soundfile.info(path).frames == 500


def test_incomplete_frames_are_not_written(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", 24000, channels=2) as file, pytest.raises(SoundError):
        file.write(bytes(6))


def test_a_file_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "a.wav"
    with pytest.raises(SettingsError, match=str(path)):
        WavWriter(path, 24000)


def test_the_example_utterances_are_tight() -> None:
    paths = sorted((Path(__file__).parents[2] / "examples" / "audio").glob("*.wav"))
    assert [path.stem for path in paths] == ["enough", "goodbye", "greeting", "weather_tokyo"]
    for path in paths:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        sound = read_sound(path)
        spans = sound_spans(sound.pcm, sound.rate_hz)
        assert spans[0][0] <= 30
        assert 60 <= sound.duration_ms - spans[-1][1] <= 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_wav_file_on_a_full_disk_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="No space left"):
        WavWriter("/dev/full", 24_000)
