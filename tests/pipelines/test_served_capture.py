"""What a server keeps and measures of its calls, where it is told to."""

import asyncio
from pathlib import Path

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.observability.capture import CAPTURE
from crossfade.observability.capture_file import read_capture
from crossfade.observability.divergence import compare
from crossfade.pipelines.replay_call import replay_call
from crossfade.transports.websocket_client import CallClient
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving


async def call(folder: Path, *, capture: bool, metrics_port: int | None = None) -> list[str]:
    """One call of a server, which a question is asked in; what the server announced."""
    caller = Caller()
    async with (
        OpenAIEmulator(scripted(folder)) as emulator,
        serving(folder, emulator, capture=capture, metrics_port=metrics_port) as server,
        CallClient([server.url], on_sound=caller.hear, on_message=caller.note) as client,
    ):
        await client.attached()
        client.speak(question())
        await caller.hears_sound()
        await asyncio.sleep(1)
        await client.hang_up()
    return server.told


def test_a_served_call_that_was_captured_can_be_run_again(tmp_path: Path) -> None:
    run(call(tmp_path, capture=True))
    (folder,) = (tmp_path / "runs").iterdir()
    captured = read_capture(folder)
    replayed = run(replay_call(captured, tmp_path / "again"))
    assert compare(captured, replayed) == []


def test_by_default_a_server_captures_and_measures_nothing(tmp_path: Path) -> None:
    told = run(call(tmp_path, capture=False))
    assert not list(tmp_path.rglob(CAPTURE))
    assert not [line for line in told if "metrics" in line]


def test_a_server_with_a_port_for_metrics_tells_where_they_are(tmp_path: Path) -> None:
    told = run(call(tmp_path, capture=False, metrics_port=0))
    assert [line for line in told if line.startswith("metrics at http://127.0.0.1:")]
