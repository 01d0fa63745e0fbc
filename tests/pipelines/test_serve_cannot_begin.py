"""New calls that cannot begin: their client is told at once, and nothing is left of them."""

import asyncio
import contextlib
import errno
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from loguru import logger

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import (
    ConnectionLost,
    CredentialsRefused,
    ProviderFault,
    SettingsError,
    StoreUnavailable,
)
from crossfade.observability import call
from crossfade.observability.call import EVENTS
from crossfade.observability.recorder import Recorder
from crossfade.pipelines.call_folder import check_runs, remove_empty_call_folder
from crossfade.pipelines.serve_begin import told_of
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import Caller, Serving, question, scripted, serving, until
from tests.pipelines.test_serve import client
from tests.pipelines.test_serve_dashboard import asker, nobody_is_in_a_call

NOTHING = '{"t":0.0,"dir":"call","type":"call.started"}\n'


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """What the log says meanwhile."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    try:
        yield lines
    finally:
        logger.remove(sink)


@contextlib.asynccontextmanager
async def without_provider(
    folder: Path, count: int = 1, store: str | None = None
) -> AsyncIterator[list[Serving]]:
    """Servers whose provider has gone."""
    async with contextlib.AsyncExitStack() as stack:
        async with OpenAIEmulator(scripted(folder)) as emulator:
            servers = [
                await stack.enter_async_context(serving(folder, emulator, store=store))
                for _ in range(count)
            ]
        yield servers


@pytest.mark.parametrize("store", [False, True])
def test_a_dead_provider_ends_a_new_call_and_leaves_no_folder(tmp_path: Path, store: bool) -> None:
    async def scenario() -> None:
        at = str(tmp_path / "calls.db") if store else None
        async with without_provider(tmp_path, store=at) as (server,):
            with logged() as lines:
                async with CallClient([server.url]) as client:
                    with pytest.raises(ConnectionLost, match="service cannot be reached") as lost:
                        await client.over()
            assert "127.0.0.1" not in str(lost.value)
            assert lost.value.close_code == CloseCode.FAILED
            (line,) = (line for line in lines if "cannot be served" in line)
            assert "127.0.0.1" in line
        assert list((tmp_path / "runs").iterdir()) == []

    run(scenario())


def test_what_a_provider_said_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), api_keys=["right"]) as emulator,
            serving(tmp_path, emulator, api_key="wrong") as server,
            CallClient([server.url]) as client,
        ):
            with pytest.raises(ConnectionLost, match="does not accept the server's key"):
                await client.over()
        (folder,) = (tmp_path / "runs").iterdir()
        assert "invalid_api_key" in (folder / EVENTS).read_text()

    run(scenario())


async def is_answered(url: str) -> Caller:
    """A call in which the agent speaks."""
    caller = Caller()
    async with client(caller, url) as one:
        await one.attached()
        one.speak(question())
        await caller.hears_sound()
        await one.hang_up()
    return caller


@pytest.mark.parametrize("store", [False, True])
def test_a_folder_that_is_gone_is_in_the_log_alone(tmp_path: Path, store: bool) -> None:
    """Calls go on without a record; that is logged once, and counted."""

    async def scenario() -> None:
        at = str(tmp_path / "calls.db") if store else None
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=at) as server,
        ):
            runs = tmp_path / "runs"
            shutil.rmtree(runs, ignore_errors=True)
            runs.touch()
            asks = asker(server.url)
            with logged() as lines:
                for _ in range(2):
                    caller = await is_answered(server.url)
                    assert str(tmp_path) not in str(caller.messages)
            assert len([line for line in lines if str(runs) in line]) == 1
            await until(lambda: nobody_is_in_a_call(asks))
            metrics = (await asks.ask("GET", "/metrics", {"Host": "localhost"})).body.decode()
            (counted,) = re.findall(r"^crossfade_calls_unrecorded_total{.*} (.*)$", metrics, re.M)
            assert float(counted) == 2
            assert 'crossfade_call_outcome="completed"' in metrics
            assert 'crossfade_call_outcome="failed"' not in metrics
            assert "crossfade_voice_to_voice_duration_seconds_count" in metrics
            runs.unlink()
            with logged() as lines:
                await is_answered(server.url)
            assert not lines
            await until(lambda: nobody_is_in_a_call(asks))
            assert len(list(runs.glob(f"*/{EVENTS}"))) == 1

    run(scenario())


def test_a_full_disk_leaves_no_folders_of_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Recorder:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            monkeypatch.setattr(call, "Recorder", full)
            with logged() as lines:
                for _ in range(2):
                    await is_answered(server.url)
            assert len(lines) == 1
            assert "No space left" in lines[0]
            assert list((tmp_path / "runs").iterdir()) == []

    run(scenario())


def test_a_new_call_begins_at_the_one_server_that_can(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "bad").mkdir()
        async with (
            without_provider(tmp_path / "bad") as (bad,),
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as good,
            CallClient([bad.url, good.url]) as client,
        ):
            await client.attached()
            assert client.attached_to == good.url
            await client.hang_up()

    run(scenario())


def test_every_server_is_asked_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        now_s = asyncio.get_running_loop().time
        async with without_provider(tmp_path, 2) as servers:
            began_s = now_s()
            with logged() as lines:
                async with CallClient([server.url for server in servers]) as client:
                    with pytest.raises(ConnectionLost, match="the call cannot begin"):
                        await client.attached()
            assert now_s() - began_s < 2
            assert len([line for line in lines if "cannot be served" in line]) == 2

    run(scenario())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionLost("Nothing answers at 10.0.0.3:1"), "service cannot be reached"),
        (CredentialsRefused("10.0.0.3 refused it"), "does not accept the server's key"),
        (ProviderFault("10.0.0.3 refused it"), "service refuses the call"),
        (StoreUnavailable("10.0.0.3 is down"), "the store does not answer"),
        (SettingsError("/srv/10.0.0.3 is no folder"), "the server cannot take this call"),
        (RuntimeError("10.0.0.3"), "the server cannot take this call"),
        (None, "the server cannot take this call"),
    ],
)
def test_clients_are_told_the_kind_of_an_error_alone(
    error: BaseException | None, words: str
) -> None:
    told = told_of(error)
    assert words in told
    assert "log" in told
    assert "10.0.0.3" not in told


def test_a_folder_of_calls_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    check_runs(tmp_path / "new" / "runs")
    assert list((tmp_path / "new" / "runs").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="is no folder; name another with --runs"):
        check_runs(tmp_path / "file")
    with pytest.raises(SettingsError, match="cannot write to the folder"):
        check_runs(tmp_path / "file" / "runs")


@pytest.mark.parametrize(
    ("log", "other"),
    [
        (NOTHING + '{"t":0.1,"dir":"in","type":"error"}\n', None),
        (NOTHING + '{"t":0.1,"dir":"call","type":"call.usage"}\n', None),
        (NOTHING + "no JSON\n", None),
        (NOTHING + '["no", "object"]\n', None),
        (NOTHING + "{}\n", None),
        (NOTHING * 2000, None),
        (NOTHING, "notes.txt"),
        (NOTHING, "capture.jsonl"),
    ],
)
def test_a_folder_that_holds_anything_stays(tmp_path: Path, log: str, other: str | None) -> None:
    (tmp_path / EVENTS).write_text(log)
    if other is not None:
        (tmp_path / other).touch()
    before = set(tmp_path.iterdir())
    remove_empty_call_folder(tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_a_folder_without_a_log_stays(tmp_path: Path) -> None:
    remove_empty_call_folder(tmp_path)
    assert tmp_path.is_dir()
