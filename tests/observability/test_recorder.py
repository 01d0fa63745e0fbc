import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from crossfade.errors import SettingsError
from crossfade.observability import recorder
from crossfade.observability.call_sound import CallSound
from crossfade.observability.recorder import Recorder
from crossfade.observability.timeline import LATE_S, Side

RATE_HZ = 24_000
FRAME_S = 0.02


def tone(seconds: float, rate_hz: int, hz: float = 400) -> bytes:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * hz * times)).astype("<i2").tobytes()


def sounding(channel: NDArray[np.int16]) -> tuple[float, float]:
    loud = np.flatnonzero(np.abs(channel) > 500)
    return loud[0] / RATE_HZ, loud[-1] / RATE_HZ


def test_the_caller_is_left_and_the_agent_right_each_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    record = Recorder(path, RATE_HZ)
    sound = CallSound(record.take)
    for frame in range(50):
        sound.add(Side.CALLER, tone(0.02, 16_000), 16_000, frame * 0.02)
        if frame >= 25:
            sound.add(Side.AGENT, tone(0.02, RATE_HZ), RATE_HZ, frame * 0.02)
    sound.finish()
    record.close()
    frames, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    assert (rate_hz, soundfile.info(path).subtype) == (RATE_HZ, "PCM_16")
    assert len(frames) == RATE_HZ
    assert sounding(frames[:, 0]) == pytest.approx((0, 1), abs=0.003)
    assert sounding(frames[:, 1]) == pytest.approx((0.5, 1), abs=0.003)


def test_a_path_that_says_so_is_flac(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "recording.flac", RATE_HZ)
    CallSound(record.take).add(Side.CALLER, tone(1, RATE_HZ), RATE_HZ, 0.0)
    record.close()
    frames, _ = soundfile.read(tmp_path / "recording.flac", dtype="int16", always_2d=True)
    assert soundfile.info(tmp_path / "recording.flac").format == "FLAC"
    assert frames[:, 0].astype("<i2").tobytes() == tone(1, RATE_HZ)


def test_the_file_is_playable_while_the_call_runs(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    record = Recorder(path, RATE_HZ)
    written = threading.Event()
    write = record._write

    def write_and_tell(frames: bytes) -> None:
        write(frames)
        written.set()

    record._write = write_and_tell  # type: ignore[method-assign]
    sound = CallSound(record.take)
    sound.add(Side.CALLER, tone(2, RATE_HZ), RATE_HZ, 0.0)
    sound.add(Side.AGENT, tone(0.02, RATE_HZ), RATE_HZ, 1.5)
    assert written.wait(5)
    frames, _ = soundfile.read(path, dtype="int16", always_2d=True)
    assert len(frames) in (0, round((1.5 - LATE_S - 0.06) * RATE_HZ))
    record.close()


def test_what_finds_no_room_is_refused_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_QUEUE_BYTES", 1000)
    record = Recorder(tmp_path / "recording.wav", RATE_HZ)
    CallSound(record.take).add(Side.AGENT, tone(0.1, RATE_HZ), RATE_HZ, 0.0)
    record.close()
    assert record.dropped_ms == 100


def test_behind_what_found_no_room_all_lies_at_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recording.wav"
    record = Recorder(path, RATE_HZ)
    sound = CallSound(record.take, FRAME_S / 2)
    limit = recorder._QUEUE_BYTES
    for frame in range(100):
        full = 40 <= frame < 80
        monkeypatch.setattr(recorder, "_QUEUE_BYTES", 0 if full else limit)
        sound.add(Side.AGENT, tone(0.02, RATE_HZ), RATE_HZ, frame * FRAME_S)
    sound.finish()
    record.close()
    assert record.dropped_ms == pytest.approx(800, abs=1)
    frames, _ = soundfile.read(path, dtype="int16", always_2d=True)
    assert sounding(frames[:, 1]) == pytest.approx((0, 2), abs=0.003)


def test_a_closed_recorder_takes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    record = Recorder(path, RATE_HZ)
    record.close()
    record.close()
    CallSound(record.take).add(Side.CALLER, tone(1, RATE_HZ), RATE_HZ, 0.0)
    assert soundfile.info(path).frames == 0


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing/recording\.wav"):
        Recorder(tmp_path / "missing" / "recording.wav")


def test_a_disk_that_fails_is_told_and_disturbs_nothing(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "recording.wav", RATE_HZ)

    def fail(pcm: bytes) -> None:
        raise OSError(28, "No space left on device")

    record._file.write = fail  # type: ignore[method-assign]
    CallSound(record.take).add(Side.CALLER, tone(1, RATE_HZ), RATE_HZ, 0.0)
    record.close()
    assert isinstance(record.failure, OSError)
