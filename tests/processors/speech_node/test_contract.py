"""The contract of the speech node (docs/speech-node.md), held by every kind of it."""

import asyncio

import pytest
from pipecat.metrics.metrics import LLMUsageMetricsData

from crossfade.audio.pcm import duration_ms
from crossfade.frames.audio import (
    InputAudioRawFrame,
    SpeechFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    EndFrame,
    InterruptionFrame,
    MetricsFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.text import (
    InputTextRawFrame,
    SpokenTextFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import FunctionCallResultFrame, ToolCallsFrame
from crossfade.processors.tools import Tool, tool
from tests.clock import run

from .fakes import HEARD, Calls, Line
from .nodes import Kind, Talk, Watch, talk

KINDS = pytest.mark.parametrize("kind", list(Kind))
LONG = "Once upon a time there was a very long answer. " * 8
WEATHER = Calls((("get_weather", {"city": "Tokyo"}),))
SOUNDED = (ResponseStartFrame, TTSStartedFrame, SpeechFrame, TTSStoppedFrame, ResponseEndFrame)
EMITTED = (*SOUNDED, SpokenTextFrame, ToolCallsFrame)


def weather(takes_s: float = 0.5) -> Tool:
    @tool
    async def get_weather(city: str) -> dict[str, str]:
        """Tell the weather in a city."""
        await asyncio.sleep(takes_s)
        return {"city": city, "sky": "clear"}

    return get_weather


def story(watch: Watch) -> list[str]:
    """What the node sent of its speech, without its words; what repeats is told once."""
    told: list[str] = []
    for frame, _ in watch.seen:
        name = type(frame).__name__
        if isinstance(frame, SOUNDED) and told[-1:] != [name]:
            told.append(name)
    return told


def usage(watch: Watch) -> list[LLMUsageMetricsData]:
    data = [data for frame in watch.down(MetricsFrame) for data in frame.data]
    return [each for each in data if isinstance(each, LLMUsageMetricsData)]


def response_ids(talking: Talk) -> list[str]:
    return [frame.response_id for frame in talking.below.down(ResponseStartFrame)]


@KINDS
def test_a_spoken_turn_is_told_once_and_answered_once_in_order(kind: Kind) -> None:
    async def scenario() -> None:
        async with talk(kind, ["It is a clear day in Tokyo."]) as talking:
            await talking.speak()
            await asyncio.sleep(8)
            above, below = talking.above, talking.below
            (said,) = above.up(UserTranscriptFrame)
            (committed,) = above.up(UserTurnCommittedFrame)
            assert said.text == HEARD
            assert said.item_id == committed.item_id != ""
            assert all(p.item_id == said.item_id for p in above.up(UserPartialTranscriptFrame))

            (start,), (end,) = below.down(ResponseStartFrame), below.down(ResponseEndFrame)
            assert start.response_id == end.response_id != ""
            assert end.status == "completed"
            assert story(below) == [
                "ResponseStartFrame",
                "TTSStartedFrame",
                "SpeechFrame",
                "TTSStoppedFrame",
                "ResponseEndFrame",
            ]
            words = below.down(SpokenTextFrame)
            assert "".join(word.text for word in words).strip() == "It is a clear day in Tokyo."
            assert {word.response_id for word in words} == {start.response_id}
            kinds = [type(frame) for frame, _ in below.seen]
            first = kinds.index(SpokenTextFrame)
            assert kinds.index(ResponseStartFrame) < first < kinds.index(ResponseEndFrame)
            assert len(usage(below)) == 1
            assert talking.texts("user") == [HEARD]
            assert talking.texts("agent") == ["It is a clear day in Tokyo."]

    run(scenario())


@KINDS
def test_all_speech_has_its_origin_and_its_length_is_told_at_the_end(kind: Kind) -> None:
    async def scenario() -> None:
        async with talk(kind, ["It is a clear day in Tokyo."]) as talking:
            await talking.speak()
            await asyncio.sleep(8)
            (end,) = talking.below.down(ResponseEndFrame)
            received_ms: dict[str, float] = {}
            for frame in talking.below.down(SpeechFrame):
                assert frame.origin is not None
                assert frame.origin.response_id == end.response_id
                assert not frame.origin.injected
                assert (frame.sample_rate, frame.num_channels) == (24000, 1)
                item_id = frame.origin.item_id
                length_ms = duration_ms(frame.audio, 24000)
                received_ms[item_id] = received_ms.get(item_id, 0) + length_ms
            assert received_ms == pytest.approx(dict(end.received_ms))
            items = {word.context_id for word in talking.below.down(SpokenTextFrame)}
            assert items == set(received_ms)

    run(scenario())


@KINDS
def test_the_users_sound_and_what_is_proposed_go_no_further(kind: Kind) -> None:
    async def scenario() -> None:
        async with talk(kind, ["Well."]) as talking:
            await talking.speak()
            await asyncio.sleep(3)
            assert not talking.below.down(InputAudioRawFrame)
            assert not talking.below.down(UserTranscriptFrame)
            assert not [f for kind in EMITTED for f in talking.above.up(kind)]
            assert len(talking.below.down(UserStoppedSpeakingFrame)) == 1

    run(scenario())


@KINDS
def test_an_interruption_closes_the_gate_at_once_and_the_next_turn_is_answered(kind: Kind) -> None:
    async def scenario() -> None:
        async with talk(kind, [LONG, "Good."]) as talking:
            await talking.speak()
            await asyncio.sleep(3)
            await talking.begin_to_speak()
            below = talking.below
            cut_id = response_ids(talking)[0]
            frames = [frame for frame, _ in below.seen]
            at = max(i for i, f in enumerate(frames) if isinstance(f, InterruptionFrame))
            late = [f for f in frames[at:] if isinstance(f, SpeechFrame | SpokenTextFrame)]
            assert not late
            await talking.finish_speaking()
            await asyncio.sleep(5)
            ends = {end.response_id: end.status for end in below.down(ResponseEndFrame)}
            assert len(below.down(ResponseEndFrame)) == len(ends) == 2
            assert ends.pop(cut_id) == "interrupted"
            assert list(ends.values()) == ["completed"]
            started = [frame.context_id for frame in below.down(TTSStartedFrame)]
            stopped = [frame.context_id for frame in below.down(TTSStoppedFrame)]
            assert cut_id in started
            assert cut_id not in stopped
            cut = next(t for t in talking.ledger.to_dict()["turns"] if t.get("interrupted"))
            assert 0 < len(cut["heard"]) < len(cut["text"])
            assert cut["text"].startswith(cut["heard"])

    run(scenario())


@KINDS
def test_calls_come_together_behind_their_response_and_their_result_is_answered(
    kind: Kind,
) -> None:
    async def scenario() -> None:
        lines: list[Line] = [WEATHER, "Clear sky it is."]
        async with talk(kind, lines, [weather()]) as talking:
            await talking.speak()
            await asyncio.sleep(8)
            below = talking.below
            (calls,) = below.down(ToolCallsFrame)
            (call,) = calls.calls
            assert (call.name, dict(call.arguments)) == ("get_weather", {"city": "Tokyo"})
            first, second = response_ids(talking)
            assert calls.response_id == call.response_id == first
            frames = [frame for frame, _ in below.seen]
            ended = next(i for i, f in enumerate(frames) if isinstance(f, ResponseEndFrame))
            assert ended < frames.index(calls)
            (answer,) = below.up(FunctionCallResultFrame)
            asked = frames.index(answer)
            begun = [i for i, f in enumerate(frames) if isinstance(f, ResponseStartFrame)]
            assert begun[1] > asked
            speech = below.down(SpeechFrame)
            assert {f.origin.response_id for f in speech if f.origin} == {second}
            assert talking.texts("agent") == ["Clear sky it is."]

    run(scenario())


# Gemini speaks of a result by itself as soon as nobody speaks, and then answers the user.
@pytest.mark.parametrize(
    "kind", [k for k in Kind if k not in (Kind.GEMINI, Kind.SWAPPED_TO_GEMINI)]
)
def test_a_result_that_comes_while_the_user_speaks_is_covered_by_the_answer_to_the_user(
    kind: Kind,
) -> None:
    async def scenario() -> None:
        lines: list[Line] = [WEATHER, "Both at once."]
        async with talk(kind, lines, [weather(takes_s=1.5)]) as talking:
            await talking.speak()
            await asyncio.sleep(1)
            await talking.begin_to_speak()
            await talking.sound(1)
            assert talking.below.up(FunctionCallResultFrame)
            assert len(response_ids(talking)) == 1
            await talking.finish_speaking()
            await asyncio.sleep(6)
            assert len(response_ids(talking)) == 2
            assert talking.texts("agent") == ["Both at once."]

    run(scenario())


@KINDS
def test_written_text_is_answered_and_goes_no_further(kind: Kind) -> None:
    async def scenario() -> None:
        async with talk(kind, ["Written is fine."]) as talking:
            await talking.chain.down(InputTextRawFrame("Hello there."))
            await asyncio.sleep(6)
            assert not talking.below.down(InputTextRawFrame)
            assert len(response_ids(talking)) == 1
            assert talking.texts("user") == ["Hello there."]
            assert talking.texts("agent") == ["Written is fine."]

    run(scenario())


@KINDS
def test_nothing_comes_after_the_end_not_even_of_an_answer_that_is_running(kind: Kind) -> None:
    async def scenario() -> None:
        async with talk(kind, [LONG]) as talking:
            await talking.speak()
            await asyncio.sleep(2)
            watch = talking.below
        frames = [frame for frame, _ in watch.seen]
        at = next(i for i, f in enumerate(frames) if isinstance(f, EndFrame))
        assert not [f for f in frames[at:] if isinstance(f, EMITTED)]
        assert not talking.chain.errors

    run(scenario())
