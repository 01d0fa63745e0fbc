"""A session with a Moshi server over a real socket on this machine, in Ogg/Opus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import ConnectionLost, ProviderFault, SettingsError
from crossfade.providers import RealtimeSession, SessionConfig, TurnDetection, connect
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionExpiring,
    SessionOpened,
    SpeechDone,
    TextDelta,
)
from tests.clock import run
from tests.providers.loopback import settle
from tests.providers.moshi_frames import PYTHON_HANDSHAKE, RUST_HANDSHAKE, error, silence, speech
from tests.providers.moshi_server import MoshiServer, serving

ASKED = speech(800) + silence(3000)


def talk(
    server: MoshiServer, use: Callable[[RealtimeSession], Awaitable[None]], query: str = ""
) -> None:
    async def main() -> None:
        async with (
            serving(server) as url,
            connect("moshi:", base_url=url + query, continuity=None) as session,
        ):
            await use(session)

    run(main())


async def until_done(session: RealtimeSession) -> list[Event]:
    events: list[Event] = []
    async for event in session:
        events.append(event)
        if isinstance(event, ResponseDone):
            break
    return events


def sound(events: list[Event]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, AudioChunk))


@pytest.mark.parametrize("handshake", [PYTHON_HANDSHAKE, RUST_HANDSHAKE], ids=["python", "rust"])
def test_a_conversation(handshake: bytes) -> None:
    async def use(session: RealtimeSession) -> None:
        await session.send_audio(ASKED)
        opened, started, *middle, spoken, done = await until_done(session)
        assert opened == SessionOpened(session_id="", model="moshi")
        assert isinstance(started, ResponseStarted)
        assert isinstance(spoken, SpeechDone)
        assert spoken.response_id == started.response_id
        assert done == ResponseDone(
            response_id=started.response_id, status=ResponseStatus.COMPLETED
        )
        words = [event.text for event in middle if isinstance(event, TextDelta)]
        assert "".join(words) == "I hear you."
        answer = sound(middle)
        # 960 ms of speech, the pre-roll before it and the silence after it, to a frame.
        assert len(answer) / 48 == pytest.approx(960 + 160 + 600, abs=80)
        assert rms_dbfs(answer[400 * 48 : 1000 * 48]) == pytest.approx(rms_dbfs(speech()), abs=1)

        await session.send_audio(ASKED)
        again = await until_done(session)
        assert isinstance(again[0], ResponseStarted)
        assert again[0].response_id != started.response_id
        assert len(sound(again)) == pytest.approx(len(answer), abs=80 * 48)

    talk(MoshiServer(handshake=handshake), use)


def test_the_server_hears_all_that_is_said() -> None:
    server = MoshiServer()

    async def use(session: RealtimeSession) -> None:
        for _ in range(40):
            await session.send_audio(speech(20))
        await session.send_audio(silence(2400))
        await until_done(session)
        await settle()
        heard = np.concatenate(server.heard)
        assert len(heard) == 24000 * 32 // 10
        loud = np.flatnonzero(np.abs(heard) > 0.1)
        assert len(loud) > 0.75 * (loud[-1] - loud[0])
        assert (loud[-1] - loud[0]) / 24 == pytest.approx(800, abs=15)

    talk(server, use, "?max_steps=4500&audio_seed=1")
    assert server.queries == ["/api/chat?max_steps=4500&audio_seed=1"]


def test_an_interruption_cuts_the_answer_and_the_next_one_is_heard() -> None:
    async def use(session: RealtimeSession) -> None:
        # The server answers a frame for a frame: the answer has begun and is not over.
        await session.send_audio(speech(800) + silence(800))
        async for event in session:
            if isinstance(event, AudioChunk):
                break
        assert isinstance(event, AudioChunk)
        await session.interrupt({event.item_id: 0})
        await session.send_audio(silence(2000))
        cut = await until_done(session)
        assert cut[-1] == ResponseDone(
            response_id=event.response_id, status=ResponseStatus.INTERRUPTED
        )
        assert not sound(cut)
        await session.send_audio(ASKED)
        again = await until_done(session)
        assert isinstance(again[0], ResponseStarted)
        assert again[0].response_id != event.response_id
        assert "ResponseDone" not in {type(event).__name__ for event in again[:-1]}

    talk(MoshiServer(), use)


def test_a_busy_server_is_sent_nothing_and_given_up_in_time() -> None:
    server = MoshiServer(busy=True)

    async def main() -> None:
        async with serving(server) as url:
            with pytest.raises(ConnectionLost, match=r"no session began within 10 s.*busy"):
                await connect("moshi:", base_url=url).open()

    run(main())
    assert server.queries
    assert server.received == []


def test_a_server_that_reports_an_error_at_once_refuses_the_session() -> None:
    async def main() -> None:
        async with serving(MoshiServer(first_messages=[error("no GPU")])) as url:
            with pytest.raises(ProviderFault, match="no GPU"):
                await connect("moshi:", base_url=url).open()

    run(main())


def test_the_end_of_the_steps_ends_the_session() -> None:
    async def use(session: RealtimeSession) -> None:
        await session.send_audio(silence(1000))
        with pytest.raises(ConnectionLost, match="close code 1000"):
            await until_done(session)

    talk(MoshiServer(steps=10), use)


def test_the_six_minutes_are_announced_before_they_are_over() -> None:
    async def use(session: RealtimeSession) -> None:
        loop = asyncio.get_running_loop()
        opened_at_s = loop.time()
        async for event in session:
            if isinstance(event, SessionExpiring):
                break
        left_s = 360 - (loop.time() - opened_at_s)
        assert 0 < left_s < 360
        assert isinstance(event, SessionExpiring)
        assert event.in_s == pytest.approx(left_s, abs=0.1)

    talk(MoshiServer(), use)


def test_garbage_in_the_middle_is_an_error_and_the_conversation_goes_on() -> None:
    server = MoshiServer(first_messages=[PYTHON_HANDSHAKE, b"\x01garbage"])

    async def use(session: RealtimeSession) -> None:
        await session.send_audio(ASKED)
        events = await until_done(session)
        assert len([event for event in events if isinstance(event, ProviderError)]) == 1
        assert sound(events)

    talk(server, use)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("send_text", ["Hello"]),
        ("send_image", [b"x", "image/png"]),
        ("send_tool_response", ["call_1", "{}"]),
        ("respond", []),
        ("say", ["Hello"]),
        ("start_turn", []),
        ("end_turn", []),
    ],
)
def test_what_it_cannot_do_sends_nothing(verb: str, arguments: list[Any]) -> None:
    server = MoshiServer()

    async def use(session: RealtimeSession) -> None:
        await settle()
        before = len(server.received)
        with pytest.raises(SettingsError):
            await getattr(session, verb)(*arguments)
        await settle()
        assert len(server.received) == before == 1

    talk(server, use)


@pytest.mark.parametrize(
    "config",
    [
        SessionConfig(turn_detection=TurnDetection.CALLER),
        SessionConfig(turn_detection=TurnDetection.SEMANTIC),
        SessionConfig(tools=[ToolDeclaration(name="f", description="", parameters={})]),
        SessionConfig(instructions="Be brief."),
    ],
    ids=["caller turns", "semantic turns", "tools", "instructions"],
)
def test_what_it_cannot_be_is_refused_before_anything_is_dialled(config: SessionConfig) -> None:
    server = MoshiServer()

    async def main() -> None:
        async with serving(server) as url:
            with pytest.raises(SettingsError):
                await connect("moshi:", config, base_url=url).open()

    run(main())
    assert server.queries == []


def test_it_cannot_be_told_what_was_said_before() -> None:
    with pytest.raises(SettingsError, match="before"):
        connect("moshi:", history=[Utterance(speaker=Speaker.USER, text="Hi")])


def test_the_profile_says_what_it_is() -> None:
    profile = connect("moshi:").profile
    assert profile.session_limit_s == 360
    assert profile.full_duplex
    assert profile.server_vad
    able = {name for name in profile.__slots__ if getattr(profile, name) is True}
    assert able == {"full_duplex", "server_vad"}
