"""What callers can ask of a session, and how its end is announced."""

import asyncio
import base64
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import CallerError, CrossfadeError, SettingsError, SoundError
from crossfade.providers import (
    Encoding,
    ProviderError,
    RealtimeSession,
    SessionConfig,
    SessionExpiring,
    SessionOpened,
    connect,
)
from tests.clock import run
from tests.providers.loopback import Peer, Script, loopback, settle
from tests.providers.one_line import connection, lines, protocol
from tests.providers.openai_messages import error, kinds, session_updated

SPEC = "openai:gpt-realtime-2.1"
# Nothing tells by its form that it is a key.
KEY = "0a1b2c3d4e5f6789"


def talk(
    script: Script,
    use: Callable[[RealtimeSession], Awaitable[None]],
    config: SessionConfig | None = None,
    spec: str = SPEC,
    **options: Any,
) -> None:
    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(spec, config, base_url=url, continuity=None, api_key=KEY, **options) as session,
        ):
            await use(session)

    run(main())


async def hear_everything(peer: Peer) -> None:
    await peer.accept()
    await peer.until_closed()


def test_every_verb_sends_its_message() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("response.create")
        items = [m["item"] for m in peer.received if m["type"] == "conversation.item.create"]
        assert [item.get("role") or item["type"] for item in items] == [
            "user",
            "system",
            "function_call_output",
        ]
        assert kinds(peer.received[1:]) == [
            *["conversation.item.create"] * 3,
            "session.update",
            "response.create",
        ]

    async def use(session: RealtimeSession) -> None:
        await session.send_image(b"\xff\xd8\xff", "image/jpeg")
        await session.send_tool_response("call_1", "half way", final=False)
        await session.send_tool_response("call_1", "done")
        await session.update(
            instructions="Be brief.", tools=[ToolDeclaration(name="f", description="")]
        )
        assert session.config.instructions == "Be brief."
        assert len(session.config.tools) == 1
        await session.respond()
        await settle()

    talk(script, use)


def test_what_the_model_lacks_is_refused_before_anything_is_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(session_updated())
        await peer.expect("session.update")
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        with pytest.raises(SettingsError, match=r"qwen.* sees no images"):
            await session.send_image(b"\xff\xd8\xff", "image/jpeg")
        with pytest.raises(SettingsError, match="one result"):
            await session.send_tool_response("call_1", "half way", final=False)
        with pytest.raises(SettingsError, match="voice"):
            await session.update(voice="calm")
        await settle()
        assert session.statistics().sent_messages == 1

    talk(script, use, spec="openai:qwen3-omni-flash-realtime", dialect="qwen")


def test_audio_that_does_not_fit_is_refused() -> None:
    async def use(session: RealtimeSession) -> None:
        with pytest.raises(SoundError, match="24000 Hz"):
            await session.send_audio(bytes(32), rate_hz=16000)
        with pytest.raises(SoundError, match="channel"):
            await session.send_audio(bytes(32), channels=2)
        with pytest.raises(SoundError, match="half"):
            await session.send_audio(bytes(33))
        await session.send_text("Wait for me.", respond=False)
        session.send_audio_nowait(bytes(96), rate_hz=24000, channels=1)
        assert session.statistics().waiting_audio_ms == 2.0

    talk(hear_everything, use)


def test_a_file_may_be_pushed_as_fast_as_the_line_takes_it() -> None:
    async def use(session: RealtimeSession) -> None:
        for _ in range(1500):
            await session.send_audio(bytes(960))
        assert session.statistics().dropped_audio_ms == 0

    talk(hear_everything, use)


def test_g711_is_8_khz_and_one_byte_a_sample() -> None:
    async def use(session: RealtimeSession) -> None:
        assert (session.input_rate_hz, session.output_rate_hz) == (8000, 8000)
        await session.send_text("Wait for me.", respond=False)
        session.send_audio_nowait(bytes(81), rate_hz=8000)
        assert session.statistics().waiting_audio_ms == 81 / 8

    talk(hear_everything, use, SessionConfig(encoding=Encoding.ULAW))


