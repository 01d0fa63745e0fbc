"""What the store keeps of where both sides' sound stood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.pipelines.takeover_state import CallState, SpeechPosition, StateKeeper, end_sample

POSITIONS = st.builds(
    SpeechPosition,
    received_ms=st.integers(0, 600_000).map(float),
    played_ms=st.integers(0, 600_000).map(float),
)
STATES = st.builds(
    CallState,
    start_sample=st.integers(0, 2**40),
    attachments=st.integers(0, 1000),
    speech=st.dictionaries(st.text(max_size=20), POSITIONS, max_size=3),
    node=st.sampled_from(["", "cascade", "gemini:gemini-3.8-live"]),
)


@given(STATES)
def test_it_is_read_as_it_was_written(state: CallState) -> None:
    stored = state.encoded()
    assert "\0" not in stored
    assert CallState.decoded(stored) == state


@pytest.mark.parametrize("stored", ["", "{", "1", "[]", "[1, 2, 3, 4]", '["later", 1, 2, {}]'])
def test_what_is_no_state_gives_an_empty_one(stored: str) -> None:
    assert CallState.decoded(stored) == CallState()


def state_of(keeper: StateKeeper, received_samples: int, unfinished: bytes) -> CallState:
    return keeper.state(
        received_samples=received_samples, unfinished=unfinished, attachments=1, speech={}
    )


def test_an_utterance_that_grows_keeps_its_beginning() -> None:
    keeper = StateKeeper(in_rate_hz=16000, audio_rate_hz=24000)
    # 300 ms are kept when it is noticed; the resampler holds a little back.
    first = state_of(keeper, 16000, bytes(2 * 7176))
    later = state_of(keeper, 16336, bytes(2 * 7680))
    assert later == first
    assert first.start_sample == 16000 - 4784 - 16
    end = end_sample(first.start_sample, bytes(2 * 7680), in_rate_hz=16000, audio_rate_hz=24000)
    assert end == 16320


def test_after_an_utterance_the_position_is_where_it_ended_and_rests_there() -> None:
    keeper = StateKeeper(in_rate_hz=16000, audio_rate_hz=16000)
    state_of(keeper, 16000, bytes(640))
    answered = state_of(keeper, 20000, b"")
    assert answered.start_sample == 20000
    assert state_of(keeper, 90000, b"") == answered
    assert state_of(keeper, 90000, bytes(640)).start_sample == 90000 - 320


def test_positions_of_speech_change_seldom() -> None:
    keeper = StateKeeper(in_rate_hz=16000, audio_rate_hz=16000)
    states = {
        keeper.state(
            received_samples=0,
            unfinished=b"",
            attachments=1,
            speech={"item": SpeechPosition(received_ms=3000, played_ms=float(played_ms))},
        ).encoded()
        for played_ms in range(0, 3000, 20)
    }
    assert len(states) == 6
