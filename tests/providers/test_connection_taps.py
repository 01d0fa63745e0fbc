"""Taps that tell the connections of a session apart."""

import asyncio

import pytest

from crossfade.emulators.faults.script import RefuseHandshake, Reset
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost, CrossfadeError
from crossfade.providers import SessionConfig, connect
from crossfade.providers.tap import ConnectionTaps, WireDirection
from tests.clock import run

SPEC = "openai:gpt-realtime-2.1"


class Taps:
    """Keeps what each connection told."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        raise AssertionError("a message of no connection")

    def connection(self, address: str) -> "Line":
        assert address.startswith("127.0.0.1:")
        self.lines.append([])
        return Line(self.lines[-1])


class Line:
    def __init__(self, told: list[str]) -> None:
        self._told = told

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        if direction.value not in self._told:
            self._told.append(direction.value)

    def closed(self, code: int, reason: str) -> None:
        self._told.append(f"closed {code}")


def test_a_tap_may_tell_connections_apart_or_not() -> None:
    assert isinstance(Taps(), ConnectionTaps)
    assert not isinstance(Line([]), ConnectionTaps)


def test_each_connection_tells_its_own_and_how_it_ended() -> None:
    async def scenario() -> list[list[str]]:
        taps = Taps()
        async with OpenAIEmulator(faults=[Reset(after_ms=500)]) as emulator:
            session = connect(
                SPEC, SessionConfig(), base_url=emulator.url, api_key="emulated", tap=taps
            )
            async with session, asyncio.timeout(5):
                async for _ in session:
                    if len(taps.lines) == 2 and taps.lines[1]:
                        break
        return taps.lines

    first, second = run(scenario())
    assert first == ["sent", "received", "closed 1006"]
    assert second[0] == "sent"


@pytest.mark.parametrize("status", [404, 503])
def test_a_connection_that_is_refused_ends_with_the_status(status: int) -> None:
    async def scenario() -> list[list[str]]:
        taps = Taps()
        async with OpenAIEmulator(faults=[RefuseHandshake(status=status)]) as emulator:
            with pytest.raises(CrossfadeError):
                async with connect(
                    SPEC, base_url=emulator.url, api_key="emulated", tap=taps, continuity=None
                ):
                    pass
        return taps.lines

    assert run(scenario()) == [[f"closed {status}"]]


def test_a_connection_that_nobody_answers_ends_with_0() -> None:
    async def scenario() -> list[list[str]]:
        taps = Taps()
        async with OpenAIEmulator() as emulator:
            url = emulator.url
        with pytest.raises(ConnectionLost):
            async with connect(SPEC, base_url=url, api_key="e", tap=taps, continuity=None):
                pass
        return taps.lines

    assert run(scenario()) == [["closed 0"]]
