import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.audio import silero
from crossfade.audio.pcm import to_float
from crossfade.audio.silero import (
    CONTEXT_SAMPLES,
    Floats,
    SileroBank,
    SileroModel,
    SileroStream,
    model_path,
    shared_model,
)
from crossfade.audio.sound_file import read_sound
from crossfade.audio.vad import WINDOW_SAMPLES
from crossfade.errors import SettingsError

WEATHER = Path(__file__).parents[2] / "examples" / "audio" / "weather_tokyo.wav"


def windows_of(sound: Floats) -> Floats:
    return sound[: sound.size - sound.size % WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)


def weather_windows() -> Floats:
    return windows_of(to_float(read_sound(WEATHER).pcm))


def test_speech_scores_high_and_silence_low() -> None:
    stream = SileroStream(shared_model())
    silence = [stream.score(window) for window in np.zeros((30, WINDOW_SAMPLES), np.float32)]
    speech = [stream.score(window) for window in weather_windows()]
    assert max(silence) < 0.1
    assert np.median(speech) > 0.9


def test_a_batch_scores_as_each_stream_alone() -> None:
    model = shared_model()
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((20, WINDOW_SAMPLES)).astype(np.float32) * 0.1
    inputs = [weather_windows()[:20], noise, weather_windows()[5:25]]
    streams = [SileroStream(model) for _ in inputs]
    alone = [
        [stream.score(window) for window in each]
        for stream, each in zip(streams, inputs, strict=True)
    ]
    contexts = np.zeros((3, CONTEXT_SAMPLES), np.float32)
    states = np.zeros((2, 3, 128), np.float32)
    for at, windows in enumerate(np.stack(inputs, axis=1)):
        scores, states = model.score_batch(windows, contexts, states)
        contexts = windows[:, -CONTEXT_SAMPLES:]
        assert scores.tolist() == [each[at] for each in alone]


def test_the_state_is_cleared_only_amid_clear_silence() -> None:
    class Scripted(SileroModel):
        """Gives the next score, and a state that counts the windows since it was zero."""

        def __init__(self, scores: list[float]) -> None:
            self.scores = scores
            self.states: list[float] = []

        def score_batch(
            self, windows: Floats, contexts: Floats, states: Floats
        ) -> tuple[Floats, Floats]:
            self.states.append(float(states[0, 0, 0]))
            return np.array([self.scores.pop(0)], np.float32), states + 1

    model = Scripted([0.9] * 70 + [0.01] * 4 + [0.9] + [0.01] * 10)
    stream = SileroStream(model)
    for window in np.zeros((85, WINDOW_SAMPLES), np.float32):
        stream.score(window)
    # Speech lasted longer than the interval; the first five clear windows in a row end at 80.
    assert [at for at, count in enumerate(model.states) if count == 0] == [0, 80]


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_bank_scores_any_interleaving_as_each_stream_alone(data: st.DataObject) -> None:
    """Streams join, are heard in any company, leave, and give their place to others."""
    model = shared_model()
    bank = SileroBank(model)
    heard = weather_windows()
    alone: dict[int, SileroStream] = {}
    place: dict[int, int] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        if data.draw(st.integers(0, 3)) == 0:
            number = bank.join()
            alone[number] = SileroStream(model)
            place[number] = data.draw(st.integers(0, 20))
        if alone and data.draw(st.integers(0, 5)) == 0:
            gone = data.draw(st.sampled_from(sorted(alone)))
            bank.leave(gone)
            del alone[gone]
        assert bank.streams == len(alone)
        numbers = [number for number in alone if data.draw(st.booleans())]
        if numbers:
            windows = np.stack([heard[place[number] % len(heard)] for number in numbers])
            scores = bank.score(numbers, windows)
            expected = [alone[n].score(w) for n, w in zip(numbers, windows, strict=True)]
            assert scores.tolist() == expected
        for number in numbers:
            place[number] += 1


def test_a_stream_that_joins_knows_nothing_of_the_one_before_it() -> None:
    bank = SileroBank(shared_model())
    first = bank.join()
    for window in weather_windows()[:10]:
        bank.score([first], window[np.newaxis])
    bank.leave(first)
    second = bank.join()
    assert second == first
    window = weather_windows()[20]
    alone = SileroStream(shared_model()).score(window)
    assert bank.score([second], window[np.newaxis])[0] == alone


def test_each_stream_of_the_bank_has_its_own_reset() -> None:
    """Silence of two seconds clears one stream's state, while the other speaks."""
    speech = weather_windows()
    bank = SileroBank(shared_model())
    numbers = [bank.join(), bank.join()]
    alone = [SileroStream(shared_model()) for _ in numbers]
    for at in range(70):
        windows = np.stack([np.zeros(WINDOW_SAMPLES, np.float32), speech[at % len(speech)]])
        together = bank.score(numbers, windows).tolist()
        assert together == [one.score(w) for one, w in zip(alone, windows, strict=True)]


def test_a_further_stream_costs_little_memory() -> None:
    bank = SileroBank(shared_model())
    for _ in range(64):
        bank.join()
    kept = [value for value in vars(bank).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in kept) <= 64 * 2048


def test_there_is_one_model_in_a_process() -> None:
    assert shared_model() is shared_model()


def test_the_package_silero_vad_is_preferred(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def spec_of(package: str) -> ModuleSpec | None:
        if package != "silero_vad":
            return find_spec(package)
        spec = ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path)]
        return spec

    monkeypatch.setattr(silero, "find_spec", spec_of)
    assert model_path().is_file()
    assert tmp_path not in model_path().parents
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silero_vad.onnx").touch()
    assert model_path() == tmp_path / "data" / "silero_vad.onnx"


def test_without_a_model_file_the_error_names_the_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(silero, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="pipecat-ai"):
        SileroModel()


@pytest.mark.realtime
def test_pipecat_is_not_imported() -> None:
    program = (
        "import sys; from crossfade.audio.silero import shared_model; shared_model();"
        "sys.exit('pipecat' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