def expiring(expires_at: Callable[[], float | None]) -> tuple[float, SessionExpiring]:
    """When a session that nobody speaks in announces its end, and how."""
    told: list[tuple[float, SessionExpiring]] = []

    async def script(peer: Peer) -> None:
        await peer.send(session_updated(expires_at=expires_at()))
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        started_s = asyncio.get_running_loop().time()
        async for event in session:
            if isinstance(event, SessionExpiring):
                told.append((asyncio.get_running_loop().time() - started_s, event))
                break
            assert isinstance(event, SessionOpened)

    talk(script, use)
    return told[0]


def test_the_end_is_announced_a_minute_before() -> None:
    at_s, event = expiring(lambda: time.time() + 600)
    assert at_s == pytest.approx(540, abs=2)
    assert event.in_s == pytest.approx(60, abs=2)


def test_an_end_that_is_near_is_announced_at_once() -> None:
    at_s, event = expiring(lambda: time.time() + 20)
    assert at_s == pytest.approx(0, abs=2)
    assert event.in_s == pytest.approx(20, abs=2)


@pytest.mark.parametrize("expires_at", [None, 1000.0])
def test_without_a_believable_word_the_models_limit_counts(expires_at: float | None) -> None:
    at_s, event = expiring(lambda: expires_at)
    assert at_s == pytest.approx(3540, abs=2)
    assert event.in_s == 60


def test_the_session_goes_on_after_the_announcement() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(session_updated(expires_at=time.time() + 100))
        await peer.expect("response.create")
        await peer.send(error("server_error"))
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        kinds = []
        async for event in session:
            kinds.append(type(event))
            if isinstance(event, SessionExpiring):
                await session.respond()
            if isinstance(event, ProviderError):
                break
        assert kinds == [SessionOpened, SessionExpiring, ProviderError]

    talk(script, use)


def test_a_reader_that_is_cancelled_at_the_announcement_is_cancelled() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(session_updated(expires_at=time.time() + 100))
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        assert isinstance(await anext(session), SessionOpened)
        reader = asyncio.ensure_future(anext(session))
        await asyncio.sleep(1)
        lines(session)._expires(60.0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert isinstance(await anext(session), SessionExpiring), "and nothing is lost"

    talk(script, use)


def test_a_reader_in_a_task_that_outlived_a_cancellation_reads_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(session_updated(expires_at=time.time() + 100))
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        async def stubborn() -> SessionExpiring:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)
            async for event in session:
                if isinstance(event, SessionExpiring):
                    return event
            raise AssertionError("the session ended")

        reader = asyncio.ensure_future(stubborn())
        await asyncio.sleep(1)
        reader.cancel()
        assert (await reader).in_s == pytest.approx(60, abs=2)

    talk(script, use)


def test_the_key_is_asked_for_again_for_each_connection() -> None:
    shown: list[str] = []

    async def script(peer: Peer) -> None:
        assert peer.websocket.request is not None
        shown.append(peer.websocket.request.headers["Authorization"])
        await peer.accept()

    async def main() -> None:
        keys = iter(["token-1", "token-2"])
        async with loopback(script) as url:
            for _ in range(2):
                async with connect(SPEC, base_url=url, continuity=None, api_key=lambda: next(keys)):
                    pass

    run(main())
    assert shown == ["Bearer token-1", "Bearer token-2"]


def test_a_key_that_the_provider_quotes_is_shown_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in (None, "crossfade", "websockets.client"):
        caplog.set_level(logging.DEBUG, name)
    texts = [""]

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(error("invalid_value", f"The key {KEY} may not do this."))
        await peer.websocket.close(1011, f"{KEY} is over")

    async def use(session: RealtimeSession) -> None:
        nonlocal texts
        texts += [f"{session!r} {connection(session)!r} {protocol(session)!r}"]
        try:
            async for event in session:
                texts += [repr(event)]
        except CrossfadeError as ended:
            texts += [str(ended)]

    talk(script, use)
    # The other end, in the same process, logs what it was sent.
    logged = [r.getMessage() for r in caplog.records if r.name != "websockets.server"]
    everything = " ".join(texts + logged)
    assert "[key] may not do this" in everything
    assert "[key] is over" in everything
    assert KEY not in everything


