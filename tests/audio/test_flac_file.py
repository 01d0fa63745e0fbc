import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from crossfade.audio.flac_file import FlacWriter
from crossfade.errors import SettingsError, SoundError

RATE_HZ = 24_000
KILLED = """
import os, sys
import numpy as np
from crossfade.audio.flac_file import FlacWriter
file = FlacWriter(sys.argv[1], 24000, channels=2)
for n in range(20):
    file.write(np.full((2400, 2), n, "<i2").tobytes())
    file.flush()
os.kill(os.getpid(), 9)
"""


def ramp(frames: int) -> bytes:
    return np.arange(frames * 2, dtype="<i2").tobytes()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    file = FlacWriter(path, RATE_HZ, channels=2)
    file.write(ramp(5000))
    file.write(b"")
    file.flush()
    file.write(ramp(100))
    file.close()
    file.close()
    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == RATE_HZ
    assert samples.astype("<i2").tobytes() == ramp(5000) + ramp(100)


def test_a_killed_process_leaves_what_was_encoded(tmp_path: Path) -> None:
    from crossfade.observability.turns import stereo_blocks

    path = tmp_path / "a.flac"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    blocks = [frames for frames, _ in stereo_blocks(path, block_s=0.1)]
    assert [int(frames[0, 0]) for frames in blocks] == list(range(len(blocks)))
    # The encoder keeps 4096 frames.
    assert len(blocks) >= 18
    samples, _ = soundfile.read(path, dtype="int16")
    assert len(samples) == 20 * 2400 // 4096 * 4096
    assert (samples[:, 0] == np.arange(len(samples)) // 2400).all()


def test_half_a_frame_and_a_place_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        FlacWriter(tmp_path / "missing" / "a.flac", RATE_HZ)
    file = FlacWriter(tmp_path / "a.flac", RATE_HZ, channels=2)
    with pytest.raises(SoundError, match="no whole frames"):
        file.write(b"12")
    file.close()
