"""Moshi's own faults, as a client sees them, and general ones on a binary wire."""

import asyncio

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.faults import (
    Close,
    Drop,
    Fault,
    Reset,
    Send,
    State,
    UnknownFields,
    parse_faults,
)
from crossfade.emulators.moshi.faults import (
    OWN_FAULTS,
    Busy,
    ErrorFrame,
    Expire,
    GarbledOgg,
    SendFrame,
)
from tests.clock import run
from tests.emulators.moshi.wire_client import UTTERANCE, client_of, emulator_of, quiet


def test_a_busy_server_keeps_the_client_waiting() -> None:
    async def main() -> None:
        faults = [Busy(ms=5000), Busy(session=2)]
        async with emulator_of(faults=faults) as emulator:
            began_s = asyncio.get_running_loop().time()
            async with client_of(emulator) as client:
                assert client.times_s[0] - began_s == pytest.approx(5, abs=0.1)
            async with client_of(emulator, shaken=False) as client:
                await client.listen(600)
                assert client.messages == []

    run(main())


def test_an_error_comes_and_the_stream_goes_on() -> None:
    async def main() -> None:
        faults: list[Fault] = [
            ErrorFrame(message="out of memory", after_ms=500),
            SendFrame(kind=6, after_ms=600),
            SendFrame(kind=99, text="hm", after_ms=700),
        ]
        async with emulator_of(faults=faults) as emulator, client_of(emulator) as client:
            await client.listen(2)
            others = [message for message in client.messages if message[0] > 2]
            assert others == [b"\x05out of memory", b"\x06", b"\x63hm"]
            assert client.kinds.count(1) == 24

    run(main())


def test_garbled_pages_are_no_ogg() -> None:
    async def main() -> None:
        faults = [GarbledOgg(frames=2, after_ms=1000)]
        async with (
            emulator_of(faults=faults) as emulator,
            client_of(emulator) as client,
        ):
            pages: list[bytes] = []
            while len(pages) < 20:
                message = await client.connection.recv()
                assert isinstance(message, bytes)
                pages.append(message[1:5])
            assert [page for page in pages if page != b"OggS"] == [
                bytes(b ^ 255 for b in b"OggS")
            ] * 2

    run(main())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Expire(turn=1, at=State.SPEAKING, after_ms=200), 1006),
        (Reset(turn=1, at=State.SPEAKING, after_ms=200), 1006),
        (Close(turn=1, at=State.SPEAKING, after_ms=200, code=1011, reason="gone"), 1011),
    ],
)
def test_faults_strike_while_it_speaks(fault: Fault, code: int) -> None:
    async def main() -> None:
        async with emulator_of(faults=[fault]) as emulator, client_of(emulator) as client:
            with pytest.raises(ConnectionClosed):
                await client.stream(np.concatenate([UTTERANCE, quiet(4000)]))
            assert client.connection.close_code == code
            assert client.kinds.count(1) > 15
            assert client.words.startswith(" Herons")

    run(main())


def test_general_faults_do_on_a_binary_wire_what_they_can() -> None:
    async def main() -> None:
        faults = [
            Send(message={"a": 1}, after_ms=200),
            UnknownFields(after_ms=300),
            Drop(type="text", count=2),
        ]
        async with emulator_of(faults=faults) as emulator, client_of(emulator) as client:
            await client.stream(UTTERANCE)
            await client.stream(quiet(4000))
            assert client.words == " fish and frogs."
            assert client.others[-1] == '{"a":1}'

    run(main())


def test_they_are_read_from_yaml() -> None:
    text = "faults: [{fault: busy, ms: 100}, {fault: expire, turn: 2, at: thinking}]"
    assert parse_faults(text, OWN_FAULTS) == [Busy(ms=100), Expire(turn=2, at=State.THINKING)]
