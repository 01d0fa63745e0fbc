"""Handshakes, the lock, the cap, and what the servers make of what they do not know."""

import asyncio
from collections.abc import Iterable

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossfade.emulators.faults import RefuseHandshake, RefuseKey
from crossfade.emulators.moshi import MoshiEmulator, Pace, Server, Timing
from crossfade.errors import SettingsError
from tests.clock import run
from tests.emulators.moshi.wire_client import (
    UTTERANCE,
    WireClient,
    client_of,
    emulator_of,
    quiet,
)


async def dropped(client: WireClient) -> float:
    """Listen to the end, which has no close; returns when it came."""
    with pytest.raises(ConnectionClosed):
        await client.listen(1000)
    assert client.connection.close_code == 1006
    return asyncio.get_running_loop().time()


def test_the_python_server_says_one_bare_byte() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            assert emulator.url == f"ws://127.0.0.1:{emulator.port}/api/chat"
            assert client.messages == [b"\x00"]

    run(main())


def test_the_rust_server_tells_metadata_then_two_versions() -> None:
    async def main() -> None:
        async with (
            emulator_of(server=Server.RUST) as emulator,
            connect(f"{emulator.url}?text_temperature=0.5&audio_topk=100") as connection,
        ):
            client = WireClient(connection)
            metadata = await client.receive()
            assert metadata[0] == 4
            fields = orjson.loads(metadata[1:])
            assert (fields["text_temperature"], fields["audio_topk"]) == (0.5, 100)
            assert fields["text_topk"] == 250
            assert await client.receive() == bytes(9)

    run(main())


def test_a_query_that_is_no_number_and_another_path_are_refused_by_http() -> None:
    async def main() -> None:
        async with emulator_of(server=Server.RUST) as emulator:
            for url, status in (
                (f"{emulator.url}?text_topk=many", 400),
                (emulator.url.replace("chat", "talk"), 404),
            ):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url)
                assert refused.value.response.status_code == status

    run(main())


def test_a_second_client_of_the_python_server_waits_for_its_handshake() -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            first = client_of(emulator)
            one = await first.__aenter__()
            async with client_of(emulator, shaken=False) as two:
                await two.listen(30)
                assert two.messages == []
                await one.receive()
                await first.__aexit__(None, None, None)
                await two.until(0)
                await two.stream(UTTERANCE)
                await two.stream(quiet(4000))
                assert two.words == " Herons eat fish and frogs."

    run(main())


def test_one_that_gives_up_waiting_does_not_hold_the_others() -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            async with client_of(emulator), client_of(emulator, shaken=False) as two:
                await two.listen(1)
            async with client_of(emulator) as three:
                assert three.messages == [b"\x00"]

    run(main())


def test_the_rust_server_drops_the_line_after_six_minutes_and_the_other_when_told() -> None:
    async def main() -> None:
        for server, seconds, expected in (
            (Server.RUST, None, 360),
            (Server.RUST, 5, 5),
            (Server.PYTHON, 5, 5),
        ):
            timing = Timing(session_seconds=seconds, pace=Pace.INPUT)
            async with (
                emulator_of(server=server, timing=timing) as emulator,
                client_of(emulator) as client,
            ):
                began_s = client.times_s[0]
                assert await dropped(client) - began_s == pytest.approx(expected, abs=0.1)

    run(main())


def test_a_client_may_ask_the_rust_server_for_fewer_steps() -> None:
    async def main() -> None:
        async with (
            emulator_of(server=Server.RUST) as emulator,
            connect(f"{emulator.url}?max_steps=100") as connection,
        ):
            client = WireClient(connection)
            began_s = asyncio.get_running_loop().time()
            assert await dropped(client) - began_s == pytest.approx(8, abs=0.1)

    run(main())


def test_the_python_server_has_no_cap() -> None:
    async def main() -> None:
        timing = Timing(pace=Pace.INPUT)
        async with emulator_of(timing=timing) as emulator, client_of(emulator) as client:
            await client.listen(3600)
            await client.stream(quiet(160))
            assert client.kinds == [0, 1, 1]

    run(main())


ODD = [b"\x2a what", b"\x06", b"\x03\x01", b"\x02text", b"\x04{}", b"\x05oh", b"\x00", b""]


def test_what_it_does_not_know_is_passed_over() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            for message in ODD:
                await client.connection.send(message)
            await client.connection.send("text")
            await client.stream(UTTERANCE)
            await client.stream(quiet(4000))
            assert client.words == " Herons eat fish and frogs."
            received = emulator.sessions[0].received
            received.assert_order("kind_42", "ping", "control", "text", "metadata", "error")
            assert received.of("control") == [{"control": "end_turn"}]
            assert received.types[-2:] == ["text_message", "audio"]

    run(main())


@pytest.mark.parametrize(
    ("server", "messages"),
    [
        (Server.RUST, [b"\x2a what"]),
        (Server.RUST, ["text"]),
        (Server.RUST, [b"\x01no pages at all, " * 3]),
        (Server.PYTHON, [b"\x01no pages at all, " * 3]),
        (Server.PYTHON, [b"\x01OggS", b"\x01" + b"\xff" * 200]),
    ],
)
def test_what_ends_a_session_ends_only_that(
    server: Server, messages: Iterable[str | bytes]
) -> None:
    async def main() -> None:
        async with emulator_of(server=server) as emulator:
            async with client_of(emulator) as client:
                for message in messages:
                    await client.connection.send(message)
                await dropped(client)
            async with client_of(emulator) as client:
                await client.listen(0.2)
                assert 1 in client.kinds
            assert [session.failure for session in emulator.sessions] == [None, None]

    run(main())


def test_a_flood_in_one_message_ends_the_session() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            minute = b"".join(client.pages(quiet(80))[1:] for _ in range(750))
            await client.connection.send(b"\x01" + minute)
            await dropped(client)

    run(main())


def test_long_words_of_a_client_are_not_kept() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.connection.send(b"\x02" + b"a" * 1_000_000)
            await client.listen(0.2)
            assert emulator.sessions[0].received.of("text") == [{"text": "a" * 1000}]

    run(main())


def test_keys_and_handshakes_are_refused_by_faults() -> None:
    async def main() -> None:
        faults = [RefuseHandshake(session=1, status=502), RefuseKey(session=2)]
        async with emulator_of(faults=faults) as emulator:
            for status in (502, 401):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(emulator.url)
                assert refused.value.response.status_code == status
            async with client_of(emulator) as client:
                assert client.kinds == [0]

    run(main())


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sphn", None)
    with pytest.raises(SettingsError, match=r"install crossfade\[moshi\]"):
        MoshiEmulator()


@pytest.mark.parametrize("wrong", [{"think_ms": -1}, {"silence_ms": 0}, {"session_seconds": 0}])
def test_impossible_timings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="durations are positive"):
        Timing(**wrong)  # type: ignore[arg-type]
