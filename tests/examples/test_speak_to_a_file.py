"""The example runs as it stands, on every wire."""

import asyncio
import base64
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost
from crossfade.examples.speak_to_a_file import talk
from tests.clock import run
from tests.project import ROOT
from tests.providers import gemini_messages as gemini
from tests.providers.loopback import Peer, loopback
from tests.providers.moshi_server import MoshiServer, serving

SCENARIO = """
otherwise: Goodbye.
turns:
  - on: any
    hear: what is the weather in Tokyo
    call:
      - name: get_weather
        arguments: {}
  - on: tool_results
    say: It is clear there. {results}
"""
QUESTION = ROOT / "examples" / "audio" / "weather_tokyo.wav"


def test_a_question_in_a_file_is_answered_into_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    answer = tmp_path / "answer.wav"

    async def main() -> None:
        backend = ScriptedBackend(parse_scenario(SCENARIO))
        async with OpenAIEmulator(backend) as emulator:
            await talk("openai:", str(QUESTION), str(answer), emulator.url)
            sent = emulator.sessions[0].received.types
            assert sent.count("conversation.item.create") == 1
            assert sent.count("response.create") == 1

    run(main())
    sound = read_sound(answer)
    assert sound.duration_ms > 500
    assert rms_dbfs(sound.pcm) > -40


class Gemini:
    """It hears a question out, says that it looks, calls a tool, then speaks of what it gave."""

    def __init__(self) -> None:
        self.after_the_call: set[str] = set()

    async def handle(self, connection: ServerConnection) -> None:
        await self._expect(connection, "setup")
        await self._send(connection, gemini.OPENED)
        loud = quiet = 0
        while quiet < 25:
            (message,) = (await self._expect(connection, "realtimeInput")).values()
            pcm = base64.b64decode(message["audio"]["data"])
            is_loud = rms_dbfs(pcm) > -45
            loud, quiet = (loud + 1, 0) if is_loud else (loud, quiet + 1 if loud else 0)
        assert loud > 50
        speech = b"\x10\x20\x10\xe0" * 6000
        call = gemini.call("get_weather", ids=("call_1",))
        await self._send(connection, gemini.sound(speech), call)
        await self._expect(connection, "toolResponse")
        await self._send(connection, gemini.sound(speech), gemini.GENERATED, gemini.COMPLETE)
        async for raw in connection:
            self.after_the_call |= orjson.loads(raw)["realtimeInput"].keys()

    async def _expect(self, connection: ServerConnection, kind: str) -> gemini.Message:
        while True:
            (message,) = gemini.loads([await connection.recv(decode=False)])
            if kind in message:
                return message

    async def _send(self, connection: ServerConnection, *messages: gemini.Message) -> None:
        for message in messages:
            await connection.send(orjson.dumps(message))


def test_on_gemini_the_answer_is_heard_out_behind_what_is_said_before_the_tool_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key")
    answer = tmp_path / "answer.wav"

    async def main() -> None:
        service = Gemini()
        async with serve(service.handle, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            await talk("gemini:", str(QUESTION), str(answer), f"ws://127.0.0.1:{port}/")
        assert service.after_the_call <= {"audio"}, "it was not asked for what it says by itself"

    run(main())
    sound = read_sound(answer)
    assert sound.duration_ms == 1000
    assert rms_dbfs(sound.pcm) > -20


def test_moshis_greeting_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    answer = tmp_path / "answer.wav"
    service = MoshiServer(greets=True)

    async def main() -> float:
        async with serving(service) as url:
            before = asyncio.get_running_loop().time()
            await talk("moshi:", str(QUESTION), str(answer), url)
            return asyncio.get_running_loop().time() - before

    took_s = run(main())
    question = read_sound(QUESTION)
    assert took_s > question.duration_ms / 1000
    # The greeting and the answer last equally long; only one is kept.
    assert 900 < read_sound(answer).duration_ms < 1800


def test_nothing_plays_on_when_the_line_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.expect("input_audio_buffer.append")
        peer.websocket.transport.abort()

    async def main() -> None:
        async with loopback(script) as url:
            with pytest.raises(ExceptionGroup) as caught:
                await talk("openai:", str(QUESTION), str(tmp_path / "answer.wav"), url)
            assert caught.group_contains(ConnectionLost)

    run(main())


def test_the_example_is_as_short_as_it_is_said_to_be() -> None:
    lines = (ROOT / "examples" / "speak_to_a_file.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 40
