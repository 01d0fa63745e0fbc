from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.audio.sound_file import WavWriter
from crossfade.errors import SettingsError
from crossfade.observability.sound_spans import Span
from crossfade.observability.turns import (
    Answer,
    TurnMeter,
    answers,
    barge_ins,
    first_sound,
    from_recording,
    latest_answer,
    overlaps,
    waits_since,
)

RATE_HZ = 24_000


def spans(*edges: tuple[float, float]) -> list[Span]:
    return [Span(start_s=start_s, end_s=end_s) for start_s, end_s in edges]


def voice_to_voice(caller: list[Span], agent: list[Span]) -> list[float]:
    return [answer.voice_to_voice_ms for answer in answers(caller, agent)]


def test_an_answer_counts_from_the_end_of_the_callers_last_words() -> None:
    caller = spans((1, 2), (2.5, 3))
    assert voice_to_voice(caller, spans((4, 6))) == pytest.approx([1000])


def test_each_turn_has_its_answer() -> None:
    caller = spans((1, 2), (6, 7))
    assert voice_to_voice(caller, spans((2.7, 5), (7.9, 9))) == pytest.approx([700, 900])


def test_a_greeting_answers_nobody() -> None:
    assert voice_to_voice(spans((3, 4)), spans((0.5, 2), (4.5, 6))) == pytest.approx([500])


def test_more_of_the_same_answer_is_no_second_answer() -> None:
    assert voice_to_voice(spans((0, 1)), spans((1.5, 3), (4, 5))) == pytest.approx([500])


def test_an_agent_that_starts_before_the_caller_ended_has_no_latency() -> None:
    assert voice_to_voice(spans((0, 2)), spans((1.5, 4))) == []


def test_the_answer_to_a_barge_in_counts_from_the_end_of_the_barge_in() -> None:
    caller = spans((0, 1), (3, 5))
    assert voice_to_voice(caller, spans((2, 3.2), (5.8, 7))) == pytest.approx([1000, 800])


def test_a_short_word_that_stopped_the_agent_is_answered_too() -> None:
    assert voice_to_voice(spans((3, 3.2)), spans((2, 3.4), (4, 5))) == pytest.approx([800])


def test_a_word_of_assent_while_the_agent_speaks_on_is_no_turn() -> None:
    assert voice_to_voice(spans((3, 3.2)), spans((2, 5), (6, 7))) == []


def test_a_caller_waits_until_the_agent_is_heard() -> None:
    caller, greeting = spans((3, 4)), spans((0, 2))
    assert waits_since(caller, greeting, 4.5) == 4
    assert waits_since(caller, spans((0, 2), (5, 6)), 4.5) is None
    assert waits_since([], greeting, 4.5) is None
    assert waits_since(spans((3, 4), (5, 5.1)), greeting, 4.5) == 4, "a noise is no turn"
    assert waits_since(spans((1, 1.2)), greeting, 1.5) is None, "the agent spoke on"
    assert waits_since(spans((1, 4)), spans((3.9, 4.2)), 4.5) is None, "the agent cut in"
    assert waits_since(spans((1, 4)), spans((3.5, 3.6)), 4.5) == 4, "and was silent at once"


EDGES = st.lists(st.floats(0, 100), max_size=24, unique=True).map(
    lambda edges: spans(*zip(*[iter(sorted(edges))] * 2, strict=False))
)


@given(EDGES, EDGES)
def test_the_latest_answer_is_the_last_of_all(caller: list[Span], agent: list[Span]) -> None:
    """Each time the agent becomes audible, whatever was said before."""
    for spoken in range(len(agent) + 1):
        found = answers(caller, agent[:spoken])
        last = found[-1] if found and found[-1].agent_start_s == agent[spoken - 1].start_s else None
        assert latest_answer(caller, agent[:spoken]) == last


def test_barge_in_counts_from_the_callers_first_sound_to_the_agents_silence() -> None:
    cuts = barge_ins(spans((3, 3.1), (3.2, 4)), spans((2, 3.3), (5, 6)))
    assert [cut.to_silence_ms for cut in cuts] == pytest.approx([300])


def test_a_caller_who_speaks_before_the_agent_does_not_barge_in() -> None:
    assert barge_ins(spans((1, 3)), spans((2, 4))) == []


