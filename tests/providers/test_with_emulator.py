"""A session with the emulated service: the whole of a call's wire, end to end."""

import asyncio

import pytest

from crossfade.conversation.tools import ToolDeclaration
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.providers import (
    Modality,
    RealtimeSession,
    Reasoning,
    SessionConfig,
    TurnDetection,
    connect,
)
from crossfade.providers.events import (
    AudioChunk,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    Severity,
    TextDelta,
    ToolCall,
)
from tests.clock import run

SPEC = "openai:gpt-realtime-2.1"
CALLER = SessionConfig(turn_detection=TurnDetection.CALLER)
WEATHER = ToolDeclaration(
    name="get_weather",
    description="Weather of a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)


class Answer:
    """What comes until a response ends."""

    def __init__(self) -> None:
        self.text = ""
        self.audio_ms = 0.0
        self.calls: list[ToolCall] = []
        self.injected = False
        self.status: ResponseStatus | None = None

    async def listen(self, session: RealtimeSession, *, cut_after_ms: float = 1e9) -> "Answer":
        async for event in session:
            match event:
                case ResponseStarted():
                    self.injected = event.injected
                case TextDelta():
                    self.text += event.text
                case AudioChunk():
                    self.audio_ms += len(event.pcm) / 48
                    if self.audio_ms >= cut_after_ms:
                        await session.interrupt({event.item_id: cut_after_ms})
                        cut_after_ms = 1e9
                case ToolCall():
                    self.calls.append(event)
                case ProviderError():
                    assert event.severity is Severity.HARMLESS, event
                case ResponseDone():
                    self.status = event.status
                    return self
        raise AssertionError("the session ended")


def test_a_typed_question_is_answered_in_speech() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator() as emulator,
            connect(SPEC, CALLER, base_url=emulator.url, api_key="key") as session,
        ):
            await session.send_text("Hello")
            answer = await Answer().listen(session)
            assert answer.status is ResponseStatus.COMPLETED
            assert answer.text
            assert answer.audio_ms > 100

    run(main())


def test_a_tool_round_with_a_phrase_while_it_runs() -> None:
    async def main() -> None:
        config = SessionConfig(turn_detection=TurnDetection.CALLER, tools=[WEATHER])
        async with (
            OpenAIEmulator() as emulator,
            connect(SPEC, config, base_url=emulator.url, api_key="key") as session,
        ):
            calls: list[ToolCall] = []
            for text in ("Hello", "What is the weather in Tokyo?"):
                await session.send_text(text)
                calls += (await Answer().listen(session)).calls
                if calls:
                    break
            (call,) = calls
            assert (call.name, call.arguments) == ("get_weather", {"city": "Tokyo"})
            await session.say("One moment.")
            phrase = await Answer().listen(session)
            assert phrase.injected
            assert phrase.text == "One moment."
            await session.send_tool_response(call.id, {"sky": "clear", "temperature_c": 21})
            await session.respond()
            answer = await Answer().listen(session)
            assert not answer.injected
            assert answer.status is ResponseStatus.COMPLETED

    run(main())


def test_an_interrupted_answer_is_truncated_where_it_was_cut() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator() as emulator,
            connect(SPEC, CALLER, base_url=emulator.url, api_key="key") as session,
        ):
            await session.send_text("Hello")
            await Answer().listen(session, cut_after_ms=100)
            await asyncio.sleep(0.1)
            (truncate,) = emulator.sessions[0].received.of("conversation.item.truncate")
            assert truncate["audio_end_ms"] == 100
            await session.send_text("Hello again")
            assert (await Answer().listen(session)).status is ResponseStatus.COMPLETED

    run(main())


@pytest.mark.parametrize(
    "config",
    [
        SessionConfig(turn_detection=TurnDetection.SEMANTIC, languages=["en", "de"]),
        SessionConfig(threshold=0.6, prefix_ms=200, silence_ms=300),
        SessionConfig(interruptible=False, languages=["en-GB"]),
        SessionConfig(modality=Modality.TEXT),
        SessionConfig(speed=1.2, reasoning=Reasoning.LOW, max_output_tokens=500),
        SessionConfig(compress_context=False, voice="calm"),
    ],
)
def test_every_configuration_is_accepted_and_answered(config: SessionConfig) -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator() as emulator,
            connect(SPEC, config, base_url=emulator.url, api_key="key") as session,
        ):
            await session.send_text("Hello")
            answer = await Answer().listen(session)
            assert answer.status is ResponseStatus.COMPLETED
            assert answer.text
            assert (answer.audio_ms > 0) == (config.modality is Modality.AUDIO)

    run(main())


def test_images_changes_and_partial_results_are_accepted() -> None:
    async def main() -> None:
        config = SessionConfig(turn_detection=TurnDetection.CALLER, tools=[WEATHER], voice="warm")
        async with (
            OpenAIEmulator() as emulator,
            connect(SPEC, config, base_url=emulator.url, api_key="key") as session,
        ):
            await session.send_image(b"\x89PNG\r\n\x1a\n", "image/png")
            await session.send_text("Hello")
            await Answer().listen(session)
            await session.send_text("What is the weather in Tokyo?")
            (call,) = (await Answer().listen(session)).calls
            await session.send_tool_response(call.id, "looking", final=False)
            await session.send_tool_response(call.id, {"sky": "clear", "temperature_c": 21})
            await session.respond()
            answer = await Answer().listen(session)
            assert (answer.status, answer.calls) == (ResponseStatus.COMPLETED, [])
            await session.update(instructions="Be brief.", voice="warm", tools=[])
            await session.send_text("Hello")
            assert (await Answer().listen(session)).status is ResponseStatus.COMPLETED

    run(main())


SCENARIO = """
otherwise: Goodbye.
turns:
  - on: any
    say: Let me look.
    call:
      - name: get_weather
        arguments: {city: Tokyo}
  - on: tool_results
    say: It is clear there.
"""


@pytest.mark.parametrize("model", ["gemini-3.8-live", "gemini-3.1-flash-live-preview", "openai"])
def test_who_asks_only_whether_tools_are_awaited_hears_the_answer_out(model: str) -> None:
    async def main() -> None:
        backend = ScriptedBackend(parse_scenario(SCENARIO))
        openai = model == "openai"
        emulator = OpenAIEmulator(backend) if openai else GeminiEmulator(backend)
        spec = SPEC if openai else f"gemini:{model}"
        config = SessionConfig(tools=[WEATHER])
        async with (
            emulator,
            connect(spec, config, base_url=emulator.url, api_key="key") as session,
        ):
            await session.send_text("What is the weather in Tokyo?")
            said = ""
            async for event in session:
                match event:
                    case TextDelta(text=text):
                        said += text
                    case ToolCall(id=call_id, arguments=arguments):
                        assert arguments == {"city": "Tokyo"}
                        await session.send_tool_response(call_id, {"sky": "clear"})
                    case ResponseDone(awaits_tools=True):
                        await session.respond()
                    case ResponseDone():
                        break
            assert said.replace(" ", "") == "Letmelook.Itisclearthere."

    run(main())
