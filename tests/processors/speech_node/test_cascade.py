"""What only a cascade does: the context that its model gets, late words, services that fail."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from crossfade.conversation.ledger import Conversation
from crossfade.frames.audio import SpeechFrame, TTSAudioRawFrame
from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    ResponseEndFrame,
    ResponseStartFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import (
    InputTextRawFrame,
    SpokenTextFrame,
    UserTranscriptFrame,
    WordTimingsFrame,
)
from crossfade.frames.tools import AcknowledgeFrame
from crossfade.processors.cascade import Cascade
from crossfade.processors.cascade_writing import PATIENCE_S
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.tools import tool
from tests.clock import run

from .fakes import HEARD, Brain, Calls, Line, PacedVoice, Recogniser, made_by
from .loopback_llm import LoopbackLLM
from .nodes import INSTRUCTIONS, Kind, cascade, in_chain

LONG = "Once upon a time there was a very long answer. " * 8


def new_ledger() -> Conversation:
    return Conversation(started_at_s=asyncio.get_running_loop().time())


def told(request: dict[str, Any]) -> list[tuple[str, str]]:
    return [(m["role"], m.get("content") or "") for m in request["messages"]]


def test_the_model_is_told_an_interrupted_answer_as_it_was_heard() -> None:
    async def scenario() -> None:
        async with LoopbackLLM([LONG, "Good."]).serving() as server:
            ledger = new_ledger()
            llm = OpenAILLMService(api_key="unused", base_url=server.url)
            node = cascade(llm, ledger, recogniser=Recogniser("tell me a story", "stop it"))
            async with in_chain(node, Kind.LOOPBACK, ledger) as talking:
                await talking.speak()
                await asyncio.sleep(4)
                await talking.speak()
                await asyncio.sleep(3)
            (cut,) = [t for t in ledger.to_dict()["turns"] if t.get("interrupted")]
            assert told(server.asked[1]) == [
                ("system", INSTRUCTIONS),
                ("user", "tell me a story"),
                ("assistant", cut["heard"]),
                ("user", "stop it"),
            ]

    run(scenario())


def test_speech_begins_with_the_first_clause_while_the_model_still_writes() -> None:
    async def scenario() -> None:
        async with LoopbackLLM(["In Tokyo, right now, " + "it is nice " * 40]).serving() as server:
            ledger = new_ledger()
            voice = PacedVoice()
            llm = OpenAILLMService(api_key="unused", base_url=server.url)
            node = cascade(llm, ledger, voice=voice)
            async with in_chain(node, Kind.LOOPBACK, ledger) as talking:
                await talking.speak()
                await asyncio.sleep(0.5)
                assert talking.below.down(SpeechFrame)
                assert voice.said == ["In Tokyo, right now, "]
                assert len(talking.below.down(SpokenTextFrame)) == 1

    run(scenario())


def test_a_tool_that_runs_is_known_to_the_model_and_its_result_comes_last() -> None:
    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(4)
        return "seen"

    async def scenario() -> None:
        lines: list[Line] = [Calls((("look", {}),)), "Still looking.", "It is seen."]
        async with LoopbackLLM(lines).serving() as server:
            ledger = new_ledger()
            llm = OpenAILLMService(api_key="unused", base_url=server.url)
            node = cascade(llm, ledger, [look], Recogniser("look", "and now"))
            async with in_chain(node, Kind.LOOPBACK, ledger, [look]) as talking:
                await talking.speak()
                await asyncio.sleep(1)
                await talking.speak()
                await asyncio.sleep(8)
            _, meanwhile, after = map(told, server.asked)
            assert [role for role, _ in meanwhile[-3:]] == ["assistant", "tool", "user"]
            assert "still running" in meanwhile[-2][1]
            assert after[-3:] == [
                ("assistant", "Still looking."),
                ("assistant", ""),
                ("tool", "seen"),
            ]
            assert [t["name"] for t in ledger.to_dict()["turns"] if t["role"] == "tool"] == ["look"]

    run(scenario())


def test_a_phrase_is_said_beside_the_conversation_and_not_into_an_answer() -> None:
    async def scenario() -> None:
        ledger, brain = new_ledger(), Brain([LONG])
        node = cascade(EmbeddedLLM(made_by(brain)), ledger)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.chain.up(AcknowledgeFrame(call_id="c", text="One moment."))
            await asyncio.sleep(3)
            (start,) = talking.below.down(ResponseStartFrame)
            assert start.injected
            assert all(f.origin and f.origin.injected for f in talking.below.down(SpeechFrame))
            await talking.speak()
            await asyncio.sleep(1)
            await talking.chain.up(AcknowledgeFrame(call_id="c", text="One moment."))
            await asyncio.sleep(3)
            assert [f.injected for f in talking.below.down(ResponseStartFrame)] == [True, False]
            assert ("assistant", "One moment.") not in brain.asked[0][1]

    run(scenario())


def test_a_request_that_fails_ends_its_response_and_the_next_one_is_answered() -> None:
    class Failing(Brain):
        def reply(self, user_text: str, history: Any = ()) -> Any:
            if not self.asked:
                self.asked.append((user_text, history))
                raise RuntimeError("out of order")
            return super().reply(user_text, history)

    async def scenario() -> None:
        ledger = new_ledger()
        node = cascade(EmbeddedLLM(made_by(Failing(["Fine."]))), ledger)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(1)
            (end,) = talking.below.down(ResponseEndFrame)
            assert end.status == "failed"
            assert "out of order" in (end.reason or "")
            await talking.speak()
            await asyncio.sleep(3)
            assert talking.texts("agent") == ["Fine."]
            assert len(talking.chain.errors) == 1

    run(scenario())


def test_a_text_model_that_is_dead_is_named_with_its_host_and_what_to_do() -> None:
    async def scenario() -> None:
        async with LoopbackLLM([]).serving() as server:
            url = server.url.replace("//", "//somebody:a-secret@")
        llm = OpenAILLMService(
            api_key="sk-of-nobody-00000000000000000000",
            base_url=url,
            settings=OpenAILLMService.Settings(model="llama3"),
        )
        ledger = new_ledger()
        async with in_chain(cascade(llm, ledger), Kind.LOOPBACK, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(8)
            (end,) = talking.below.down(ResponseEndFrame)
            (error,) = talking.chain.errors
            assert end.status == "failed"
            assert end.reason == error.error
            host = url.partition("@")[2].removesuffix("/v1")
            assert error.error.startswith(f"The text model openai llama3 at {host} failed: ")
            assert "Connection refused" in error.error
            assert error.error.endswith("see that it runs, and that its address is right.")
            assert "secret" not in error.error
            assert "sk-" not in error.error

    run(scenario())


@pytest.mark.parametrize("words", [0, 4])
def test_a_text_model_that_falls_silent_has_failed_and_the_next_turn_is_answered(
    words: int,
) -> None:
    async def scenario() -> None:
        server = LoopbackLLM(["Once upon a time there was silence.", "Fine."], stalls_after=words)
        async with server.serving():
            llm = OpenAILLMService(api_key="unused", base_url=server.url)
            ledger = new_ledger()
            async with in_chain(cascade(llm, ledger), Kind.LOOPBACK, ledger) as talking:
                await talking.speak()
                await asyncio.sleep(PATIENCE_S - 1)
                assert not talking.below.down(ResponseEndFrame)
                await asyncio.sleep(5)
                (end,) = talking.below.down(ResponseEndFrame)
                (error,) = talking.chain.errors
                assert end.status == "failed"
                assert end.reason == error.error
                assert "text model openai" in error.error
                assert f"nothing for {PATIENCE_S:g} s" in error.error
                assert "see that it runs" in error.error
                said = "".join(f.text for f in talking.below.down(SpokenTextFrame))
                assert said.split() == ["Once", "upon", "a", "time"][:words]
                await talking.speak()
                await asyncio.sleep(PATIENCE_S + 5)
                assert talking.texts("agent")[-1].strip() == "Fine."
                assert len(talking.chain.errors) == 1

    run(scenario())


def test_an_answer_of_which_nothing_is_heard_has_failed() -> None:
    class Hoarse(PacedVoice):
        tried = 0

        async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
            self.tried += 1
            if self.tried == 1:
                raise ConnectionRefusedError("nobody speaks here")
            async for chunk in super().speak(text):
                yield chunk

    async def scenario() -> None:
        ledger = new_ledger()
        llm = EmbeddedLLM(made_by(Brain(["Not heard.", "Heard."])))
        async with in_chain(cascade(llm, ledger, voice=Hoarse()), Kind.EMBEDDED, ledger) as talking:
            for _ in range(2):
                await talking.speak()
                await asyncio.sleep(5)
            failed, heard = talking.below.down(ResponseEndFrame)
            assert (failed.status, heard.status) == ("failed", "completed")
            assert "synthesiser embedded failed" in (failed.reason or "")
            assert "nobody speaks here" in (failed.reason or "")

    run(scenario())


def test_a_turn_without_words_is_told_and_not_answered() -> None:
    async def scenario() -> None:
        ledger, brain = new_ledger(), Brain(["Yes?"])
        node = cascade(EmbeddedLLM(made_by(brain)), ledger, recogniser=Recogniser("", HEARD))
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(2)
            assert not brain.asked
            await talking.speak()
            await asyncio.sleep(2)
            said = [frame.text for frame in talking.above.up(UserTranscriptFrame)]
            assert said == ["", HEARD]
            assert len(brain.asked) == 1

    run(scenario())


def test_words_that_take_far_too_long_are_answered_nevertheless() -> None:
    async def scenario() -> None:
        ledger, brain = new_ledger(), Brain(["Finally."])
        recogniser = Recogniser(finish_s=6)
        node = cascade(EmbeddedLLM(made_by(brain)), ledger, recogniser=recogniser)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(10)
            # What was made out in time is answered; nothing is said twice.
            assert len(talking.above.up(UserTranscriptFrame)) == 1
            assert len(brain.asked) == 1

    run(scenario())


def test_a_turn_is_answered_with_its_own_words_also_if_those_before_it_come_late() -> None:
    async def scenario() -> None:
        ledger, brain = new_ledger(), Brain(["It is fine."])
        recogniser = Recogniser("what is", "the weather", finish_s=1)
        node = cascade(EmbeddedLLM(made_by(brain)), ledger, recogniser=recogniser)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await talking.speak()
            await asyncio.sleep(5)
            said = [frame.text for frame in talking.above.up(UserTranscriptFrame)]
            assert said[-1] == "what is the weather"
            assert [text for text, _ in brain.asked] == ["what is the weather"]

    run(scenario())


def test_a_service_that_cannot_be_set_up_is_told_once_and_is_not_usable() -> None:
    class Broken(EmbeddedTTS):
        async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
            raise RuntimeError("no such voice")

    async def scenario() -> None:
        ledger = new_ledger()
        tts = Broken(PacedVoice())
        node = Cascade(
            stt=EmbeddedSTT(Recogniser()),
            llm=EmbeddedLLM(made_by(Brain(["Well."]))),
            tts=tts,
            conversation=ledger,
        )
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await asyncio.sleep(1)
            (error,) = talking.chain.errors
            assert "no such voice" in error.error
            assert error.processor is tts
            assert not tts.is_usable

    run(scenario())


def test_a_call_that_ends_before_the_words_are_there_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        ledger = new_ledger()
        node = cascade(
            EmbeddedLLM(made_by(Brain(["Well."]))), ledger, recogniser=Recogniser(finish_s=60)
        )
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()

    run(scenario())


@pytest.mark.parametrize("named", ["elsewhere_1", ""])
def test_what_the_user_said_elsewhere_is_heard_first_and_answered(named: str) -> None:
    async def scenario() -> None:
        ledger, recogniser = new_ledger(), Recogniser("what is the weather")
        if named:
            ledger.user_transcript(named, "what is", final=False)
        said = b"\x10\x20" * 16000 * 3
        llm = EmbeddedLLM(made_by(Brain(["Sunny."])))
        node = cascade(llm, ledger, recogniser=recogniser, unfinished=said)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await asyncio.sleep(3)
            (utterance,) = recogniser.utterances
            assert utterance.heard == said
            (transcript,) = talking.above.up(UserTranscriptFrame)
            assert transcript.text == "what is the weather"
            assert not named or transcript.item_id == named
            assert talking.texts("user") == ["what is the weather"]
            assert talking.texts("agent") == ["Sunny."]
            assert node.unfinished_audio() == b""

    run(scenario())


def test_an_interruption_by_the_application_leaves_the_node_ready() -> None:
    async def scenario() -> None:
        ledger, brain = new_ledger(), Brain([LONG, "Yes."])
        node = cascade(EmbeddedLLM(made_by(brain)), ledger)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(1)
            await talking.chain.down(InterruptionFrame())
            await talking.chain.down(InputTextRawFrame("Still there?"))
            await asyncio.sleep(3)
            ends = [end.status for end in talking.below.down(ResponseEndFrame)]
            assert ends == ["interrupted", "completed"]

    run(scenario())


def test_a_picture_is_in_the_next_request() -> None:
    async def scenario() -> None:
        async with LoopbackLLM(["A dot."]).serving() as server:
            ledger = new_ledger()
            llm = OpenAILLMService(api_key="unused", base_url=server.url)
            async with in_chain(cascade(llm, ledger), Kind.LOOPBACK, ledger) as talking:
                await talking.chain.down(UserImageFrame(data=b"\x89PNG", media_type="image/png"))
                await talking.speak()
                await asyncio.sleep(3)
                assert not talking.below.down(UserImageFrame)
            (request,) = server.asked
            parts = [m["content"] for m in request["messages"] if isinstance(m["content"], list)]
            assert parts[0][0]["type"] == "image_url"

    run(scenario())


class TimedTTS(TTSService):
    """Tells when each of its words begins, as services do that know: 0.2 s apart."""

    def __init__(self) -> None:
        super().__init__(
            settings=TTSSettings(model="timed", voice=None, language=None),
            sample_rate=24000,
            push_text_frames=False,
            push_start_frame=True,
            push_stop_frames=True,
        )

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        words = text.split()
        times = [(word, 0.2 * number) for number, word in enumerate(words)]
        await self.add_word_timestamps(times, context_id)
        for _ in words:
            yield TTSAudioRawFrame(
                audio=b"\x10\x10" * 4800, sample_rate=24000, num_channels=1, context_id=context_id
            )


def test_the_words_own_times_tell_what_was_heard_of_an_interrupted_answer() -> None:
    text = "Unquestionably no. I am a very slow speaker indeed today."

    async def scenario() -> None:
        ledger = new_ledger()
        node = Cascade(
            stt=EmbeddedSTT(Recogniser()),
            llm=EmbeddedLLM(made_by(Brain([text]))),
            tts=TimedTTS(),
            conversation=ledger,
        )
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(0.9)
            await talking.chain.down(InterruptionFrame())
            await asyncio.sleep(1)
        told = [each for frame in talking.below.down(WordTimingsFrame) for each in frame.timings]
        assert [text[: each.end_character].split()[-1] for each in told] == text.split()
        ends_ms = [each.end_ms for each in told]
        assert ends_ms == pytest.approx([200.0 * (n + 1) for n in range(len(told))], abs=30)
        (turn,) = [t for t in ledger.to_dict()["turns"] if t["role"] == "agent"]
        played_ms = talking.ledger.entries[-1].items[0].played_ms  # type: ignore[union-attr]
        assert played_ms is not None
        heard = [text[: each.end_character] for each in told if each.end_ms <= played_ms]
        assert turn["heard"] == heard[-1]
        assert 3 <= len(turn["heard"].split()) <= 5

    run(scenario())


@pytest.mark.parametrize("rate_hz", [16000, 22050])
def test_the_voice_is_brought_to_the_rate_of_the_chain(rate_hz: int) -> None:
    async def scenario() -> None:
        ledger = new_ledger()
        voice = PacedVoice(rate_hz=rate_hz)
        node = cascade(EmbeddedLLM(made_by(Brain(["Hello there."]))), ledger, voice=voice)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(3)
            speech = talking.below.down(SpeechFrame)
            assert {frame.sample_rate for frame in speech} == {24000}
            (end,) = talking.below.down(ResponseEndFrame)
            # 65 ms a character, spaces too.
            (received_ms,) = end.received_ms.values()
            assert received_ms == pytest.approx(12 * 65, abs=70)

    run(scenario())
