"""Every general fault in every state on every wire: it strikes, is seen, and is the same again."""

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import orjson
import pytest
import sphn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Call, ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import (
    Burst,
    Close,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Oversized,
    RefuseHandshake,
    RefuseKey,
    Send,
    State,
    Trail,
    UnknownFields,
)
from crossfade.emulators.faults.script import GENERAL
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.gemini import Timing as GeminiTiming
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.moshi import Timing as MoshiTiming
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai import Timing as OpenAITiming
from crossfade.emulators.server import Emulator
from tests.clock import run
from tests.emulators.gemini import wire_client as gemini
from tests.emulators.moshi import wire_client as moshi
from tests.emulators.openai import wire_client as openai

SCENARIO = Scenario(
    turns=(
        Turn(on=None, say=("Wait.",), call=(Call(name="get_weather", arguments="{}"),)),
        Turn(on=None, say=("It is fine weather.",)),
    ),
    repeat=True,
)
Saw = list[tuple[float, str | bytes]]


@dataclass(frozen=True)
class Wire:
    """How one call is held on a wire."""

    emulator: Callable[..., Emulator[Any]]
    opening: list[dict[str, Any]]
    utterance: list[str | bytes]
    call_id: str
    """What finds the id of a call in a message."""
    answer: Callable[[str], list[dict[str, Any]]]
    audio: str
    """The type of a message of sound."""
    after: str
    """One that comes behind sound."""
    query: str = ""
    seconds: float = 12


def _append(pcm: bytes) -> str:
    audio = base64.b64encode(pcm).decode()
    return orjson.dumps({"type": "input_audio_buffer.append", "audio": audio}).decode()


def _realtime(pcm: bytes) -> str:
    audio = {"data": base64.b64encode(pcm).decode(), "mimeType": "audio/pcm;rate=16000"}
    return orjson.dumps({"realtimeInput": {"audio": audio}}).decode()


def _pages() -> list[str | bytes]:
    encoder = sphn.OpusStreamWriter(moshi.RATE_HZ)
    sound = np.concatenate([moshi.UTTERANCE, moshi.quiet(1000)])
    frames = range(0, len(sound) - moshi.FRAME + 1, moshi.FRAME)
    return [b"\x01" + bytes(encoder.append_pcm(sound[at : at + moshi.FRAME])) for at in frames]


def _openai_answer(id: str) -> list[dict[str, Any]]:
    item = {"type": "function_call_output", "call_id": id, "output": "18"}
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


def _gemini_answer(id: str) -> list[dict[str, Any]]:
    answer = {"id": id, "name": "get_weather", "response": {"degrees": 18}}
    return [{"toolResponse": {"functionResponses": [answer]}}]


@cache
def wires() -> Mapping[str, Wire]:
    tools = [{"functionDeclarations": [gemini.GET_WEATHER]}]
    return {
        "openai": Wire(
            emulator=lambda **options: OpenAIEmulator(
                timing=OpenAITiming(speed=4, chunk_ms=200, burst_ms=200), epoch_s=0, **options
            ),
            opening=[
                {
                    "type": "session.update",
                    "session": {"type": "realtime", "tools": [openai.GET_WEATHER]},
                }
            ],
            utterance=[_append(openai.UTTERANCE)],
            call_id=r'function_call_arguments.done".*"call_id":"(\w+)"',
            answer=_openai_answer,
            audio="response.output_audio.delta",
            after="response.done",
            query="?model=gpt-realtime",
        ),
        "gemini": Wire(
            emulator=lambda **options: GeminiEmulator(timing=GeminiTiming(chunk_ms=200), **options),
            opening=[{"setup": {"model": f"models/{gemini.MODEL_2_5}", "tools": tools}}],
            utterance=[_realtime(gemini.UTTERANCE)],
            call_id=r'"id":"(function-call-\d+)"',
            answer=_gemini_answer,
            audio="serverContent.modelTurn",
            after="serverContent.turnComplete",
            query="?key=any",
        ),
        "moshi": Wire(
            emulator=lambda **options: MoshiEmulator(timing=MoshiTiming(), **options),
            opening=[],
            utterance=_pages(),
            call_id="$^",
            answer=lambda _: [],
            audio="audio",
            after="text",
            seconds=4,
        ),
    }


