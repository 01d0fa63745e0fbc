"""What a server keeps and measures of its calls, where it is told to."""

import asyncio
from pathlib import Path

import soundfile
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.observability.capture import CAPTURE
from crossfade.observability.capture_file import read_capture
from crossfade.observability.divergence import compare
from crossfade.pipelines.replay_call import replay_call
from crossfade.transports.websocket_client import CallClient
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving
from tests.pipelines.test_serve_nodes import GEMINI, choose, client, two_nodes


async def call(folder: Path, *, capture: bool) -> None:
    """One call of a server, which a question is asked in."""
    caller = Caller()
    async with (
        OpenAIEmulator(scripted(folder)) as emulator,
        serving(folder, emulator, capture=capture) as server,
        CallClient([server.url], on_sound=caller.hear, on_message=caller.note) as client,
    ):
        await client.attached()
        client.speak(question())
        await caller.hears_sound()
        await asyncio.sleep(1)
        await client.hang_up()


def test_a_served_call_that_was_captured_can_be_run_again(tmp_path: Path) -> None:
    run(call(tmp_path, capture=True))
    (folder,) = (tmp_path / "runs").iterdir()
    captured = read_capture(folder)
    replayed = run(replay_call(captured, tmp_path / "again"))
    assert compare(captured, replayed) == []


def test_by_default_a_server_captures_nothing(tmp_path: Path) -> None:
    run(call(tmp_path, capture=False))
    assert not list(tmp_path.rglob(CAPTURE))


def test_a_server_without_content_captures_nothing_either() -> None:
    result = CliRunner().invoke(app, ["serve", "--no-content", "--capture"])
    assert result.exit_code == 2
    assert "--capture" in result.output


def test_a_server_records_as_flac_where_it_is_told_to(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"})
    assert "--flac" in result.output

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, flac=True) as server,
            CallClient([server.url]) as client,
        ):
            await client.attached()
            client.speak(question())
            await asyncio.sleep(3)
            await client.hang_up()

    run(scenario())
    (recording,) = (tmp_path / "runs").glob("*/recording.*")
    assert recording.suffix == ".flac"
    assert soundfile.info(recording).duration > 2


def test_a_served_call_that_changed_its_node_can_be_run_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            two_nodes(tmp_path) as (_, _, served),
            served(capture=True) as server,
            client(caller, server.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(8)
            await choose(c, GEMINI)
            await asyncio.sleep(2)
            c.speak(question())
            await asyncio.sleep(6)
            await c.hang_up()

    run(scenario())
    (folder,) = (tmp_path / "runs").iterdir()
    captured = read_capture(folder)
    assert [one.fields["node"] for one in captured.of("order")] == [GEMINI]
    assert compare(captured, run(replay_call(captured, tmp_path / "again"))) == []
