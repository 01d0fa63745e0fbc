"""The user's audio in messages of one length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.audio.resample import StreamResampler
from crossfade.frames.control import UserStartedSpeakingFrame, UserStoppedSpeakingFrame
from crossfade.processors.uplink import Uplink
from crossfade.providers import SessionConfig, TurnDetection
from tests.clock import run
from tests.processors.chain import running
from tests.processors.sessions import Session, node

NOISE = np.random.default_rng(5).integers(-9000, 9000, 8000).astype("<i2").tobytes()


@pytest.mark.parametrize("rate_hz", [7999, 8000, 11025, 16000, 44100, 48000])
def test_pieces_of_20_ms_go_as_they_come(rate_hz: int) -> None:
    uplink = Uplink(rate_hz, 24000)
    for _ in range(10):
        assert uplink.process(bytes(rate_hz // 50 * 2))
        assert not uplink.rest()


@pytest.mark.parametrize(("message_ms", "sent_ms"), [(20, 20), (25, 30), (100, 100)])
def test_smaller_pieces_wait_for_each_other(message_ms: int, sent_ms: int) -> None:
    uplink = Uplink(16000, 16000, message_ms=message_ms)
    sent = [uplink.process(bytes(320)) for _ in range(30)]
    assert {len(message) for message in sent if message} == {sent_ms * 32}
    assert sum(map(bool, sent)) == 300 // sent_ms


@given(st.lists(st.integers(0, 700), max_size=20), st.sampled_from([8000, 16000, 24000]))
def test_no_sample_is_lost_or_changed(cuts: list[int], rate_hz: int) -> None:
    uplink, alone = Uplink(16000, rate_hz, message_ms=40), StreamResampler(16000, rate_hz)
    sent = whole = b""
    at = 0
    for samples in cuts:
        piece = NOISE[at : at + samples * 2]
        at += len(piece)
        sent += uplink.process(piece)
        whole += alone.process(piece)
    assert sent + uplink.rest() == whole


def test_the_rest_of_a_turn_goes_before_its_end() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig(turn_detection=TurnDetection.CALLER))
        async with running(node(session, uplink_ms=100)) as chain:
            await chain.down(UserStartedSpeakingFrame())
            for _ in range(7):
                chain.hear(bytes(640))
            await chain.down(UserStoppedSpeakingFrame())
            assert session.asked == ["start turn", ("audio", 3200), ("audio", 1280), "end turn"]

    run(scenario())
