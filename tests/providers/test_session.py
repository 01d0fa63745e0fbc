"""A session over a real socket on this machine."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from crossfade.conversation.history import Speaker, Utterance
from crossfade.errors import (
    CallerError,
    ConnectionLost,
    CredentialsRefused,
    CrossfadeError,
    ProviderFault,
    SettingsError,
    SoundError,
)
from crossfade.providers import RealtimeSession, connect
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    SessionOpened,
    SpeechStarted,
    UserTurnCommitted,
)
from crossfade.providers.profiles import Profile
from crossfade.providers.tap import WireDirection
from tests.clock import run
from tests.providers.loopback import Peer, Script, loopback, settle
from tests.providers.one_line import connection, protocol
from tests.providers.openai_messages import (
    Message,
    audio_ms,
    committed,
    created,
    done,
    error,
    kinds,
    speech_started,
)

SPEC = "openai:gpt-realtime-2.1"
Use = Callable[[RealtimeSession], Coroutine[Any, Any, None]]


def talk(script: Script, use: Use, config: SessionConfig | None = None, **options: Any) -> None:
    """Serve `script` and run `use` on a session with it."""

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(
                SPEC, config, base_url=url, continuity=None, api_key="key", **options
            ) as session,
        ):
            await use(session)

    run(main())


async def all_events(session: RealtimeSession) -> tuple[list[Event], CrossfadeError | None]:
    """What comes until the session ends, and what ended it."""
    events: list[Event] = []
    try:
        async for event in session:
            events += [event]
    except CrossfadeError as ended:
        return events, ended
    return events, None


async def nothing(session: RealtimeSession) -> None:
    pass


def test_a_turn_by_text() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("response.create")
        await peer.send(created(), audio_ms(20), done())
        await peer.until_closed()
        assert kinds(peer.received) == [
            "session.update",
            "conversation.item.create",
            "response.create",
        ]

    async def use(session: RealtimeSession) -> None:
        await session.send_text("Hello")
        events = []
        async for event in session:
            events.append(type(event).__name__)
            if isinstance(event, ResponseDone):
                break
        assert events == ["SessionOpened", "ResponseStarted", "AudioChunk", "ResponseDone"]

    talk(script, use)


def test_text_without_an_answer() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("conversation.item.delete")
        assert "response.create" not in kinds(peer.received)

    async def use(session: RealtimeSession) -> None:
        await session.send_text("Hello", respond=False)
        connection(session)._put_control([b'{"type":"conversation.item.delete"}'])
        await settle()

    talk(script, use)


def test_a_tool_round() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(created())
        item = await peer.expect("conversation.item.create")
        assert item["item"]["output"] == '{"error":"no such city"}'
        await peer.send(done())
        await peer.expect("response.create")

    async def use(session: RealtimeSession) -> None:
        await session.send_tool_response("call_1", "no such city", is_error=True)
        await session.respond()
        async for event in session:
            if isinstance(event, ResponseDone):
                break
        await settle()

    talk(script, use)


def test_the_callers_turn_keeps_its_audio_before_its_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("response.create")
        assert kinds(peer.received[1:]) == [
            "input_audio_buffer.clear",
            *["input_audio_buffer.append"] * 5,
            "input_audio_buffer.commit",
            "response.create",
        ]

    async def use(session: RealtimeSession) -> None:
        await session.start_turn()
        for _ in range(4):
            session.send_audio_nowait(bytes(960 * 2))
        await session.send_audio(bytes(960 * 2))
        session.send_audio_nowait(b"")
        await session.end_turn()
        await settle()

    talk(script, use, SessionConfig(turn_detection=TurnDetection.CALLER))


def test_what_arrives_after_an_interruption_is_dropped() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(created(), audio_ms(20), audio_ms(20), audio_ms(20))
        await peer.expect("conversation.item.truncate")
        await peer.send(done(status="cancelled"))
        assert kinds(peer.received[1:]) == ["response.cancel", "conversation.item.truncate"]

    async def use(session: RealtimeSession) -> None:
        chunks = 0
        async for event in session:
            if isinstance(event, AudioChunk):
                chunks += 1
                await settle()
                await session.interrupt({event.item_id: 10})
            if isinstance(event, ResponseDone):
                break
        assert chunks == 1

    talk(script, use)


def test_history_and_tap() -> None:
    class Tap:
        def __init__(self) -> None:
            self.seen: list[tuple[WireDirection, str]] = []

        def message(self, direction: WireDirection, message: str | bytes) -> None:
            text = message if isinstance(message, str) else message.decode()
            self.seen.append((direction, text.partition('"type":"')[2].partition('"')[0]))

    tap = Tap()

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("conversation.item.create")

    async def use(session: RealtimeSession) -> None:
        await settle()
        assert tap.seen == [
            (WireDirection.SENT, "session.update"),
            (WireDirection.SENT, "conversation.item.create"),
            (WireDirection.RECEIVED, "session.created"),
            (WireDirection.RECEIVED, "session.updated"),
        ]
        statistics = session.statistics()
        assert (statistics.sent_messages, statistics.received_messages) == (2, 2)

    talk(script, use, history=[Utterance(speaker=Speaker.USER, text="Hi")], tap=tap)


def test_no_error_of_the_provider_ends_the_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        codes = ["invalid_value", "response_cancel_not_active", None, "session_expired"]
        await peer.send(*(error(code) for code in codes), created())
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        kinds = [type(await anext(session)).__name__ for _ in range(6)]
        assert kinds == ["SessionOpened", *["ProviderError"] * 4, "ResponseStarted"]

    talk(script, use)


def test_a_dead_connection_is_told_after_all_events() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(speech_started("u"), committed("u"))
        await peer.websocket.close(1001, "Your session hit the maximum duration.")

    async def use(session: RealtimeSession) -> None:
        await settle()
        events, ended = await all_events(session)
        assert [type(event) for event in events] == [
            SessionOpened,
            SpeechStarted,
            UserTurnCommitted,
        ]
        assert isinstance(ended, ConnectionLost)
        assert ended.close_code == 1001
        assert "maximum duration" in str(ended)
        assert "127.0.0.1:" in str(ended)
        for verb in (session.respond, lambda: session.send_text("x")):
            with pytest.raises(ConnectionLost):
                await verb()
        assert await all_events(session) == ([], ended), "told again to who asks again"

    talk(script, use)


def test_a_line_that_was_cut_is_a_lost_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.websocket.transport.abort()

    async def use(session: RealtimeSession) -> None:
        _, ended = await all_events(session)
        assert isinstance(ended, ConnectionLost)
        assert ended.close_code == 1006

    talk(script, use)


def test_a_fatal_error_is_an_event_and_ends_the_session_only_with_its_line() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(error("insufficient_quota", "No money."), speech_started("u"))
        await peer.expect("conversation.item.create")
        await peer.websocket.close(1000)

    async def use(session: RealtimeSession) -> None:
        events = [await anext(session) for _ in range(3)]
        assert isinstance(events[1], ProviderError)
        assert isinstance(events[2], SpeechStarted)
        await session.send_text("Are you there?", respond=False)
        events, ended = await all_events(session)
        assert events == []
        assert isinstance(ended, ProviderFault)
        assert ended.code == "insufficient_quota"

    talk(script, use)


def test_a_fatal_error_of_a_session_that_answers_again_is_not_why_it_ends() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(error("insufficient_quota", "No money."), created(), done())
        peer.websocket.transport.abort()

    async def use(session: RealtimeSession) -> None:
        events, ended = await all_events(session)
        assert isinstance(events[-1], ResponseDone)
        assert isinstance(ended, ConnectionLost)
        assert ended.code is None

    talk(script, use)


def test_a_lost_connection_says_what_the_provider_said() -> None:
    async def expire(peer: Peer) -> None:
        await peer.accept()
        await peer.send(error("session_expired", "Your session hit 60 minutes; key-of-mine."))
        await peer.websocket.close(1001)

    async def use(session: RealtimeSession) -> None:
        _, ended = await all_events(session)
        assert isinstance(ended, ConnectionLost)
        assert (ended.close_code, ended.code) == (1001, "session_expired")
        assert ended.reason == "Your session hit 60 minutes; [key]."

    async def main() -> None:
        async with (
            loopback(expire) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key-of-mine") as session,
        ):
            await use(session)

    run(main())


def test_a_close_reason_is_kept_without_the_key() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.websocket.close(1011, "key-of-mine met an internal error")

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key-of-mine") as session,
        ):
            _, ended = await all_events(session)
            assert isinstance(ended, ConnectionLost)
            assert (ended.close_code, ended.reason) == (1011, "[key] met an internal error")

    run(main())


def test_closing_ends_the_iteration_of_who_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        waiting = asyncio.create_task(all_events(session))
        await settle()
        await session.close()
        events, ended = await waiting
        assert len(events) == 1
        assert ended is None
        await session.close()

    talk(script, use)


def test_a_cancelled_reader_loses_nothing() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("response.create")
        await peer.send(created())
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        await anext(session)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(session)
        await session.respond()
        assert type(await anext(session)).__name__ == "ResponseStarted"

    talk(script, use)


@pytest.mark.parametrize(
    "verb",
    [
        lambda session: session.send_audio(b"\0\0"),
        lambda session: session.send_text("x"),
        lambda session: session.send_tool_response("c", 1),
        lambda session: session.respond(),
        lambda session: session.say("x"),
        lambda session: session.interrupt({}),
        lambda session: session.start_turn(),
        lambda session: session.end_turn(),
    ],
)
def test_no_verb_works_on_a_closed_session(
    verb: Callable[[RealtimeSession], Awaitable[None]],
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()

    async def use(session: RealtimeSession) -> None:
        await session.close()
        with pytest.raises(CallerError, match="closed"):
            await verb(session)

    talk(script, use)


def test_a_session_must_be_opened_and_only_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()

    async def use(session: RealtimeSession) -> None:
        with pytest.raises(CallerError, match="once"):
            await session.open()

    talk(script, use)

    async def main() -> None:
        session = connect(SPEC, api_key="key")
        with pytest.raises(CallerError, match="not open"):
            await session.respond()
        with pytest.raises(CallerError, match="not open"):
            await anext(session)
        await session.close()

    run(main())


def test_what_cannot_be_used_is_refused_before_anything_is_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()
        assert kinds(peer.received) == ["session.update"]

    async def use(session: RealtimeSession) -> None:
        with pytest.raises(SoundError, match="3 bytes"):
            session.send_audio_nowait(b"abc")
        for text in ("", "  \n"):
            with pytest.raises(SettingsError):
                await session.send_text(text)
            with pytest.raises(SettingsError):
                await session.say(text)
        with pytest.raises(SettingsError):
            await session.send_tool_response("c", object())
        with pytest.raises(SettingsError):
            await session.end_turn()
        await settle()

    talk(script, use)


def test_a_model_that_cannot_speak_aside_is_not_asked_to() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()

    async def use(session: RealtimeSession) -> None:
        protocol(session)._profile = Profile(  # type: ignore[attr-defined]
            model="plain", input_rate_hz=24000, output_rate_hz=24000
        )
        with pytest.raises(SettingsError, match="plain"):
            await session.say("One moment.")

    talk(script, use)


def test_the_key_may_come_from_a_function() -> None:
    keys: list[Message] = []

    async def script(peer: Peer) -> None:
        assert peer.websocket.request is not None
        keys.append(dict(peer.websocket.request.headers.raw_items()))
        await peer.accept()

    async def fresh() -> str:
        return "asynchronous"

    async def main() -> None:
        async with loopback(script) as url:
            for key in (lambda: "synchronous", fresh):
                async with connect(SPEC, base_url=url, continuity=None, api_key=key):
                    pass

    run(main())
    assert [key["Authorization"] for key in keys] == ["Bearer synchronous", "Bearer asynchronous"]


@pytest.mark.parametrize("key", ["", " ", "a\nb", "schlüssel", "k\r\nX-Evil: 1"])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    async def main() -> None:
        with pytest.raises(SettingsError, match="OPENAI_API_KEY") as caught:
            await connect(SPEC, api_key=lambda: key).open()
        assert not key.strip() or key not in str(caught.value)

    run(main())


def test_a_refused_key_is_credentials_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(error("invalid_api_key", "Incorrect API key provided: sk-secret"))
        await peer.websocket.close(3000, "invalid_request_error.invalid_api_key")

    with pytest.raises(CredentialsRefused, match="OPENAI_API_KEY") as caught:
        talk(script, nothing)
    assert "secret" not in str(caught.value)