def test_much_audio_at_once_goes_in_pieces_that_the_provider_takes() -> None:
    length = 14 * 2**20 + 2

    async def script(peer: Peer) -> None:
        await peer.accept()
        heard = 0
        while heard < length:
            piece = await peer.websocket.recv(decode=False)
            assert len(piece) < 15 * 2**20
            heard += len(base64.b64decode(orjson.loads(piece)["audio"]))
        assert heard == length

    async def use(session: RealtimeSession) -> None:
        await session.send_audio(bytes(length))
        await settle()
        assert session.statistics().dropped_audio_ms == 0

    talk(script, use)


def test_of_much_audio_at_once_no_more_waits_than_of_little() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.websocket.transport.pause_reading()
        await asyncio.sleep(30)
        peer.websocket.transport.abort()

    async def use(session: RealtimeSession) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        session.send_audio_nowait(bytes(14 * 2**20))
        assert session.statistics().waiting_audio_ms <= 10_000
        await session.send_audio(bytes(14 * 2**20))
        assert session.statistics().waiting_audio_ms <= 10_000
        for _ in range(100):
            await session.send_audio(bytes(960))
        assert loop.time() - begun_s < 1, "nobody waits for a provider that stands still"

    talk(script, use)


@pytest.mark.parametrize(
    "pcm", [bytearray(4), memoryview(bytes(4)), memoryview(bytes(4)).cast("h")]
)
def test_audio_may_be_any_bytes(pcm: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        message = await peer.expect("input_audio_buffer.append")
        assert message["audio"] == base64.b64encode(bytes(4)).decode()

    async def use(session: RealtimeSession) -> None:
        await session.send_audio(pcm)
        await settle()

    talk(script, use)


def test_arguments_of_the_wrong_kind_are_the_callers_mistake() -> None:
    async def use(session: RealtimeSession) -> None:
        wrong: list[Callable[[], Awaitable[None]]] = [
            lambda: session.send_audio(None),  # type: ignore[arg-type]
            lambda: session.send_text(None),  # type: ignore[arg-type]
            lambda: session.interrupt(None),  # type: ignore[arg-type]
            lambda: session.update(tools=["x"]),  # type: ignore[list-item]
            lambda: session.send_tool_response("c", 1, delivery="now"),  # type: ignore[arg-type]
            lambda: session.respond_aside("x", modality="loud"),  # type: ignore[arg-type]
        ]
        for verb in wrong:
            with pytest.raises(CallerError):
                await verb()

    talk(hear_everything, use)


def test_choices_of_verbs_may_be_given_by_name() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        create = await peer.expect("response.create")
        assert create["response"]["output_modalities"] == ["text"]
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        await session.send_tool_response("c", 1, delivery="silent")  # type: ignore[arg-type]
        await session.respond_aside("x", modality="text")  # type: ignore[arg-type]
        await settle()

    talk(script, use)


def test_the_configuration_tells_what_was_not_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        update = await peer.expect("session.update")
        await peer.send(error("invalid_value", event_id=update["event_id"]))
        again = await peer.expect("session.update")
        assert again["session"]["instructions"] == "B"
        await peer.send(session_updated())
        await peer.until_closed()

    async def use(session: RealtimeSession) -> None:
        await anext(session)
        await session.update(instructions="B", voice="nobody")
        assert session.config.voice == "nobody"
        await anext(session)
        assert session.config == SessionConfig(instructions="A")
        await session.update(instructions="B")
        await settle()
        assert session.config.instructions == "B"

    talk(script, use, SessionConfig(instructions="A"))
