"""Responses of a model that streams sound all the time."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.providers.duplex_turns import DuplexTurns, Gate
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    TextDelta,
)
from tests.providers.moshi_frames import RATE_HZ, silence, speech

# Levels just above the onset (-42 dBFS), between it and the offset (-50 dBFS), and below both.
SOFT = 0.0125
MURMUR = 0.0075
HISS = 0.001


def names(events: Iterable[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def sound(events: Iterable[Event]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, AudioChunk))


def words(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def ended(response: int, status: ResponseStatus) -> ResponseDone:
    return ResponseDone(response_id=f"response_{response}", status=status)


def test_silence_is_not_passed_on() -> None:
    turns = DuplexTurns(RATE_HZ)
    assert turns.hear(silence(5000)) == []


def test_a_response_begins_and_ends_with_the_sound() -> None:
    turns = DuplexTurns(RATE_HZ)
    begun = turns.hear(silence() + speech(800))
    assert names(begun) == ["ResponseStarted", "AudioChunk"]
    assert names(turns.hear(silence(580))) == ["AudioChunk"]
    assert turns.hear(silence(20))[1:] == [
        SpeechDone(response_id="response_1", item_id="item_1"),
        ended(1, ResponseStatus.COMPLETED),
    ]
    assert turns.hear(silence(5000)) == []


def test_no_sample_of_the_speech_is_lost_or_changed() -> None:
    turns = DuplexTurns(RATE_HZ)
    said = speech(400) + silence(300) + speech(240)
    stream = silence(2000) + said + silence(2000)
    events = [
        event for at in range(0, len(stream), 1000) for event in turns.hear(stream[at : at + 1000])
    ]
    assert sound(events) == silence(160) + said + silence(600)


def test_pre_roll_keeps_what_is_too_soft_for_the_onset() -> None:
    turns = DuplexTurns(RATE_HZ)
    events = turns.hear(silence(1000) + speech(100, MURMUR) + speech(200))
    assert sound(events) == silence(60) + speech(100, MURMUR) + speech(200)


def test_a_click_is_no_speech() -> None:
    turns = DuplexTurns(RATE_HZ)
    assert turns.hear(silence() + speech(20) + silence(200) + speech(20) + silence()) == []


@pytest.mark.parametrize("level", [MURMUR, HISS])
def test_a_murmur_begins_no_response(level: float) -> None:
    assert DuplexTurns(RATE_HZ).hear(speech(2000, level)) == []


def test_soft_speech_begins_a_response() -> None:
    assert names(DuplexTurns(RATE_HZ).hear(speech(200, SOFT)))[0] == "ResponseStarted"


def test_a_murmur_keeps_a_response_going_but_hiss_does_not() -> None:
    murmuring, hissing = DuplexTurns(RATE_HZ), DuplexTurns(RATE_HZ)
    assert "ResponseDone" not in names(murmuring.hear(speech(200) + speech(2000, MURMUR)))
    assert "ResponseDone" in names(hissing.hear(speech(200) + speech(2000, HISS)))


def test_each_stretch_of_sound_is_a_response_of_its_own() -> None:
    turns = DuplexTurns(RATE_HZ)
    events = turns.hear((speech(200) + silence(700)) * 3)
    started = [event.response_id for event in events if isinstance(event, ResponseStarted)]
    items = {event.item_id for event in events if isinstance(event, AudioChunk)}
    assert started == ["response_1", "response_2", "response_3"]
    assert items == {"item_1", "item_2", "item_3"}


def test_a_response_takes_nothing_of_the_last_one_along() -> None:
    turns = DuplexTurns(RATE_HZ)
    turns.read(" One")
    turns.hear(speech(200) + silence(600))
    turns.read(" Two")
    again = turns.hear(speech(200))
    assert words(again) == "Two"
    assert sound(again) == speech(200)


def test_words_wait_for_their_sound() -> None:
    turns = DuplexTurns(RATE_HZ)
    assert turns.read(" Hel") == []
    assert turns.read("lo") == []
    begun = turns.hear(speech(200))
    assert names(begun) == ["ResponseStarted", "TextDelta", "AudioChunk"]
    assert words(begun) == "Hello"
    assert words(turns.read(" there")) == " there"


def test_words_that_never_sound_do_not_pile_up() -> None:
    turns = DuplexTurns(RATE_HZ)
    for number in range(1000):
        turns.read(f" {number}")
    assert words(turns.hear(speech(200))).split() == [str(number) for number in range(936, 1000)]


def test_what_is_left_of_a_cut_response_is_dropped() -> None:
    turns = DuplexTurns(RATE_HZ)
    turns.hear(speech(200))
    turns.cut()
    assert turns.read(" more") == [ended(1, ResponseStatus.INTERRUPTED)]
    assert turns.hear(speech(2000) + silence(200) + speech(100)) == []


def test_the_answer_after_a_cut_is_a_new_response() -> None:
    turns = DuplexTurns(RATE_HZ)
    turns.hear(speech(200))
    turns.cut()
    assert turns.hear(speech(200) + silence(320)) == [ended(1, ResponseStatus.INTERRUPTED)]
    turns.read(" Yes?")
    begun = turns.hear(speech(200))
    assert begun[0] == ResponseStarted(response_id="response_2")
    assert words(begun) == "Yes?"


def test_there_is_nothing_to_cut_in_silence() -> None:
    turns = DuplexTurns(RATE_HZ)
    turns.hear(speech(200) + silence(700))
    turns.cut()
    assert turns.hear(silence()) == []
    assert names(turns.hear(speech(200)))[0] == "ResponseStarted"


def test_the_gate_can_be_set() -> None:
    turns = DuplexTurns(RATE_HZ, Gate(onset_dbfs=-60, offset_dbfs=-70, silence_ms=100))
    assert names(turns.hear(speech(100, MURMUR) + silence(100))) == [
        "ResponseStarted",
        "AudioChunk",
        "SpeechDone",
        "ResponseDone",
    ]


steps = st.one_of(
    st.builds(silence, st.integers(0, 700)),
    st.builds(speech, st.integers(0, 300), st.sampled_from([HISS, MURMUR, 0.3])),
    st.text(max_size=3),
    st.just(None),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=30))
def test_each_response_begins_once_and_ends_once(stream: list[bytes | str | None]) -> None:
    turns = DuplexTurns(RATE_HZ)
    running: str | None = None
    seen: set[str] = set()
    for step in stream:
        match step:
            case None:
                turns.cut()
                events = []
            case str():
                events = turns.read(step)
            case bytes():
                events = turns.hear(step)
        for event in events:
            assert isinstance(
                event, ResponseStarted | ResponseDone | AudioChunk | TextDelta | SpeechDone
            )
            if isinstance(event, ResponseStarted):
                assert running is None
                assert event.response_id not in seen
                running = event.response_id
                seen.add(running)
            assert event.response_id == running
            if isinstance(event, ResponseDone):
                running = None
            if isinstance(event, AudioChunk):
                assert event.pcm
                assert len(event.pcm) % 2 == 0