async def hold_call(wire: Wire, fault: Fault | None) -> Saw:
    """What a client sees of a call with two turns, and when."""
    emulator = wire.emulator(
        backend=ScriptedBackend(SCENARIO),
        scorer=openai.loudness_scorer,
        faults=[] if fault is None else [fault],
    )
    saw: Saw = []
    began_s = asyncio.get_running_loop().time()

    def see(what: str | bytes) -> None:
        saw.append((round(asyncio.get_running_loop().time() - began_s, 6), what))

    async with emulator:
        headers = {"Authorization": "Bearer any"}
        url = emulator.url + wire.query
        client = await connect(
            url, additional_headers=headers, ping_interval=None, compression=None, max_size=None
        )
        speaking = asyncio.create_task(_speak(client, wire))
        listening = asyncio.create_task(_listen(client, wire, see))
        await asyncio.wait([listening], timeout=wire.seconds)
        for task in (speaking, listening):
            task.cancel()
        await asyncio.gather(speaking, listening, return_exceptions=True)
        client.transport.abort()
        # Whatever befell it, the next client is served.
        async with connect(url, additional_headers=headers) as other:
            for message in wire.opening:
                await other.send(orjson.dumps(message).decode())
            async with asyncio.timeout(30):
                await other.recv()
    return saw


async def _speak(client: ClientConnection, wire: Wire) -> None:
    for message in wire.opening:
        await client.send(orjson.dumps(message).decode())
    for _ in range(2):
        await asyncio.sleep(1)
        for sound in wire.utterance:
            await client.send(sound)
            if len(wire.utterance) > 1:
                await asyncio.sleep(0.08)
        await asyncio.sleep(4)


async def _listen(client: ClientConnection, wire: Wire, see: Callable[[str | bytes], None]) -> None:
    pinging = asyncio.create_task(_ping(client, see))
    try:
        while True:
            message = await client.recv()
            see(message)
            text = message if isinstance(message, str) else message.decode(errors="ignore")
            for id in re.findall(wire.call_id, text):
                await asyncio.sleep(0.5)
                for answer in wire.answer(id):
                    await client.send(orjson.dumps(answer).decode())
    except ConnectionClosed:
        see(f"{client.close_code} {client.close_reason}")
    finally:
        pinging.cancel()


async def _ping(client: ClientConnection, see: Callable[[str | bytes], None]) -> None:
    while True:
        await (await client.ping())
        see("pong")
        await asyncio.sleep(0.25)


@cache
def undisturbed(name: str) -> Saw:
    return run(hold_call(wires()[name], None))


def made(kind: type[Fault], wire: Wire, **point: Any) -> Fault:
    own: dict[type[Fault], dict[str, Any]] = {
        Close: {"code": 1011, "reason": "gone"},
        Drop: {"type": wire.audio},
        Duplicate: {"type": wire.audio},
        Delay: {"type": wire.audio, "ms": 700},
        Trail: {"type": wire.audio, "after": wire.after},
        Send: {"message": {"type": "mark"}},
        Oversized: {"bytes": 100_000},
        Burst: {"ms": 3000},
    }
    return kind(**own.get(kind, {}), **point)


STRIKING = [kind for kind in GENERAL if kind not in (RefuseHandshake, RefuseKey)]
DELAYS: list[dict[str, int]] = [{}, {"after_ms": 30}, {"after_messages": 1}]


@pytest.mark.parametrize("name", ["openai", "gemini", "moshi"])
@pytest.mark.parametrize("at", State)
def test_every_fault_strikes_and_is_the_same_again(
    name: str, at: State, caplog: pytest.LogCaptureFixture
) -> None:
    if (name, at) == ("moshi", State.TOOL_PENDING):
        pytest.skip("Moshi calls no functions")
    wire = wires()[name]
    caplog.set_level(logging.INFO, "crossfade.emulators.line")
    for number, kind in enumerate(STRIKING):
        fault = made(kind, wire, at=at, **DELAYS[number % len(DELAYS)])
        caplog.clear()
        saw = run(hold_call(wire, fault))
        struck = [record for record in caplog.records if "strikes" in record.getMessage()]
        assert len(struck) == 1, f"{fault!r} struck {len(struck)} times"
        if (kind, name) != (UnknownFields, "moshi"):
            # Of a binary wire no message has fields.
            assert saw != undisturbed(name), f"nothing was seen of {fault!r}"
        if name != "moshi":
            # Its stream costs time; tests/emulators/moshi/test_stream.py compares it.
            assert run(hold_call(wire, fault)) == saw, f"{fault!r} was seen otherwise"
