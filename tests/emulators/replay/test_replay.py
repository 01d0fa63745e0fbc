"""Recordings against clients that do what was recorded, and that do not."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.faults import Fault, Reset, State
from crossfade.emulators.moshi.faults import Expire
from crossfade.emulators.replay import Recording, ReplayEmulator, load_recording
from crossfade.emulators.replay.recording import Closing, Step
from crossfade.emulators.replay.server import WireName
from crossfade.errors import SettingsError
from tests.clock import run
from tests.project import ROOT

WRITTEN = sorted((ROOT / "tests" / "providers" / "sessions").glob("*/*.yaml"))
RECORDED = sorted(Path(os.environ.get("CROSSFADE_RECORDINGS", "/nowhere")).glob("*/*.yaml"))
APPEND = {"type": "input_audio_buffer.append", "audio": "AAAA"}
CREATE = {"type": "response.create"}
DONE = {"type": "response.done"}


def wire_of(path: Path) -> Any:
    assert path.parent.name in get_args(WireName)
    return path.parent.name


def sent(data: Any) -> Step:
    return Step(sent=True, data=data, at_ms=None)


def told(data: Any, at_ms: float | None = None) -> Step:
    return Step(sent=False, data=data, at_ms=at_ms)


async def send(connection: ClientConnection, data: Any) -> None:
    text = data if isinstance(data, str | bytes) else orjson.dumps(data).decode()
    await connection.send(text)


async def follow(connection: ClientConnection, recording: Recording) -> None:
    """Do as the recorded client did, and check what the service says."""
    for step in recording:
        if step.sent:
            await send(connection, step.data)
        elif isinstance(step.data, Closing):
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == step.data.code
        else:
            message: Any = await connection.recv()
            if isinstance(step.data, dict):
                message = orjson.loads(message)
            assert message == step.data


@pytest.mark.parametrize(
    "path", [*WRITTEN, *RECORDED], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_the_recorded_client_passes(path: Path) -> None:
    async def main() -> None:
        recording = load_recording(path)
        async with ReplayEmulator(wire_of(path), recording) as emulator:
            async with connect(emulator.url) as connection:
                await follow(connection, recording)
            emulator.assert_complete()

    assert WRITTEN
    run(main())


def test_sound_counts_once_however_many_pieces_there_are() -> None:
    async def main() -> None:
        steps = [sent(APPEND), sent(APPEND), sent(APPEND), sent(CREATE), told(DONE)]
        for pieces in (1, 50):
            async with ReplayEmulator("openai", steps) as emulator:
                async with connect(emulator.url) as connection:
                    for _ in range(pieces):
                        await send(connection, APPEND)
                    await send(connection, CREATE)
                    assert orjson.loads(await connection.recv()) == DONE
                    await send(connection, APPEND)
                emulator.assert_complete()
                assert emulator.sessions[0].received[0].messages == pieces

    run(main())


@pytest.mark.parametrize(
    ("message", "told_of"),
    [
        ({"type": "response.cancel"}, "step 1: it sent response.cancel instead of response.create"),
        ("no json", "step 1: it sent text instead of response.create"),
    ],
)
def test_a_client_that_does_otherwise_is_closed_with_the_reason(message: Any, told_of: str) -> None:
    async def main() -> None:
        async with ReplayEmulator("openai", [sent(CREATE), told(DONE)]) as emulator:
            async with connect(emulator.url) as connection:
                await send(connection, message)
                with pytest.raises(ConnectionClosed):
                    await connection.recv()
                assert (connection.close_code, connection.close_reason) == (1008, told_of)
            with pytest.raises(AssertionError, match=told_of):
                emulator.assert_complete()

    run(main())


def test_a_client_that_goes_on_leaves_early_or_never_comes_is_told() -> None:
    async def main() -> None:
        async with ReplayEmulator("openai", [sent(CREATE)]) as emulator:
            with pytest.raises(AssertionError, match="no client came"):
                emulator.assert_complete()
            async with connect(emulator.url):
                pass
            with pytest.raises(AssertionError, match=r"still had to send response\.create"):
                emulator.assert_complete()
        async with (
            ReplayEmulator("openai", [sent(CREATE)]) as emulator,
            connect(emulator.url) as connection,
        ):
            await send(connection, CREATE)
            await send(connection, CREATE)
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_reason == (
                "it sent response.create after the end of the recording"
            )

    run(main())


def test_recorded_times_are_kept_times_the_speed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        steps = [told(DONE, 500), told(DONE, 2500), told(DONE)]
        for speed, expected in ((1.0, [0.5, 2.5, 2.5]), (10.0, [0.05, 0.25, 0.25])):
            async with (
                ReplayEmulator("openai", steps, speed=speed) as emulator,
                connect(emulator.url) as connection,
            ):
                began_s, times = loop.time(), []
                for _ in steps:
                    await connection.recv()
                    times.append(loop.time() - began_s)
                assert times == pytest.approx(expected, abs=0.02)

    run(main())


def test_gemini_is_told_in_binary_messages_and_faults_strike() -> None:
    async def main() -> None:
        steps = [told({"setupComplete": {}}), sent({"clientContent": {}})]
        faults = [Reset(after_ms=100)]
        async with (
            ReplayEmulator("gemini", steps, faults=faults) as emulator,
            connect(emulator.url) as connection,
        ):
            assert await connection.recv() == b'{"setupComplete":{}}'
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 1006

    run(main())


@pytest.mark.parametrize(("count", "text"), [(1001, ""), (5, "x" * 8 * 2**20)])
def test_a_flood_before_its_turn_ends_the_session(count: int, text: str) -> None:
    async def main() -> None:
        steps = [told(DONE, 3_600_000), sent(CREATE)]
        async with (
            ReplayEmulator("openai", steps) as emulator,
            connect(emulator.url) as connection,
        ):
            with contextlib.suppress(ConnectionClosed):
                for _ in range(count):
                    await send(connection, {**CREATE, "text": text})
            await connection.wait_closed()
            assert connection.close_code == 1008

    run(main())


@pytest.mark.parametrize("fault", [Reset(turn=1), Reset(at=State.SPEAKING), Expire()])
def test_a_fault_that_could_never_strike_is_refused(fault: Fault) -> None:
    with pytest.raises(SettingsError, match="a replay has no"):
        ReplayEmulator("moshi", [], faults=[fault])


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(SettingsError, match="speed of a replay is positive"):
        ReplayEmulator("openai", [], speed=speed)


def test_a_connection_that_ended_without_a_close_ends_so_again() -> None:
    async def main() -> None:
        steps = [told({"type": "session.created"}), told(Closing(code=1006))]
        async with ReplayEmulator("openai", steps) as emulator, connect(emulator.url) as client:
            await client.recv()
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is None

    run(main())
