"""Every general fault, as a client sees it that knows nothing but frames."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.backend import Call
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import (
    Burst,
    Close,
    Delay,
    Drop,
    Duplicate,
    Fault,
    HalfOpen,
    MalformedJson,
    NoPongs,
    Oversized,
    RefuseHandshake,
    RefuseKey,
    Reset,
    Send,
    SlowPongs,
    Stall,
    State,
    Trail,
    Trickle,
    UnknownEvent,
    UnknownFields,
    parse_faults,
)
from crossfade.emulators.openai import OpenAIEmulator, Timing
from tests.clock import run
from tests.emulators.openai.wire_client import GET_WEATHER, loudness_scorer, quiet, tone
from tests.emulators.raw_client import RawClient, raw

AUDIO = "response.output_audio.delta"
SENTENCE = "A sentence that is long enough to be cut into many pieces of sound."
PACED = Timing(speed=1, chunk_ms=20, burst_ms=20, think_ms=300)


@asynccontextmanager
async def faulty(
    *faults: Fault, turns: Sequence[Turn] = (), seed: int = 0
) -> AsyncIterator[tuple[OpenAIEmulator, RawClient]]:
    """An emulator with these faults and its first client."""
    scenario = Scenario(turns=tuple(turns) or (Turn(on=None, say=(SENTENCE,)),), repeat=True)
    async with (
        OpenAIEmulator(
            ScriptedBackend(scenario),
            faults=faults,
            timing=PACED,
            scorer=loudness_scorer,
            seed=seed,
        ) as emulator,
        raw(emulator) as client,
    ):
        yield emulator, client


def test_a_reset_is_seen_as_one() -> None:
    async def main() -> None:
        async with faulty(Reset(at=State.SPEAKING, after_messages=10)) as (_, client):
            client.ask()
            with pytest.raises(ConnectionResetError):
                await client.ended()
            # What was sent before is not lost.
            assert len(client.arrived) >= 12

    run(main())


def test_a_half_open_line_neither_speaks_nor_hears_nor_ends() -> None:
    async def main() -> None:
        async with faulty(HalfOpen(after_ms=100)) as (emulator, client):
            await client.until("session.created")
            await asyncio.sleep(0.2)
            client.send(Opcode.PING, b"there?")
            client.ask()
            assert not await client.comes_within(600)
            assert emulator.sessions[0].received.types == []

    run(main())


@pytest.mark.parametrize("reset", [False, True])
def test_a_half_open_line_is_given_up_when_the_client_has_gone(reset: bool) -> None:
    async def main() -> None:
        async with faulty(HalfOpen()) as (emulator, client):
            client.ask()
            await asyncio.sleep(1)
            session = emulator.sessions[0]
            assert emulator._connections
            if reset:
                client.writer.transport.abort()
            else:
                client.writer.write_eof()
            await asyncio.sleep(1)
            assert session.line.finished
            assert session.received.types == []
            assert not emulator._connections

    run(main())


def test_a_line_that_goes_dead_in_a_flood_is_given_up_when_the_client_has_gone() -> None:
    async def main() -> None:
        async with faulty(HalfOpen(after_messages=17)) as (emulator, client):
            client.writer.write(Frame(Opcode.TEXT, b"{}").serialize(mask=True) * 500)
            await asyncio.sleep(1)
            client.writer.write_eof()
            await asyncio.sleep(1)
            assert not emulator._connections

    run(main())


@pytest.mark.parametrize("code", [1000, 1001, 1007, 1008, 1011, 1012, 1013, 3000, 4000, 4004])
def test_a_close_has_its_code_and_reason(code: int) -> None:
    async def main() -> None:
        fault = Close(code=code, reason="as it says", at=State.THINKING)
        async with faulty(fault) as (_, client):
            client.ask()
            close = await client.until("CLOSE")
            assert close.data == code.to_bytes(2, "big") + b"as it says"
            # The client does not answer: the server does not wait for ever.
            await client.ended()
            waited_s = asyncio.get_running_loop().time() - close.at_s
            assert waited_s == pytest.approx(5, abs=0.1)

    run(main())


def test_a_clean_close_is_one_for_a_client_library() -> None:
    async def main() -> None:
        async with faulty(Close(session=2)) as (emulator, _):
            headers = {"Authorization": "Bearer sk-test"}
            url = f"{emulator.url}?model=gpt-realtime"
            async with connect(url, additional_headers=headers) as connection:
                with pytest.raises(ConnectionClosed):
                    await connection.recv()
                assert connection.close_code == 1000

    run(main())


def test_a_stall_ends_when_it_says_and_pongs_go_on() -> None:
    async def main() -> None:
        async with faulty(Stall(ms=3000, at=State.SPEAKING, after_ms=100)) as (_, client):
            client.ask()
            for _ in range(4):
                await client.until(AUDIO)
            client.send(Opcode.PING, b"there?")
            await client.until("PONG")
            gaps = await _gaps_s(client)
            assert max(gaps) == pytest.approx(3, abs=0.1)
            assert len(client.of(AUDIO)) > 100

    run(main())


async def _gaps_s(client: RawClient) -> list[float]:
    """The times between the frames up to response.done."""
    await client.until("response.done")
    times = [arrival.at_s for arrival in client.arrived if arrival.type != "PONG"]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_a_stall_without_an_end_is_for_good_but_answers_pings() -> None:
    async def main() -> None:
        async with faulty(Stall(at=State.SPEAKING)) as (_, client):
            client.ask()
            await client.until("response.created")
            client.send(Opcode.PING)
            await client.until("PONG")
            assert not await client.comes_within(15)

    run(main())


def test_a_burst_brings_all_at_once() -> None:
    async def main() -> None:
        async with faulty(Burst(ms=1000, at=State.SPEAKING)) as (_, client):
            client.ask()
            first = await client.until(AUDIO)
            while (await client.next()).at_s == first.at_s:
                pass
            assert sum(delta.at_s == first.at_s for delta in client.of(AUDIO)) >= 50

    run(main())


def test_a_trickle_brings_one_after_the_other() -> None:
    async def main() -> None:
        async with faulty(Trickle(ms=250, messages=8, at=State.THINKING)) as (_, client):
            client.ask()
            gaps = await _gaps_s(client)
            assert sum(gap == pytest.approx(0.25, abs=0.01) for gap in gaps) >= 7

    run(main())


def test_pongs_come_late() -> None:
    async def main() -> None:
        async with faulty(SlowPongs(ms=7000)) as (_, client):
            await client.until("session.created")
            began_s = asyncio.get_running_loop().time()
            client.send(Opcode.PING, b"one")
            client.send(Opcode.PING, b"two")
            assert (await client.until("PONG")).data == b"one"
            assert (await client.until("PONG")).data == b"two"
            assert client.arrived[-1].at_s - began_s == pytest.approx(7, abs=0.01)

    run(main())


def test_of_a_flood_of_pings_only_the_newest_are_answered_late() -> None:
    async def main() -> None:
        async with faulty(SlowPongs(ms=1000)) as (_, client):
            await client.until("session.created")
            for number in range(500):
                client.send(Opcode.PING, str(number).encode())
            await asyncio.sleep(2)
            client.say("x")
            await client.until("error")
            pongs = [pong.data for pong in client.of("PONG")]
            assert pongs == [str(number).encode() for number in range(400, 500)]

    run(main())


def test_pongs_never_come() -> None:
    async def main() -> None:
        async with faulty(NoPongs()) as (_, client):
            await client.until("session.created")
            client.send(Opcode.PING)
            client.say("input_audio_buffer.clear")
            await client.until("input_audio_buffer.cleared")
            assert not await client.comes_within(15)

    run(main())


def test_malformed_json_comes_and_the_session_goes_on() -> None:
    async def main() -> None:
        async with faulty(MalformedJson(at=State.SPEAKING)) as (_, client):
            client.ask()
            with pytest.raises(orjson.JSONDecodeError):
                orjson.loads((await client.until("no JSON")).data)
            await client.until("response.done")

    run(main())


def test_an_unknown_event_comes_between_the_others() -> None:
    async def main() -> None:
        async with faulty(UnknownEvent(at=State.SPEAKING)) as (_, client):
            client.ask()
            await client.until("x_unknown.event")
            await client.until("response.done")

    run(main())


def test_unknown_fields_are_added_to_so_many_messages() -> None:
    async def main() -> None:
        fault = UnknownFields(messages=12, at=State.THINKING)
        malformed = MalformedJson(at=State.THINKING, after_messages=1)
        async with faulty(fault, malformed) as (_, client):
            client.ask()
            await client.until("response.done")
            events = [each.event for each in client.arrived if each.type != "no JSON"]
            assert sum("x_unknown" in event for event in events) == 12
            assert len(client.of("no JSON")) == 1

    run(main())


def test_an_oversized_message_trips_a_clients_limit() -> None:
    async def main() -> None:
        faults = [Oversized(after_messages=1), Oversized(session=2, bytes=2_000_000)]
        async with faulty(*faults) as (emulator, client):
            message = await client.until("x_oversized.event")
            assert len(message.data) == 2 * 1024 * 1024
            headers = {"Authorization": "Bearer sk-test"}
            url = f"{emulator.url}?model=gpt-realtime"
            async with connect(url, additional_headers=headers) as connection:
                with pytest.raises(ConnectionClosed):
                    await _all(connection)
                assert connection.protocol.close_sent is not None
                assert connection.protocol.close_sent.code == 1009

    run(main())


async def _all(connection: ClientConnection) -> None:
    while True:
        await connection.recv()


@pytest.mark.parametrize("message", [{"type": "made.up", "n": 1}, "no JSON at all"])
def test_a_message_of_ones_own_comes_as_it_stands(message: dict[str, Any] | str) -> None:
    async def main() -> None:
        async with faulty(Send(message=message, after_ms=50)) as (_, client):
            await client.until("session.created")
            data = (await client.next()).data
            assert data == (message.encode() if isinstance(message, str) else orjson.dumps(message))

    run(main())


def test_messages_are_dropped() -> None:
    async def main() -> None:
        faults = [Drop(type="response.created"), Drop(type="session.created")]
        async with faulty(*faults, Drop(type=AUDIO, count=3)) as (_, client):
            client.ask()
            await client.until("response.done")
            assert client.types[0] == "response.output_item.added"
            missing = len(client.of(AUDIO))
            client.ask()
            await client.until("response.done")
            assert len(client.of(AUDIO)) - missing == missing + 3
            assert len(client.of("response.created")) == 1

    run(main())


def test_a_message_comes_twice() -> None:
    async def main() -> None:
        async with faulty(Duplicate(type="response.created")) as (_, client):
            client.ask()
            await client.until("response.output_item.added")
            one, two = client.of("response.created")
            assert one.data == two.data

    run(main())


def test_a_message_comes_late_and_others_overtake_it() -> None:
    async def main() -> None:
        async with faulty(Delay(type="response.created", ms=1000)) as (_, client):
            client.ask()
            late = await client.until("response.created")
            assert len(client.of(AUDIO)) > 20
            assert late.at_s - client.arrived[0].at_s == pytest.approx(1, abs=0.01)

    run(main())


def test_a_late_message_comes_before_the_close() -> None:
    async def main() -> None:
        faults = [Delay(type="response.created", ms=60_000), Close(after_ms=500)]
        async with faulty(*faults) as (_, client):
            client.ask()
            await client.until("CLOSE")
            assert client.types[-2:] == ["response.created", "CLOSE"]

    run(main())


def test_deltas_trail_the_end_of_a_response() -> None:
    async def main() -> None:
        async with faulty(Trail(type=AUDIO, after="response.done", count=4)) as (_, client):
            client.ask()
            await client.until(AUDIO)
            client.say("response.cancel")
            await client.until("response.done")
            last = client.of(AUDIO)[-1].data
            trailing = [(await client.next()).data for _ in range(4)]
            assert trailing == [last] * 4

    run(main())


def test_a_handshake_is_refused_by_http_and_the_next_is_not() -> None:
    async def main() -> None:
        async with OpenAIEmulator(faults=[RefuseHandshake(status=429)]) as emulator:
            url = f"{emulator.url}?model=gpt-realtime"
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, additional_headers={"Authorization": "Bearer sk-test"})
            assert refused.value.response.status_code == 429
            async with raw(emulator) as client:
                await client.until("session.created")

    run(main())


def test_a_key_is_refused_in_the_services_words() -> None:
    async def main() -> None:
        async with faulty(RefuseKey()) as (_, client):
            assert (await client.until("error")).event["error"]["code"] == "invalid_api_key"
            assert await client.close_code() == 3000

    run(main())


# The points


SPOKEN = Turn(on=None, say=("Hm.",))
CALLING = Turn(on=None, call=(Call(name="get_weather", arguments="{}"),))
MARK = Send(message={"type": "mark"})


def _at(**point: Any) -> Send:
    return MARK.model_copy(update=point)


@pytest.mark.parametrize(
    ("point", "before"),
    [
        ({}, None),
        ({"at": State.USER_SPEAKING}, "input_audio_buffer.speech_started"),
        ({"at": State.THINKING}, "response.created"),
        ({"at": State.SPEAKING}, "response.output_item.added"),
        ({"at": State.TOOL_PENDING, "turn": 2}, "mark"),
        ({"at": State.IDLE, "turn": 1}, "mark"),
        ({"turn": 2}, "input_audio_buffer.speech_started"),
        ({"after_messages": 3}, None),
        ({"after_ms": 1500}, None),
    ],
)
def test_a_fault_strikes_at_its_point(point: dict[str, Any], before: str | None) -> None:
    async def main() -> list[str]:
        async with faulty(_at(**point), turns=[SPOKEN, CALLING]) as (emulator, client):
            tools = [GET_WEATHER]
            client.say("session.update", session={"type": "realtime", "tools": tools})
            for _ in range(2):
                for chunk in _chunks(tone(600) + quiet(700)):
                    emulator.sessions[0].receive(chunk)
                    await asyncio.sleep(0.02)
                await client.until("response.done")
            await asyncio.sleep(1)
            client.say("x")
            await client.until("error")
            return client.types

    types = run(main())
    place = types.index("mark")
    assert types.count("mark") == 1
    answers = types[:place].count("response.done")
    if point.get("turn") == 2 or point.get("at") is State.TOOL_PENDING:
        assert answers == (2 if point.get("at") else 1)
    if before not in (None, "mark"):
        assert types[place + 1] == before
    if not point:
        assert place == 0
    if point == {"after_messages": 3}:
        assert place == 3


def _chunks(pcm: bytes) -> list[str]:
    return [
        orjson.dumps(
            {
                "type": "input_audio_buffer.append",
                "audio": base64.b64encode(pcm[at : at + 960]).decode(),
            }
        ).decode()
        for at in range(0, len(pcm), 960)
    ]


def test_a_fault_belongs_to_one_connection_or_to_every() -> None:
    async def main() -> list[list[str]]:
        first, every = _at(session=2), UnknownEvent(session="every")
        async with OpenAIEmulator(faults=[first, every], scorer=loudness_scorer) as emulator:
            seen = []
            for _ in range(3):
                async with raw(emulator) as client:
                    await client.until("session.created")
                    seen.append(client.types)
            return seen

    unknown, created = "x_unknown.event", "session.created"
    assert run(main()) == [[unknown, created], ["mark", unknown, created], [unknown, created]]


# The same script, seed and traffic: the same bytes


SCRIPT = """
faults:
  - {fault: malformed_json, at: thinking}
  - {fault: unknown_event, after_messages: 5}
  - {fault: unknown_fields, at: speaking, messages: 5}
  - {fault: burst, at: speaking, after_ms: 300, ms: 400}
  - {fault: duplicate, type: response.done}
  - {fault: trail, type: response.output_audio.delta, after: response.done}
  - {fault: reset, turn: 2, at: speaking, after_messages: 7}
"""


def test_the_same_script_seed_and_traffic_make_the_same_bytes() -> None:
    async def call(seed: int) -> bytes:
        async with faulty(*parse_faults(SCRIPT), seed=seed) as (_, client):
            client.ask("hello")
            await client.until("response.done")
            client.ask("again")
            with pytest.raises(ConnectionResetError):
                await client.ended()
            return client.bytes_seen

    first = run(call(1))
    assert b"x_unknown" in first
    assert run(call(1)) == first
    assert run(call(2)) != first
