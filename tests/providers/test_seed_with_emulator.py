"""A session that was told what was said before goes on as if it had heard it."""

import asyncio
from collections.abc import Sequence

import pytest

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.providers import RealtimeSession, SessionConfig, connect
from crossfade.providers.events import Event, ProviderError, ResponseDone, ResponseStarted
from tests.clock import run

SPECS = [
    "openai:gpt-realtime-2.1",
    "gemini:gemini-3.8-live",
    "gemini:gemini-3.8-live-extended-thinking",
    "gemini:gemini-3.1-flash-live-preview",
    "gemini:gemini-2.5-flash-native-audio-preview-12-2025",
]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8ffff3f0005fe02fea1399e1b0000000049454e44ae426082"
)
CUT: Sequence[HistoryItem] = (
    Notice(text="The user sails."),
    Utterance(speaker=Speaker.USER, text="My boat is called Petrel."),
    Picture(data=PIXEL, media_type="image/png"),
    ToolCall(id="call:1", name="depth", arguments={"lake": "Thun"}),
    ToolResult(call_id="call:1", output={"metres": 217}),
    Utterance(speaker=Speaker.AGENT, text="A fine name, it"),
    Notice(text="Your answer was cut off there. Go on from there, and repeat nothing."),
)
DEPTH = ToolDeclaration(name="depth", description="Depth of a lake.")


async def heard(session: RealtimeSession) -> list[Event]:
    """What comes until nothing has come for a while."""
    events: list[Event] = []
    while True:
        try:
            async with asyncio.timeout(20):
                events.append(await anext(session))
        except TimeoutError:
            return events


@pytest.mark.parametrize("spec", SPECS)
def test_to_go_on_after_a_cut_brings_one_answer(spec: str) -> None:
    async def main() -> None:
        async with (
            (OpenAIEmulator if spec.startswith("openai") else GeminiEmulator)() as emulator,
            connect(
                spec,
                SessionConfig(tools=[DEPTH]),
                base_url=emulator.url,
                api_key="key",
                history=CUT,
                continuity=None,
            ) as session,
        ):
            before = await heard(session)
            assert not any(isinstance(event, ResponseStarted) for event in before)
            await session.respond()
            events = [*before, *await heard(session)]
            assert not [event for event in events if isinstance(event, ProviderError)]
            assert len([event for event in events if isinstance(event, ResponseStarted)]) == 1
            assert len([event for event in events if isinstance(event, ResponseDone)]) == 1

    run(main())


def test_a_call_of_an_earlier_session_is_answered_in_this_one() -> None:
    history = (CUT[1], ToolCall(id="call:1", name="depth", arguments={"lake": "Thun"}))

    async def main() -> None:
        async with (
            OpenAIEmulator() as emulator,
            connect(
                SPECS[0],
                SessionConfig(tools=[DEPTH]),
                base_url=emulator.url,
                api_key="key",
                history=history,
                continuity=None,
            ) as session,
        ):
            await session.send_tool_response("call:1", {"metres": 217})
            await session.respond()
            events = await heard(session)
            assert not [event for event in events if isinstance(event, ProviderError)]
            (done,) = (event for event in events if isinstance(event, ResponseDone))
            assert not done.awaits_tools

    run(main())
