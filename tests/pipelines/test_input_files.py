"""Any sound file plays into a call, whatever its rate, its channels and its format."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from crossfade.audio.pcm import to_float
from crossfade.audio.resample import resample
from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.scripted_call import one_line
from crossfade.transports.script import AfterSilence
from tests.clock import run

from .calls import make_call

SPOKEN = demo_line("greeting", AfterSilence(after_s=0)).sound


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels"),
    [("six.wav", 37_800, 6), ("stereo.flac", 11_025, 2), ("mono.ogg", 44_100, 1)],
)
def test_a_file_is_spoken_at_its_own_pace(
    tmp_path: Path, name: str, rate_hz: int, channels: int
) -> None:
    mono = to_float(resample(SPOKEN.pcm, SPOKEN.rate_hz, rate_hz))
    path = tmp_path / name
    soundfile.write(path, np.stack([mono] * channels, axis=1), rate_hz)
    made = run(make_call(tmp_path / "call", one_line(path)))
    heard = from_recording(made.recording).caller
    length_ms = 1000 * (heard[-1].end_s - heard[0].start_s)
    assert length_ms == pytest.approx(SPOKEN.duration_ms, abs=200)