def test_the_first_sound_since_an_instant() -> None:
    assert first_sound(spans((1, 2), (4, 5)), 2.5) == 4
    assert first_sound(spans((1, 2), (4, 5)), 1.5) == 1.5
    assert first_sound(spans((1, 2)), 2) is None


def voice(seconds: float) -> bytes:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (9000 * np.sin(2 * np.pi * 300 * times)).astype("<i2").tobytes()


def test_an_answer_is_told_as_it_becomes_audible_and_leading_silence_counts() -> None:
    told: list[Answer] = []
    meter = TurnMeter(told.append)
    sound = bytes(RATE_HZ * 2) + voice(1) + bytes(RATE_HZ * 2 * 3)
    frame_bytes = RATE_HZ // 50 * 2
    reply = bytes(RATE_HZ // 5 * 2) + voice(1)
    for tick in range(len(sound) // frame_bytes):
        part = slice(tick * frame_bytes, (tick + 1) * frame_bytes)
        meter.caller_audio(sound[part], RATE_HZ, tick * 0.02)
        # The agent's audio starts at 2.5 s and its voice 200 ms later.
        if tick >= 125 and (answer := reply[(tick - 125) * frame_bytes :][:frame_bytes]):
            meter.agent_audio(answer, RATE_HZ, tick * 0.02)
        if tick * 0.02 < 2.7:
            assert not told
        if tick * 0.02 > 2.82:
            assert len(told) == 1
    assert told[0].voice_to_voice_ms == pytest.approx(700, abs=10)
    assert meter.answers() == told


def test_a_recording_gives_the_same_figures(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    left = bytes(RATE_HZ * 2) + voice(1) + bytes(RATE_HZ * 2 * 2) + voice(0.5)
    right = bytes(round(2.7 * RATE_HZ) * 2) + voice(1.5)
    length = max(len(left), len(right)) // 2
    stereo = np.zeros((length, 2), dtype="<i2")
    for channel, pcm in enumerate((left, right)):
        stereo[: len(pcm) // 2, channel] = np.frombuffer(pcm, dtype="<i2")
    with WavWriter(path, RATE_HZ, channels=2) as file:
        file.write(stereo.tobytes())
    turns = from_recording(path)
    assert turns.duration_s == pytest.approx(4.5)
    assert [answer.voice_to_voice_ms for answer in turns.answers] == pytest.approx([700], abs=10)
    assert [cut.to_silence_ms for cut in turns.barge_ins] == pytest.approx([200], abs=10)
    assert (len(turns.caller), len(turns.agent)) == (2, 1)


def test_a_file_that_is_no_stereo_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    with WavWriter(path, RATE_HZ) as file:
        file.write(voice(1))
    with pytest.raises(SettingsError, match="has 1 channel"):
        from_recording(path)
    with pytest.raises(SettingsError, match=r"missing\.wav"):
        from_recording(tmp_path / "missing.wav")


def test_overlaps_are_when_both_are_heard() -> None:
    caller = spans((1, 3), (3.5, 4), (9, 10))
    assert overlaps(caller, spans((0, 2), (2.5, 3.6), (3.8, 5))) == spans(
        (1, 2), (2.5, 3), (3.5, 3.6), (3.8, 4)
    )
    assert overlaps(caller, spans((3, 3.5), (10, 11))) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(4, 24)), max_size=6))
def test_a_process_that_stalls_does_not_move_the_callers_words(
    stalls: list[tuple[int, int]],
) -> None:
    """All that was captured meanwhile comes at once, as when an event loop was busy."""
    sound = bytes(RATE_HZ * 2) + voice(1) + bytes(RATE_HZ * 2) + voice(0.5) + bytes(RATE_HZ * 2)
    frame_bytes = RATE_HZ // 50 * 2
    frames = [sound[at : at + frame_bytes] for at in range(0, len(sound), frame_bytes)]
    arrivals = [n + 1 for n in range(len(frames))]
    at = 2
    for going, stalled in stalls:
        at += going + 3
        for n in range(at, min(at + stalled, len(frames))):
            arrivals[n] = at + stalled
        at += stalled
    meter = TurnMeter()
    for pcm, tick in zip(frames, arrivals, strict=True):
        meter.caller_audio(pcm, RATE_HZ, tick * 0.02 - 0.02)
    meter.flush()
    edges = [edge for span in meter.caller.spans for edge in (span.start_s, span.end_s)]
    assert edges == pytest.approx([1, 2, 3, 3.5], abs=0.011)
