from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crossfade.audio.energy import sound_spans
from crossfade.audio.pcm import silence, to_pcm
from crossfade.audio.resample import resample
from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.sound_file import read_sound
from crossfade.audio.vad import (
    QUIET_DBFS,
    RATE_HZ,
    WINDOW_MS,
    WINDOW_SAMPLES,
    SpeechBegan,
    SpeechConfirmed,
    SpeechDropped,
    SpeechEnded,
    SpeechEvent,
    VoiceDetector,
    energies,
    two_stage_detector,
)
from crossfade.errors import SoundError

HUMAN_SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
LOUD = to_pcm(np.tile((0.1, -0.1), WINDOW_SAMPLES // 2))


class Script:
    """Gives these scores, one a window."""

    def __init__(self, *scores: float) -> None:
        self._scores: Iterator[float] = iter(scores)

    def __call__(self, window: NDArray[np.float32]) -> float:
        assert window.shape == (WINDOW_SAMPLES,)
        return next(self._scores)


def events_of(*scores: float, pcm: bytes | None = None, stop_ms: float = 96) -> list[SpeechEvent]:
    detector = VoiceDetector(Script(*scores), stop_ms=stop_ms)
    return detector.feed(LOUD * len(scores) if pcm is None else pcm)


def test_speech_begins_after_three_windows_backdated_to_the_one_before_them() -> None:
    assert events_of(0, 0, 0.5, 0.9, 0.5) == [SpeechBegan(at_ms=32, decided_ms=160)]


def test_speech_at_the_very_start_begins_at_zero() -> None:
    assert events_of(1, 1, 1) == [SpeechBegan(at_ms=0, decided_ms=96)]


def test_two_windows_of_speech_are_not_enough() -> None:
    assert events_of(1, 1, 0, 1, 1, 0.49, 1, 1) == []


def test_speech_ends_where_the_last_window_of_it_ended() -> None:
    assert events_of(1, 1, 1, 1, 0, 0, 0)[1:] == [SpeechEnded(at_ms=128, decided_ms=224)]


def test_a_lower_score_suffices_to_stay_than_to_start() -> None:
    assert len(events_of(1, 1, 1, *[0.35] * 20)) == 1
    assert len(events_of(1, 1, 1, *[0.34] * 20)) == 2
    assert events_of(*[0.49] * 20) == []


def test_a_short_pause_does_not_end_speech() -> None:
    assert len(events_of(1, 1, 1, 0, 0, 1, 0, 0, 1)) == 1


def test_the_next_speech_does_not_begin_before_the_last_one_ended() -> None:
    began = events_of(1, 1, 1, 0, 1, 1, 1, stop_ms=32)[2]
    assert began == SpeechBegan(at_ms=96, decided_ms=224)


def test_a_window_under_the_gate_is_never_speech() -> None:
    quiet = to_pcm(np.tile((0.0009, -0.0009), WINDOW_SAMPLES // 2))
    assert events_of(*[1] * 10, pcm=quiet * 10) == []


def test_reset_starts_over() -> None:
    detector = VoiceDetector(Script(1, 1, 1, 1, 1, 1))
    assert len(detector.feed(LOUD * 3 + LOUD[:100])) == 1
    detector.reset()
    assert not detector.speaking
    assert detector.feed(LOUD * 3) == [SpeechBegan(at_ms=0, decided_ms=96)]


def test_an_odd_number_of_bytes_is_refused() -> None:
    with pytest.raises(SoundError):
        VoiceDetector(Script()).feed(bytes(3))


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60 * WINDOW_SAMPLES), max_size=20),
)
def test_events_alternate_in_time_and_do_not_depend_on_the_cutting(
    scores: list[float], cuts: list[int]
) -> None:
    pcm = LOUD * len(scores)
    places = sorted({0, *(min(2 * cut, len(pcm)) for cut in cuts), len(pcm)})
    detector = VoiceDetector(Script(*scores), stop_ms=96)
    events = [event for start, end in pairwise(places) for event in detector.feed(pcm[start:end])]
    assert events == events_of(*scores)
    times = [event.at_ms for event in events]
    assert times == sorted(times)
    assert all(
        isinstance(event, SpeechEnded if at % 2 else SpeechBegan) for at, event in enumerate(events)
    )
    assert all(0 <= event.decided_ms - event.at_ms <= 4 * WINDOW_MS for event in events)
    assert detector.speaking == bool(len(events) % 2)


def staged(*scores: float) -> list[SpeechEvent]:
    """Two stages: begins at once at 0.7, confirmed after two clear windows, dropped after two."""
    detector = VoiceDetector(
        Script(*scores), start_threshold=0.7, start_ms=32, stop_ms=96, confirm_ms=64, drop_ms=64
    )
    return detector.feed(LOUD * len(scores))


def test_speech_is_confirmed_once_there_is_enough_of_it() -> None:
    assert staged(0.9, 0.9, 0.9, 0.9) == [
        SpeechBegan(at_ms=0, decided_ms=32),
        SpeechConfirmed(at_ms=64, decided_ms=64),
    ]


def test_only_clear_windows_confirm_and_small_gaps_do_no_harm() -> None:
    assert staged(0.75, 0.75, 0.75, 0, 0.5, 0.8, 0, 0.8)[1:] == [
        SpeechConfirmed(at_ms=256, decided_ms=256)
    ]


def test_what_fades_before_it_is_confirmed_was_a_false_start() -> None:
    assert staged(0, 0, 0.9, 0.5, 0, 0, 0)[1:] == [SpeechDropped(at_ms=128, decided_ms=192)]


def test_clear_windows_of_a_false_start_do_not_count_for_the_next() -> None:
    events = staged(0.9, 0, 0, 0.9, 0, 0)
    assert [type(event) for event in events] == [SpeechBegan, SpeechDropped] * 2


def test_speech_that_is_confirmed_ends_later_than_a_false_start() -> None:
    assert staged(0.9, 0.9, 0, 0, 0.4, 0, 0, 0)[2:] == [SpeechEnded(at_ms=160, decided_ms=256)]


FOLLOWERS: dict[type[SpeechEvent] | None, set[type[SpeechEvent]]] = {
    None: {SpeechBegan},
    SpeechBegan: {SpeechConfirmed, SpeechDropped},
    SpeechConfirmed: {SpeechEnded},
    SpeechDropped: {SpeechBegan},
    SpeechEnded: {SpeechBegan},
}


@given(
    scores=st.lists(st.sampled_from([0.0, 0.34, 0.4, 0.75, 0.8, 1.0]), min_size=1, max_size=120),
    confirm_ms=st.integers(1, 320),
    drop_ms=st.integers(1, 320),
)
def test_two_stages_follow_one_another(scores: list[float], confirm_ms: int, drop_ms: int) -> None:
    detector = VoiceDetector(
        Script(*scores), start_threshold=0.7, start_ms=32, confirm_ms=confirm_ms, drop_ms=drop_ms
    )
    before: type[SpeechEvent] | None = None
    last_ms = 0.0
    for number in range(len(scores)):
        events = detector.feed(LOUD)
        assert len(events) <= 1
        for event in events:
            assert type(event) in FOLLOWERS[before]
            assert last_ms <= event.at_ms <= event.decided_ms == (number + 1) * WINDOW_MS
            before, last_ms = type(event), event.at_ms
        assert detector.speaking == (before in (SpeechBegan, SpeechConfirmed))


@given(scores=st.lists(st.floats(0, 1), min_size=1, max_size=100))
def test_the_second_stage_changes_no_beginning_while_all_is_confirmed_at_once(
    scores: list[float],
) -> None:
    plain = VoiceDetector(Script(*scores), stop_ms=96).feed(LOUD * len(scores))
    twice = VoiceDetector(
        Script(*scores), stop_ms=96, confirm_ms=32, confirm_threshold=0, drop_ms=10_000
    ).feed(LOUD * len(scores))
    assert plain[:1] == twice[:1]


def test_energy_is_the_same_in_any_company() -> None:
    windows = np.random.default_rng(5).standard_normal((40, WINDOW_SAMPLES)).astype(np.float32)
    together = energies(windows)
    assert together.tolist() == [energies(window[np.newaxis])[0] for window in windows]
    slow = np.polyval(np.polyfit(np.arange(WINDOW_SAMPLES), windows[0], 1), range(WINDOW_SAMPLES))
    assert together[0] == pytest.approx(np.square(windows[0] - slow).sum(), rel=1e-5)


def test_what_is_too_slow_to_be_heard_has_no_energy() -> None:
    times_s = np.arange(WINDOW_SAMPLES) / RATE_HZ
    tone = 0.1 * np.sin(2 * np.pi * 250 * times_s)
    drift = 0.3 + 0.2 * np.sin(2 * np.pi * 1.5 * times_s)
    both, alone = energies(np.stack((tone + drift, tone)).astype(np.float32))
    assert both == pytest.approx(alone, rel=1e-2)
    silence = energies(drift[np.newaxis].astype(np.float32))
    assert silence[0] < 10 ** (QUIET_DBFS / 10) * WINDOW_SAMPLES


def detect(pcm: bytes) -> list[SpeechEvent]:
    return VoiceDetector(SileroStream(shared_model()).score).feed(pcm)


@pytest.mark.parametrize("level", [0.0, 0.001, 0.01, 0.1])
def test_noise_is_not_speech(level: float) -> None:
    noise = np.random.default_rng(7).standard_normal(30 * RATE_HZ) * level
    assert detect(to_pcm(noise)) == []


needs_human_speech = pytest.mark.skipif(
    not HUMAN_SPEECH.is_dir(), reason="asterisk-core-sounds-en-wav not installed"
)


@needs_human_speech
def test_two_stages_notice_human_speech_within_a_tenth_of_a_second_and_confirm_all_of_it() -> None:
    delays_ms: list[float] = []
    for path in sorted(HUMAN_SPEECH.glob("[a-d]*.wav"))[::5]:
        sound = read_sound(path)
        if sound.duration_ms < 1000 or sound.duration_ms > 6000:
            continue
        pcm = silence(1000, RATE_HZ) + resample(sound.pcm, sound.rate_hz, RATE_HZ)
        detector = two_stage_detector()
        detector.scorer = SileroStream(shared_model()).score
        events = detector.feed(pcm)
        began = [event for event in events if isinstance(event, SpeechBegan)]
        delays_ms.append(began[0].decided_ms - sound_spans(pcm, RATE_HZ, -50)[0][0])
        assert any(isinstance(event, SpeechConfirmed) for event in events), path.stem
    assert len(delays_ms) >= 10
    assert np.median(delays_ms) <= 70
    assert np.percentile(delays_ms, 90) <= 130


@needs_human_speech
def test_human_speech_is_noticed_within_130_ms_as_a_rule() -> None:
    delays_ms = []
    backdating_ms = []
    missed = []
    for path in sorted(HUMAN_SPEECH.glob("[a-d]*.wav"))[::3]:
        sound = read_sound(path)
        pcm = silence(1000, RATE_HZ) + resample(sound.pcm, sound.rate_hz, RATE_HZ)
        onset_ms = sound_spans(pcm, RATE_HZ, -50)[0][0]
        events = detect(pcm)
        if not events:  # a single short word
            missed.append(path.stem)
            continue
        began = events[0]
        delays_ms.append(began.decided_ms - onset_ms)
        backdating_ms.append(began.at_ms - onset_ms)
    assert len(delays_ms) >= 20
    assert len(missed) <= 0.05 * len(delays_ms), missed
    assert np.median(delays_ms) <= 130
    assert min(delays_ms) > 0
    assert np.median(np.abs(backdating_ms)) <= WINDOW_MS
