"""Google's own Python client, unmodified, against the emulator. It insists on TLS."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from crossfade.emulators.backends import ScriptedBackend, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.certificate import client_context, server_context
from crossfade.emulators.faults import Fault
from crossfade.emulators.gemini import GeminiEmulator, Timing
from crossfade.emulators.gemini.faults import GoAway
from tests.emulators.gemini.wire_client import (
    GET_WEATHER,
    LONG,
    MODEL_2_5,
    MODEL_3_8,
    TOKYO,
    UTTERANCE,
    loudness_scorer,
    tone,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    genai = pytest.importorskip("google.genai")

pytestmark = [
    pytest.mark.realtime,
    # The client's own, of its ephemeral tokens and of what it is built on.
    pytest.mark.filterwarnings("ignore::Warning:google.genai"),
    pytest.mark.filterwarnings("ignore:The SDK's"),
]

T = TypeVar("T")
FAST = Timing(think_ms=0, speed=float("inf"), await_playback=False, transcript_delay_ms=0)
SOUND = {"data": UTTERANCE, "mime_type": "audio/pcm;rate=16000"}


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


@asynccontextmanager
async def talking(
    folder: Path,
    *turns: Turn,
    model: str = MODEL_2_5,
    timing: Timing = FAST,
    faults: list[Fault] | None = None,
    **config: Any,
) -> AsyncIterator[Any]:
    """A session of Google's client."""
    async with emulator_of(folder, *turns, timing=timing, faults=faults) as emulator:
        client = client_of(emulator, folder)
        async with client.aio.live.connect(model=model, config=config) as session:
            yield session


@asynccontextmanager
async def emulator_of(
    folder: Path, *turns: Turn, timing: Timing = FAST, faults: list[Fault] | None = None
) -> AsyncIterator[GeminiEmulator]:
    async with GeminiEmulator(
        ScriptedBackend(Scenario(turns=turns, repeat=True)),
        tls=server_context("127.0.0.1", folder / "certificate.pem"),
        faults=faults or [],
        timing=timing,
        scorer=loudness_scorer,
    ) as emulator:
        yield emulator


def client_of(
    emulator: GeminiEmulator, folder: Path, key: str = "test", version: str = "v1"
) -> Any:
    context = client_context(folder / "certificate.pem")
    options = genai.types.HttpOptions(
        base_url=emulator.base_url,
        api_version=version,
        async_client_args={"ssl": context, "verify": context},
    )
    return genai.Client(api_key=key, http_options=options)


async def turn_of(session: Any) -> list[Any]:
    """The messages up to the end of the model's turn."""
    return [message async for message in session.receive()]


def words_of(messages: list[Any]) -> str:
    contents = [message.server_content for message in messages if message.server_content]
    spoken = [content.output_transcription for content in contents]
    return "".join(each.text for each in spoken if each)


def sound_of(messages: list[Any]) -> bytes:
    return b"".join(message.data for message in messages if message.data)


def test_typed_and_spoken_turns(tmp_path: Path) -> None:
    async def main() -> None:
        hello = Turn(on=None, hear="good morning", say=("Hello there.",))
        config: dict[str, Any] = {"input_audio_transcription": {}, "output_audio_transcription": {}}
        for model in (MODEL_2_5, MODEL_3_8):
            async with talking(tmp_path, hello, model=model, **config) as session:
                turns = {"role": "user", "parts": [{"text": "Hi"}]}
                await session.send_client_content(turns=turns, turn_complete=True)
                typed = await turn_of(session)
                assert words_of(typed) == "Hello there."
                assert len(sound_of(typed)) > 24_000
                assert typed[-1].usage_metadata.total_token_count > 0
                await session.send_realtime_input(audio=SOUND)
                spoken = await turn_of(session)
                heard = [m.server_content.input_transcription for m in spoken if m.server_content]
                assert "".join(each.text for each in heard if each) == " good morning"
                assert words_of(spoken) == "Hello there."

    run(main())


