"""The native speech node, before a session that does as it is told."""

import pytest
from pipecat.frames.frames import MetricsFrame
from pipecat.metrics.metrics import LLMUsageMetricsData

from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.errors import ConnectionLost
from crossfade.frames.audio import PlayedSpeech, SpeechFrame, SpeechOrigin, SpeechPlayedFrame
from crossfade.frames.control import (
    InterruptionFrame,
    ResponseEndFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnStartProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InputTextRawFrame, SpokenTextFrame, UserTranscriptFrame
from crossfade.frames.tools import AcknowledgeFrame, FunctionCallResultFrame, ToolCallsFrame
from crossfade.frames.usage import ResponseUsageMetricsData, TranscriptionUsageMetricsData
from crossfade.processors.base import UPSTREAM
from crossfade.providers import (
    Interruption,
    LateUsage,
    ResponseStarted,
    ResponseStatus,
    SessionConfig,
    SpeechStarted,
    TextDelta,
    TranscriptionUsed,
    TurnDetection,
    UserTranscript,
)
from tests.clock import run
from tests.processors.chain import Chain, running, settled
from tests.processors.sessions import Session, audio, done, node


def spoken(chain: Chain) -> list[str]:
    frames = [frame for frame in chain.last.audio if isinstance(frame, SpeechFrame)]
    return [frame.origin.response_id for frame in frames if frame.origin]


def test_nothing_of_a_cut_response_is_spoken_and_its_calls_are_not_run() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            call = ToolCall(id="c", name="look", arguments={}, response_id="r")
            session.feed(ResponseStarted(response_id="r"), audio("r"))
            await settled()
            await chain.down(InterruptionFrame())
            late = TextDelta(response_id="r", item_id="a", text="late", spoken=True)
            session.feed(audio("r"), late, call, done("r", ResponseStatus.INTERRUPTED))
            session.feed(ResponseStarted(response_id="next"), audio("next"))
            await settled(60)
            assert spoken(chain) == ["r", "next"]
            assert not chain.last.frames(SpokenTextFrame)
            assert not chain.last.frames(ToolCallsFrame)
            assert [f.status for f in chain.last.frames(ResponseEndFrame)] == ["interrupted"]

    run(scenario())


def test_a_response_that_was_whole_when_it_was_cut_ends_as_interrupted_and_calls_nothing() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            session.feed(ResponseStarted(response_id="r"), audio("r"))
            await settled()
            await chain.down(InterruptionFrame())
            call = ToolCall(id="c", name="look", arguments={}, response_id="r")
            session.feed(call, done("r"))
            await settled(60)
            (end,) = chain.last.frames(ResponseEndFrame)
            assert end.status == "interrupted"
            assert not chain.last.frames(ToolCallsFrame)
            # Its model knows the call, and may wait for a result.
            assert ("tool", "c", "The user interrupted before it was run.", True) in session.asked
            assert "respond" not in session.asked

    run(scenario())


def test_a_response_that_failed_after_it_was_cut_ends_as_failed() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            session.feed(ResponseStarted(response_id="r"), audio("r"))
            await settled()
            await chain.down(InterruptionFrame())
            session.feed(done("r", ResponseStatus.FAILED))
            await settled(60)
            (end,) = chain.last.frames(ResponseEndFrame)
            assert end.status == "failed"

    run(scenario())


def test_all_calls_of_a_response_come_as_one_when_it_is_complete() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            calls = [ToolCall(id=n, name=n, arguments={}, response_id="r") for n in "ab"]
            session.feed(ResponseStarted(response_id="r"), *calls)
            await settled()
            assert not chain.last.frames(ToolCallsFrame)
            session.feed(done("r"))
            await settled()
            (frame,) = chain.last.frames(ToolCallsFrame)
            assert [call.id for call in frame.calls] == ["a", "b"]

    run(scenario())


def test_results_are_answered_once_and_not_while_the_user_speaks() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:

            async def answer(call_id: str, *, last: bool) -> None:
                await chain.up(FunctionCallResultFrame("f", call_id, {}, {}, run_llm=last))

            await answer("a", last=False)
            await answer("b", last=True)
            await chain.down(UserStartedSpeakingFrame())
            await answer("c", last=True)
            await chain.up(AcknowledgeFrame(call_id="c", text="Hold on."))
            await chain.down(UserStoppedSpeakingFrame())
            await chain.up(AcknowledgeFrame(call_id="c", text="Hold on."))
            assert session.asked == [
                ("tool", "a", {}, False),
                ("tool", "b", {}, False),
                "respond",
                ("tool", "c", {}, False),
                ("say", "Hold on."),
            ]

    run(scenario())


def test_an_interruption_tells_the_provider_what_was_heard_but_of_injected_speech() -> None:
    def item(item_id: str, injected: bool) -> PlayedSpeech:
        origin = SpeechOrigin(item_id=item_id, response_id="r", injected=injected)
        return PlayedSpeech(origin=origin, played_ms=120, received_ms=500)

    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            items = (item("a", injected=False), item("ack", injected=True))
            await chain.up(SpeechPlayedFrame(items=items))
            await chain.up(SpeechPlayedFrame(items=items, interrupted=True))
            assert session.asked == [("interrupt", {"a": 120})]

    run(scenario())


def test_turns_of_our_own_begin_with_the_audio_from_before_they_were_noticed() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig(turn_detection=TurnDetection.CALLER))
        async with running(node(session)) as chain:
            for _ in range(100):
                chain.hear(bytes(640))
            assert session.asked == []
            await chain.down(UserStartedSpeakingFrame())
            chain.hear(bytes(640))
            await chain.down(UserStoppedSpeakingFrame())
            chain.hear(bytes(640))
            start, (_, preroll_bytes), *rest = session.asked
            assert start == "start turn"
            assert 16000 <= preroll_bytes < 16000 + 640
            assert rest == [("audio", 640), "end turn"]

    run(scenario())


