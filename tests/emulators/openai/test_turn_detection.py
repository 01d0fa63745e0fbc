"""Where turns begin and end in the audio."""

from pathlib import Path
from typing import Any

import pytest

from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.openai.turn_detection import turn_detector
from crossfade.emulators.turn_detection import (
    TurnBegan,
    TurnDetector,
    TurnEnded,
    energy_scorer,
    silero_scorer,
)
from tests.emulators.openai.wire_client import loudness_scorer, quiet, tone

SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": False,
}
SPEECH = sorted((Path(__file__).parents[3] / "examples" / "audio").glob("*.wav"))


def detector(origin_ms: int = 0, **settings: Any) -> TurnDetector:
    return turn_detector({**SERVER_VAD, **settings}, origin_ms, loudness_scorer())


def test_turns_are_placed_by_the_audio_of_the_session() -> None:
    found = detector(origin_ms=10_000).hear(quiet(1000) + tone(500) + quiet(500))
    began, ended = found
    assert isinstance(began, TurnBegan)
    assert began.start_ms == pytest.approx(10_700, abs=40)
    assert isinstance(ended, TurnEnded)
    assert ended.end_ms == pytest.approx(11_700, abs=64)


def test_padding_does_not_reach_before_the_session() -> None:
    assert detector().hear(tone(500)) == [TurnBegan(start_ms=0)]


def test_a_click_is_no_speech() -> None:
    assert detector().hear(quiet(500) + tone(10) + quiet(500)) == []


@pytest.mark.parametrize(("eagerness", "turns"), [("high", 2), ("medium", 1), ("low", 0)])
def test_an_eager_detector_ends_turns_sooner(eagerness: str, turns: int) -> None:
    semantic = {
        "type": "semantic_vad",
        "eagerness": eagerness,
        "create_response": True,
        "interrupt_response": True,
    }
    hearing = turn_detector(semantic, 0, loudness_scorer())
    found = hearing.hear(tone(500) + quiet(600) + tone(500) + quiet(1200))
    assert len([turn for turn in found if isinstance(turn, TurnEnded)]) == turns


@pytest.mark.parametrize("path", SPEECH, ids=lambda path: path.stem)
def test_silero_hears_speech_begin_within_150_ms(path: Path) -> None:
    sound = read_sound(path)
    hearing = turn_detector(SERVER_VAD, 0, silero_scorer())
    pcm = quiet(1000) + resample(sound.pcm, sound.rate_hz, 24_000)
    for heard_ms in range(0, 2000, 10):
        if hearing.hear(pcm[heard_ms * 48 : (heard_ms + 10) * 48]):
            # The recordings begin within 30 ms.
            assert heard_ms + 10 - 1000 <= 150 + 30
            return
    pytest.fail("no speech was heard")


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 24000, 48000])
def test_energy_finds_the_same_turns_at_every_rate(rate_hz: int) -> None:
    sound = resample(quiet(1000) + tone(500) + quiet(500), 24_000, rate_hz)
    hearing = turn_detector(SERVER_VAD, 0, energy_scorer(), rate_hz=rate_hz)
    found = [
        turn
        for at in range(0, len(sound), rate_hz // 25)
        for turn in hearing.hear(sound[at : at + rate_hz // 25])
    ]
    assert found == [TurnBegan(start_ms=660), TurnEnded(end_ms=1728)]
