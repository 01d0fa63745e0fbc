"""Bad input costs the session that brings it, and no other and not the server."""

import asyncio
import base64
import gc
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.frames import Frame, Opcode

from crossfade.emulators import connection
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.emulators.turn_detection import energy_scorer
from tests.clock import run
from tests.emulators.raw_client import RawClient, handshake, raw

AUDIO = "response.output_audio.delta"
CHUNK_MS = 20
# Of whole chunks: every letter is 65 ms of sound.
LONG = "A sentenceing that goes on and on, so that there is always something to be heard of it. "


@asynccontextmanager
async def serving(speed: float = 1, *, sentences: int = 2) -> AsyncIterator[OpenAIEmulator]:
    scenario = Scenario(turns=(Turn(on=None, say=(LONG * sentences,)),), repeat=True)
    timing = Timing(speed=speed, chunk_ms=CHUNK_MS, burst_ms=CHUNK_MS, think_ms=0)
    async with OpenAIEmulator(
        ScriptedBackend(scenario), timing=timing, scorer=energy_scorer
    ) as emulator:
        yield emulator
        assert emulator.failures == []


Misdeed = Callable[[OpenAIEmulator], Coroutine[Any, Any, None]]


async def disconnected(client: RawClient) -> None:
    try:
        while await client.reader.read(65536):
            pass
    except ConnectionError:
        pass


async def garbage(emulator: OpenAIEmulator) -> None:
    chance = random.Random(1)
    for size in (1, 3, 4, 5, 100, 5000):
        async with raw(emulator, opened=False) as client:
            client.writer.write(chance.randbytes(size))
            await disconnected(client)


async def garbage_after_get(emulator: OpenAIEmulator) -> None:
    for text in (b"GET \x00\xff\r\n\r\n", b"GET / SPDY/9\r\n\r\n", b"GET  \r\n\r\n\r\n\r\n"):
        async with raw(emulator, opened=False) as client:
            client.writer.write(text)
            await disconnected(client)


async def half_a_handshake(emulator: OpenAIEmulator) -> None:
    async with raw(emulator, opened=False) as client:
        client.writer.write(handshake(emulator)[:100])
        began_s = asyncio.get_running_loop().time()
        await disconnected(client)
        waited_s = asyncio.get_running_loop().time() - began_s
        assert waited_s == pytest.approx(connection.HANDSHAKE_S, abs=0.1)


async def slowloris(emulator: OpenAIEmulator) -> None:
    async with raw(emulator, opened=False) as client:
        began_s = asyncio.get_running_loop().time()
        for byte in handshake(emulator, "X-Long: " + "a" * 100):
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.1)
        await disconnected(client)
        assert asyncio.get_running_loop().time() - began_s < 60


async def giant_headers(emulator: OpenAIEmulator) -> None:
    for header in ("X: " + "a" * 20_000, "\r\n".join(f"X-{n}: y" for n in range(500))):
        async with raw(emulator, opened=False) as client:
            client.writer.write(handshake(emulator, header))
            assert b" 431 " in await client.reader.readline()
    async with raw(emulator, opened=False) as client:
        client.writer.write(b"GET / HTTP/1.1\r\nX: " + bytes(2_000_000))
        assert b" 431 " in await client.reader.readline()


async def bad_http(emulator: OpenAIEmulator) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: x\r\n"
    for request, status in (
        (b"POST\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\n\r\n", b"400"),
        (head + b"Content-Length: -1\r\n\r\n", b"400"),
        (head + b"Content-Length: 9000000\r\n\r\n" + bytes(2_000_000), b"413"),
        (head + b"X: " + bytes(100_000), b"431"),
        (head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"401"),
        (b"GET /v1/unknown HTTP/1.1\r\nHost: x\r\n\r\n", b"401"),
    ):
        async with raw(emulator, opened=False) as client:
            client.writer.write(request)
            assert status in await client.reader.readline(), request[:60]


