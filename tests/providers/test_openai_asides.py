"""What is said out of band: beside the conversation, which never learns of it."""

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    TextDelta,
)
from tests.clock import run

SPEC = "openai:gpt-realtime-2.1"
CONFIG = SessionConfig(turn_detection=TurnDetection.CALLER)


def test_a_phrase_is_rendered_ahead_while_the_agent_answers() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator() as emulator,
            connect(SPEC, CONFIG, base_url=emulator.url, api_key="key") as session,
        ):
            await session.send_text("Hello")
            await session.respond_aside('Say exactly: "One moment."', text="", label="wait")
            events: list[Event] = []
            async for event in session:
                events.append(event)
                if sum(isinstance(one, ResponseDone) for one in events) == 2:
                    break
            starts = [one for one in events if isinstance(one, ResponseStarted)]
            (phrase,) = [one for one in starts if one.label == "wait"]
            (answer,) = [one for one in starts if one.label == ""]
            assert phrase.injected
            assert not answer.injected
            mine = [one for one in events if getattr(one, "response_id", "") == phrase.response_id]
            words = "".join(one.text for one in mine if isinstance(one, TextDelta))
            assert words == "One moment."
            assert sum(len(one.pcm) for one in mine if isinstance(one, AudioChunk)) > 4800
            ends = [one.status for one in events if isinstance(one, ResponseDone)]
            assert ends == [ResponseStatus.COMPLETED] * 2

    run(main())
