"""A call that ends otherwise than by hanging up leaves a valid record and says why."""

import asyncio
import json
from pathlib import Path

import pytest
import soundfile

from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.native_call import native_call
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import MODEL, make_call


def record_is_valid(folder: Path) -> None:
    log = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert "call.ended" in [line["type"] for line in log]
    assert soundfile.info(folder / "recording.wav").duration > 1
    assert json.loads((folder / "transcript.json").read_text())["turns"]


def test_without_continuity_a_session_that_expires_ends_the_call_with_its_reason(
    tmp_path: Path,
) -> None:
    emulator = OpenAIEmulator(timing=Timing(session_seconds=4))
    with pytest.raises(CrossfadeError, match="maximum duration"):
        run(make_call(tmp_path, demo_script(), emulator=emulator, continuity=None))
    record_is_valid(tmp_path)


def test_a_call_that_is_cancelled_is_recorded_and_cancelled(tmp_path: Path) -> None:
    async def scenario() -> None:
        calling = asyncio.create_task(make_call(tmp_path, demo_script()))
        await asyncio.sleep(5)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    run(scenario())
    record_is_valid(tmp_path)


def test_a_call_ends_with_the_loop_that_cancels_all_tasks_at_once(tmp_path: Path) -> None:
    """As `asyncio.run` does at its end: pipecat's own tasks are gone before the call's."""

    async def scenario() -> None:
        calling = asyncio.create_task(make_call(tmp_path, demo_script()))
        await asyncio.sleep(5)
        everything = asyncio.all_tasks() - {asyncio.current_task()}
        for task in everything:
            task.cancel()
        _, left = await asyncio.wait(everything, timeout=30)
        assert not left
        assert calling.cancelled()

    run(scenario())
    record_is_valid(tmp_path)


def test_what_was_heard_until_a_call_was_cut_off_is_kept(tmp_path: Path) -> None:
    """The greeting has sounded for about a second when the call is cut."""

    async def scenario() -> None:
        calling = asyncio.create_task(make_call(tmp_path, demo_script()))
        await asyncio.sleep(3.2)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    run(scenario())
    agent = json.loads((tmp_path / "transcript.json").read_text())["turns"][1]
    assert agent["interrupted"]
    assert 0 < len(agent["heard"]) < len(agent["text"])
    assert agent["items"][0]["played_ms"] > 500


def test_a_provider_that_vanishes_ends_the_call_with_one_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = ScriptedCaller(demo_script())
        emulator = OpenAIEmulator()
        server = await emulator.__aenter__()
        record = CallRecord.open(tmp_path)
        async with native_call(
            MODEL,
            transport=caller,
            record=record,
            config=SessionConfig(),
            base_url=server.url,
            api_key="emulated",
        ) as call:
            running = asyncio.create_task(call.run(until=caller.hung_up()))
            await asyncio.sleep(5)
            await emulator.__aexit__(None, None, None)
            with pytest.raises(CrossfadeError):
                await running

    run(scenario())
    record_is_valid(tmp_path)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    errors = [line for line in lines if '"ErrorFrame"' in line]
    assert len(errors) == 1
