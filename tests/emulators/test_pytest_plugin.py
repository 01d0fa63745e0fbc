"""The fixtures, in other people's projects."""

import subprocess
import sys

import pytest

from tests.project import settings

pytest_plugins = ["pytester"]
PLUGIN = "crossfade.emulators.pytest_plugin"

TESTS = """
import asyncio
import orjson
import pytest
from websockets.asyncio.client import connect as aconnect
from websockets.sync.client import connect

KEY = {"Authorization": "Bearer sk-test"}


def greet(emulator):
    with connect(emulator.url + "?model=gpt-realtime", additional_headers=KEY) as client:
        client.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
        while True:
            event = orjson.loads(client.recv(timeout=10))
            if event["type"] == "response.output_text.done":
                return event["text"]


def test_a_client_without_a_loop(openai_emulator):
    assert "built in agent" in greet(openai_emulator)
    assert openai_emulator.wait_for("response.create").types == ["response.create"]
    openai_emulator.session.received.assert_order("response.create")


@pytest.mark.emulator(turns=[{"say": "In place."}])
def test_a_client_with_a_loop(openai_emulator):
    async def main():
        assert await asyncio.to_thread(greet, openai_emulator) == "In place."

    asyncio.run(main())


@pytest.mark.emulator(scenario="call.yaml", timing={"think_ms": 0})
class TestMarks:
    def test_of_the_class(self, openai_emulator):
        assert greet(openai_emulator) == "From the file."

    @pytest.mark.emulator(scenario="other.yaml")
    def test_the_nearest_wins(self, openai_emulator):
        assert greet(openai_emulator) == "From the other."


@pytest.mark.emulator(faults=[{"fault": "error_frame", "message": "so"}])
def test_faults(moshi_emulator):
    with connect(moshi_emulator.url) as client:
        assert b"\\x05so" in (client.recv(), client.recv())


def test_several_and_a_replay(emulator_factory):
    emulators = [emulator_factory(wire) for wire in ("openai", "gemini", "moshi")]
    assert len({emulator.url for emulator in emulators}) == 3
    replay = emulator_factory("openai", replay="call.jsonl")
    with connect(replay.url) as client:
        client.send('{"type": "response.create"}')
        assert client.recv() == '{"type":"response.done"}'
    replay.emulator.assert_complete()


def test_nobody_came(openai_emulator):
    with pytest.raises(AssertionError, match="there came nobody"):
        openai_emulator.wait_for("session.update", timeout_s=0.01)


def test_it_does_not_start(emulator_factory):
    with pytest.raises(Exception, match="cannot read the scenario"):
        emulator_factory("openai", scenario="none.yaml")
"""

RECORDING = (
    '{"direction": "sent", "kind": "message", "data": {"type": "response.create"}}\n'
    '{"direction": "received", "kind": "message", "data": {"type": "response.done"}}\n'
)


@pytest.mark.realtime
def test_clients_with_and_without_a_loop_are_tested(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.makefile(
        ".yaml",
        call="turns: [{say: From the file.}]",
        other="turns: [{say: From the other.}]",
    )
    pytester.makefile(".jsonl", call=RECORDING)
    options = ["-p", PLUGIN, "-W", "error", "--strict-markers", "--strict-config"]
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=8)


def test_it_is_registered_under_the_name_of_its_module() -> None:
    assert settings()["project"]["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}


def test_it_loads_nothing_before_a_test_asks_for_it() -> None:
    program = f"import sys, pytest; before = set(sys.modules); import {PLUGIN}; "
    program += "print(*sys.modules.keys() - before)"
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert sorted(loaded) == ["crossfade", "crossfade.emulators", PLUGIN]