def test_a_tool_round_and_an_interruption(tmp_path: Path) -> None:
    async def main() -> None:
        turns = (
            Turn(on=Trigger.TEXT, call=(TOKYO,)),
            Turn(on=Trigger.TOOL_RESULTS, say=LONG.say),
            Turn(on=Trigger.SPEECH, say=("Yes?",)),
        )
        timing = Timing(think_ms=0, speed=20, transcript_delay_ms=0)
        tools = [{"function_declarations": [GET_WEATHER]}]
        async with talking(tmp_path, *turns, timing=timing, tools=tools) as session:
            await session.send_realtime_input(text="Weather?")
            called = False
            async for message in session.receive():
                if message.tool_call:
                    (call,) = message.tool_call.function_calls
                    assert call.args == {"city": "Tokyo"}
                    called = True
                    await session.send_tool_response(
                        function_responses=genai.types.FunctionResponse(
                            id=call.id, name=call.name, response={"degrees": 21}
                        )
                    )
                elif message.data:
                    break
            assert called
            speech = {"data": tone(400), "mime_type": "audio/pcm;rate=16000"}
            await session.send_realtime_input(audio=speech)
            cut = await turn_of(session)
            assert any(m.server_content and m.server_content.interrupted for m in cut)
            await session.send_realtime_input(audio_stream_end=True)
            answer = await turn_of(session)
            assert sound_of(answer)

    run(main())


def test_an_image_a_go_away_and_a_close(tmp_path: Path) -> None:
    async def main() -> None:
        faults: list[Fault] = [GoAway(time_left_ms=200, turn=1)]
        hello = Turn(on=None, say=("Hello there.",))
        async with talking(tmp_path, hello, faults=faults) as session:
            picture = {"data": b"\xff\xd8\xff", "mime_type": "image/jpeg"}
            await session.send_realtime_input(video=picture)
            await session.send_realtime_input(text="What is this?")
            first = await turn_of(session)
            assert [m.go_away.time_left for m in first if m.go_away] == ["0.2s"]
            with pytest.raises(genai.errors.APIError) as closed:
                await turn_of(session)
            assert closed.value.code == 1011

    run(main())


def test_a_session_is_resumed(tmp_path: Path) -> None:
    async def main() -> None:
        turns = (Turn(on=None, say=("One.",)), Turn(on=None, say=("Two.",)))
        async with emulator_of(tmp_path, *turns) as emulator:
            client = client_of(emulator, tmp_path)
            handle = None
            for expected in ("One.", "Two."):
                config = {
                    "session_resumption": {"handle": handle},
                    "output_audio_transcription": {},
                }
                async with client.aio.live.connect(model=MODEL_2_5, config=config) as session:
                    await session.send_realtime_input(text="Hi")
                    assert words_of(await turn_of(session)) == expected
                    update = (await session._receive()).session_resumption_update
                    assert update.resumable
                    handle = update.new_handle

    run(main())


def test_a_refused_setup_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        hello = Turn(on=None, say=("Hello there.",))
        with pytest.raises(genai.errors.APIError, match="is not found for API version v1"):
            async with talking(tmp_path, hello, model="gemini-0-live"):
                pass

    run(main())


def test_an_ephemeral_token_is_made_and_used(tmp_path: Path) -> None:
    async def main() -> None:
        hello = Turn(on=None, say=("Hello there.",))
        async with emulator_of(tmp_path, hello) as emulator:
            client = client_of(emulator, tmp_path, version="v1alpha")
            constraints = {
                "model": MODEL_2_5,
                "config": {"output_audio_transcription": {}, "temperature": 0.5},
            }
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                token = await client.aio.auth_tokens.create(
                    config={"uses": 1, "live_connect_constraints": constraints}
                )
                other = client_of(emulator, tmp_path, key=token.name, version="v1alpha")
                async with other.aio.live.connect(model=MODEL_2_5, config={}) as session:
                    await session.send_realtime_input(text="Hi")
                    assert words_of(await turn_of(session)) == "Hello there."
            await client.aio.aclose()

    run(main())