async def oversized_frame(emulator: OpenAIEmulator) -> None:
    async with raw(emulator) as client:
        client.writer.write(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
        assert await client.close_code() == 1009
    async with raw(emulator) as client:
        for _ in range(40):
            client.send(Opcode.TEXT, bytes(1_000_000), fin=False)
            await asyncio.sleep(0)
        assert await client.close_code() in (1002, 1009)


async def compressed_bomb(emulator: OpenAIEmulator) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    async with raw(emulator, opened=False) as client:
        client.writer.write(handshake(emulator, offer))
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"permessage-deflate" not in head
        bomb = bytearray(Frame(Opcode.TEXT, zlib.compress(bytes(5_000_000))).serialize(mask=True))
        # The bit of a compressed message.
        bomb[0] |= 0x40
        client.writer.write(bytes(bomb))
        assert await client.close_code() == 1002


async def broken_frames(emulator: OpenAIEmulator) -> None:
    for frame, code in (
        (b"\x81\x02{}", 1002),
        (b"\x83\x80" + bytes(4), 1002),
        (b"\x80\x80" + bytes(4), 1002),
        (b"\x09\x80" + bytes(4), 1002),
        (b"\x89\xfe\x00\xff" + bytes(4 + 255), 1002),
        (b"\x01\x80" + bytes(4) + b"\x81\x80" + bytes(4), 1002),
        (b"\x81\x82" + bytes(4) + b"\xff\xfe", 1007),
        (b"\x01\x81" + bytes(4) + b"\xff" + b"\x80\x80" + bytes(4), 1007),
        (b"\x88\x81" + bytes(4) + b"\x03", 1002),
    ):
        async with raw(emulator) as client:
            client.writer.write(frame)
            assert await client.close_code() == code, frame


async def tiny_frames(emulator: OpenAIEmulator) -> None:
    async with raw(emulator) as client:
        client.writer.write(Frame(Opcode.TEXT, b"{}").serialize(mask=True) * 3000)
        for _ in range(3000):
            await client.until("error")


async def empty_fragments(emulator: OpenAIEmulator) -> None:
    async with raw(emulator) as client:
        client.send(Opcode.TEXT, b'{"type":"input_audio', fin=False)
        client.writer.write(Frame(Opcode.CONT, b"", False).serialize(mask=True) * 5000)
        client.send(Opcode.PING)
        client.send(Opcode.CONT, b'_buffer.clear"}')
        await client.until("input_audio_buffer.cleared")


async def flood_of_appends(emulator: OpenAIEmulator) -> None:
    async with raw(emulator) as client:
        audio = base64.b64encode(bytes(960)).decode()
        event = orjson.dumps({"type": "input_audio_buffer.append", "audio": audio})
        client.writer.write(Frame(Opcode.TEXT, event).serialize(mask=True) * 3000)
        client.say("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert emulator.sessions[-1].received.audio_bytes == 3000 * 960


async def flood_of_pings(emulator: OpenAIEmulator) -> None:
    async with raw(emulator) as client:
        client.writer.write(Frame(Opcode.PING, b"").serialize(mask=True) * 5000)
        client.say("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert len(client.of("PONG")) == 5000


async def connects_and_drops(emulator: OpenAIEmulator) -> None:
    for number in range(300):
        async with raw(emulator, opened=number % 3 == 0) as client:
            if number % 3 == 1:
                client.writer.write(handshake(emulator)[: number % 200])
    await asyncio.sleep(15)


async def messages_that_are_no_events(emulator: OpenAIEmulator) -> None:
    async with raw(emulator) as client:
        deep = b"[" * 100_000
        for data in (b"", b"null", b"[]", b"1e999", deep, b'{"type":[]}', b'{"type":""}', b"{"):
            client.send(Opcode.TEXT, data)
            await client.until("error")
        client.send(Opcode.BINARY, bytes(1000))
        await client.until("error")


MISDEEDS = [
    garbage,
    garbage_after_get,
    half_a_handshake,
    slowloris,
    giant_headers,
    bad_http,
    oversized_frame,
    compressed_bomb,
    broken_frames,
    tiny_frames,
    empty_fragments,
    flood_of_appends,
    flood_of_pings,
    connects_and_drops,
    messages_that_are_no_events,
]


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_bad_input_disturbs_nobody_else(misdeed: Misdeed) -> None:
    async def main() -> None:
        async with serving() as emulator, raw(emulator) as client:
            client.answers_pings = True
            wrong = asyncio.create_task(misdeed(emulator))
            spoken = 0
            while not wrong.done() or not spoken:
                client.ask()
                await client.until("response.done")
                times = [delta.at_s for delta in client.of(AUDIO)[spoken:]]
                spoken += len(times)
                # In virtual time only what waits for the bad client could be late.
                late = [at - times[0] - n * CHUNK_MS / 1000 for n, at in enumerate(times)]
                assert max(map(abs, late)) < 0.005
            await wrong

    run(main())


def test_a_flood_is_taken_a_few_messages_at_a_time() -> None:
    """Others get their turn after so many, however much has come."""

    async def main() -> None:
        async with serving() as emulator, raw(emulator) as flooder, raw(emulator) as other:
            flooder.writer.write(Frame(Opcode.TEXT, b"{}").serialize(mask=True) * 2000)
            other.say("input_audio_buffer.clear")
            answered = asyncio.create_task(other.until("input_audio_buffer.cleared"))
            errors = asyncio.create_task(flooder.until("never"))
            await answered
            assert len(flooder.of("error")) < 1000
            errors.cancel()
            await asyncio.gather(errors, return_exceptions=True)

    run(main())


def test_a_client_that_never_reads_costs_a_bounded_amount_of_memory() -> None:
    async def main() -> None:
        # 40 minutes of speech: 115 MB, which are offered as fast as they are taken.
        async with serving(speed=float("inf"), sentences=20) as emulator:
            async with raw(emulator) as client:
                await client.until("session.created")
                transport = client.writer.transport
                assert isinstance(transport, asyncio.ReadTransport)
                transport.pause_reading()
                tracemalloc.start()
                for _ in range(20):
                    client.ask()
                    await asyncio.sleep(0.2)
                gc.collect()
                held, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                assert held < 40 * 2**20
            async with raw(emulator) as client:
                await client.until("session.created")

    run(main())


def test_who_leaves_too_much_unread_is_disconnected() -> None:
    async def main() -> None:
        async with serving() as emulator, raw(emulator) as client:
            await client.until("session.created")
            transport = client.writer.transport
            assert isinstance(transport, asyncio.ReadTransport)
            transport.pause_reading()
            text = "x" * 1_000_000
            session = {"type": "realtime", "instructions": text}
            # Each is answered with the whole session.
            for _ in range(60):
                client.say("session.update", session=session)
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            assert emulator.sessions[0].line.finished

    run(main())


def test_a_client_that_answers_no_ping_is_given_up() -> None:
    async def main() -> None:
        async with serving() as emulator, raw(emulator) as client:
            await client.until("session.created")
            began_s = client.arrived[0].at_s
            assert await client.close_reason() == "keepalive ping timeout"
            assert client.types[-2:] == ["PING", "CLOSE"]
            assert client.arrived[-1].at_s - began_s == pytest.approx(40.3, abs=0.1)

    run(main())


def test_a_client_that_answers_pings_is_not() -> None:
    async def main() -> None:
        async with serving() as emulator, raw(emulator) as client:
            for _ in range(5):
                ping = await client.until("PING")
                client.send(Opcode.PONG, b"not asked for")
                client.send(Opcode.PONG, ping.data)
            first, *_, last = [ping.at_s for ping in client.of("PING")]
            assert last - first == pytest.approx(4 * 20.3, abs=0.1)

    run(main())


def test_a_client_may_half_close_and_still_be_closed_in_order() -> None:
    async def main() -> None:
        async with serving() as emulator, raw(emulator) as client:
            await client.until("session.created")
            client.send(Opcode.CLOSE, (1000).to_bytes(2, "big"))
            assert await client.close_code() == 1000
            await client.ended()

    run(main())


def test_whoever_floods_behind_a_close_still_sees_it() -> None:
    async def main() -> None:
        async with serving() as emulator, raw(emulator) as client:
            client.send(Opcode.TEXT, b"\xff")
            client.writer.write(bytes(500_000))
            assert await client.close_code() == 1007
            began_s = asyncio.get_running_loop().time()
            await disconnected(client)
            assert asyncio.get_running_loop().time() - began_s < 6

    run(main())