def test_words_and_text_go_their_ways() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            await chain.down(InputTextRawFrame("hello"))
            session.feed(UserTranscript(item_id="u", text="hi", final=True))
            session.feed(SpeechStarted(item_id="u", at_ms=0))
            await settled()
            assert session.asked == [("text", "hello")]
            (heard,) = chain.first.frames(UserTranscriptFrame, UPSTREAM)
            assert (heard.text, heard.item_id) == ("hi", "u")
            assert chain.first.frames(UserTurnStartProposedFrame, UPSTREAM)

    run(scenario())


@pytest.mark.parametrize("told", [True, False])
def test_an_interruption_begins_the_turn_where_nothing_else_told_of_it(told: bool) -> None:
    """Of an answer that is over, too: what is left of it in the playout is stopped by this."""

    async def scenario() -> None:
        async with running(node(session := Session(SessionConfig()))) as chain:
            if told:
                await chain.down(UserStartedSpeakingFrame())
            session.feed(Interruption(response_id="over already"))
            await settled()
            proposed = chain.first.frames(UserTurnStartProposedFrame, UPSTREAM)
            assert bool(proposed) is not told

    run(scenario())


@pytest.mark.parametrize("ended", [True, False])
def test_what_was_said_before_it_was_sure_to_be_speech_belongs_to_the_turn(ended: bool) -> None:
    async def scenario() -> None:
        session = Session(SessionConfig(turn_detection=TurnDetection.CALLER))
        async with running(node(session)) as chain:
            for _ in range(50):
                chain.hear(bytes(640))
            await chain.down(VADUserStartedSpeakingFrame())
            for _ in range(40):
                chain.hear(bytes(640))
            if ended:
                await chain.down(VADUserStoppedSpeakingFrame())
            await chain.down(UserStartedSpeakingFrame())
            sent_ms = sum(asked[1] for asked in session.asked if asked[0] == "audio") / 32
            assert sent_ms == pytest.approx(500 if ended else 1300, abs=20)

    run(scenario())


def test_a_session_that_dies_makes_the_node_unusable_with_one_error() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        speaking = node(session)
        async with running(speaking) as chain:
            session.feed(ConnectionLost("the line is dead"))
            await settled()
            assert [str(error.error) for error in chain.errors] == ["the line is dead"]
            assert not speaking.is_usable
        assert session.asked[-1] == "close"

    run(scenario())


def test_what_a_response_cost_beyond_its_end_is_told() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            session.feed(
                ResponseStarted(response_id="one"),
                done("one"),
                LateUsage(response_id="one", usage=Usage(output_text_tokens=7)),
            )
            await settled()
            (metrics,) = chain.last.frames(MetricsFrame)
            (counted,) = metrics.data
            assert isinstance(counted, LLMUsageMetricsData)
            assert counted.value.completion_tokens == 7
            assert isinstance(counted, ResponseUsageMetricsData)
            assert (counted.provider, counted.response_id) == ("loopback", "one")

    run(scenario())


def test_what_a_transcript_cost_is_told() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            session.feed(
                TranscriptionUsed(item_id="u", model="whisper", usage=Usage(), seconds=2.5)
            )
            await settled()
            (metrics,) = chain.last.frames(MetricsFrame)
            (counted,) = metrics.data
            assert isinstance(counted, TranscriptionUsageMetricsData)
            assert (counted.model, counted.value.audio_seconds) == ("whisper", 2.5)
            assert counted.provider == "loopback"

    run(scenario())
