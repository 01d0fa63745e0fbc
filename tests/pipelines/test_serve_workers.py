"""Several workers at one port: here as tasks of one loop, on the virtual clock."""

import asyncio
import contextlib
import errno
import itertools
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.telnyx import TelnyxEmulator
from crossfade.errors import CrossfadeError, SettingsError
from crossfade.pipelines.http_server import listener
from crossfade.pipelines.serve_carriers import TELNYX_KEY_VARIABLE
from crossfade.pipelines.serve_settings import SECRET_VARIABLE, TOKEN_VARIABLE, ServeSettings
from crossfade.pipelines.serve_with_workers import run_workers
from crossfade.pipelines.serve_workers import Spawn, Supervisor
from crossfade.pipelines.serve_workers_child import work
from crossfade.pipelines.serve_workers_table import Workers as Table
from crossfade.transports.websocket_client import CallClient
from tests.clock import run
from tests.pipelines.phones import TALK, asked, hears, nobodys
from tests.pipelines.serving import Caller, question, scripted
from tests.pipelines.test_serve import client, get

_pids = itertools.count(1)


@dataclass
class Process:
    """A worker that is a task."""

    task: "asyncio.Task[None]"
    end: socket.socket
    pid: int = field(default_factory=lambda: next(_pids))

    async def wait(self) -> None:
        await asyncio.wait([self.task])

    def kill(self) -> None:
        self.task.cancel()


async def spawn(end: socket.socket) -> Process:
    own = end.dup()
    return Process(asyncio.create_task(work(own, own_process=False), name="a worker"), own)


@dataclass
class Workers:
    supervisor: Supervisor
    url: str


@contextlib.asynccontextmanager
async def workers(
    folder: Path, emulator: OpenAIEmulator, *, spawn: Spawn = spawn, **options: Any
) -> AsyncIterator[Workers]:
    settings = ServeSettings(
        port=0,
        base_url=emulator.url,
        store=str(folder / "calls.db"),
        runs=folder / "runs",
        **{"workers": 2, "metrics": False, **options},
    )
    with listener("127.0.0.1", 0) as found:
        supervisor = Supervisor(settings, found, secret="0123456789abcdef", spawn=spawn)
        await supervisor.start()
        try:
            yield Workers(supervisor, f"ws://127.0.0.1:{found.getsockname()[1]}/ws")
            await supervisor.drain()
        finally:
            await supervisor.kill()


async def shown(url: str) -> list[dict[str, Any]]:
    """Each worker, as the dashboard shows it."""
    status, body = await get(url, "/dashboard/calls")
    assert status == 200
    found: list[dict[str, Any]] = json.loads(body)["workers"]
    return found


def counts(found: list[dict[str, Any]]) -> dict[int, int]:
    return {each["worker"]: len(each["calls"]) for each in found}


def test_calls_are_shared_and_a_client_that_comes_back_finds_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            callers = [Caller() for _ in range(6)]
            clients = [
                await stack.enter_async_context(client(caller, server.url)) for caller in callers
            ]
            await asyncio.gather(*(each.attached() for each in clients))
            before = await shown(server.url)
            assert counts(before) == {1: 3, 2: 3}
            for each in clients:
                each.cut_line()
            await asyncio.sleep(2)
            # Whoever accepted the lines passed them on: nothing was taken over by another.
            after = await shown(server.url)
            assert {w["worker"]: sorted(c["call"] for c in w["calls"]) for w in after} == {
                w["worker"]: sorted(c["call"] for c in w["calls"]) for w in before
            }
            assert [each.attachments for each in clients] == [2] * 6
            clients[0].speak(question())
            await callers[0].hears_sound()

    run(scenario())


def test_a_worker_that_is_told_to_end_hands_its_calls_over(tmp_path: Path) -> None:
    """All go on with the other one, and a new one takes its place."""

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator, drain_s=2.0) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            callers = [Caller() for _ in range(6)]
            clients: list[CallClient] = []
            for caller in callers:
                clients.append(await stack.enter_async_context(client(caller, server.url)))
                await clients[-1].attached()
            assert counts(await shown(server.url)) == {1: 3, 2: 3}
            for each in clients[::3]:
                each.speak(question())
            await asyncio.sleep(3)
            (first, _) = server.supervisor.processes
            server.supervisor.tell(first, "drain")
            await asyncio.sleep(5)
            found = counts(await shown(server.url))
            assert set(found) == {2, 3}
            assert sum(found.values()) == 6
            assert [each.attached_to for each in clients] == [server.url] * 6
            now_s = asyncio.get_running_loop().time()
            for each in clients:
                each.speak(question())
            await asyncio.gather(*(caller.hears_sound(now_s + 1.5) for caller in callers))

    run(scenario())


def test_workers_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator, drain_s=1.0) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            clients = [
                await stack.enter_async_context(client(Caller(), server.url)) for _ in range(4)
            ]
            await asyncio.gather(*(each.attached() for each in clients))
            await server.supervisor.restart()
            await asyncio.sleep(3)
            found = counts(await shown(server.url))
            assert set(found) == {3, 4}
            assert sum(found.values()) == 4
            assert all(each.attached_to for each in clients)

    run(scenario())


def test_nobody_begins_when_all_are_told_to_end(tmp_path: Path) -> None:
    """A worker whose place was to be taken, and a replacement of all, when the end comes."""
    begun: list[Process] = []

    async def slowly(end: socket.socket) -> Process:
        if len(begun) >= 2:
            await asyncio.sleep(5)
        begun.append(await spawn(end))
        return begun[-1]

    async def scenario() -> None:
        async with OpenAIEmulator(scripted(tmp_path)) as emulator:
            settings = ServeSettings(
                port=0,
                base_url=emulator.url,
                store=str(tmp_path / "calls.db"),
                runs=tmp_path / "runs",
                workers=2,
                metrics=False,
            )
            stopped = asyncio.get_running_loop().create_future()
            lines: list[str] = []
            with listener("127.0.0.1", 0) as found:
                serving = asyncio.create_task(
                    run_workers(
                        settings,
                        found,
                        secret="0123456789abcdef",
                        announce=lines.append,
                        stop=lambda: stopped,
                        spawn=slowly,
                    )
                )
                # Before there is anybody to be replaced it does nothing.
                await asyncio.sleep(0)
                signal.raise_signal(signal.SIGHUP)
                await asyncio.sleep(3)
                signal.raise_signal(signal.SIGHUP)
                await asyncio.sleep(1)
                assert "replacing the workers" in lines
                begun[0].kill()
                await asyncio.sleep(1)
                stopped.set_result(None)
                await asyncio.wait_for(serving, 4)
            assert len(begun) == 2

    run(scenario())


def test_a_worker_that_cannot_be_started_is_started_later(tmp_path: Path) -> None:
    """The process has no descriptor left for a while, when a worker dies and all are replaced."""
    refused = 0
    begun: list[Process] = []

    async def sometimes(end: socket.socket) -> Process:
        nonlocal refused
        if len(begun) == 2 and refused < 3:
            refused += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        begun.append(await spawn(end))
        return begun[-1]

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator, spawn=sometimes) as server,
        ):
            with pytest.raises(CrossfadeError, match="Too many open files"):
                await server.supervisor.restart()
            assert set(server.supervisor.processes) == {1, 2}
            begun[0].kill()
            await asyncio.sleep(10)
            assert refused == 3
            assert len(server.supervisor.processes) == 2
            assert 2 in server.supervisor.processes

    run(scenario())


def test_a_new_call_goes_to_a_worker_that_has_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator, most_calls=2) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            clients = [
                await stack.enter_async_context(client(Caller(), server.url)) for _ in range(4)
            ]
            await asyncio.gather(*(each.attached() for each in clients))
            assert counts(await shown(server.url)) == {1: 2, 2: 2}
            caller = Caller()
            async with client(caller, server.url) as one_more:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(one_more.attached(), 3)
                assert caller.of("error") == []
                assert one_more.close_code == 4503

    run(scenario())


def test_a_ticket_is_good_at_one_worker_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "0123456789abcdef")
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator) as server,
        ):
            host, port = server.url.removeprefix("ws://").partition("/")[0].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /session HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n"
                b"Authorization: Bearer 0123456789abcdef\r\nConnection: close\r\n\r\n"
            )
            ticket = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])["access"]
            writer.close()
            async with contextlib.AsyncExitStack() as stack:
                for good in (True, False, False, False):
                    one = await stack.enter_async_context(
                        client(Caller(), server.url, access=ticket)
                    )
                    if good:
                        await one.attached()
                    else:
                        with pytest.raises(CrossfadeError):
                            await one.attached()
                        assert one.close_code == 4401

    run(scenario())


def test_a_phones_stream_comes_to_another_worker_than_its_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a company whose account has no secret that could sign the way."""
    company = TelnyxEmulator()
    nobodys(monkeypatch)
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    monkeypatch.setenv(TELNYX_KEY_VARIABLE, company.public_key)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            workers(tmp_path, emulator) as server,
        ):
            address = server.url.replace("ws", "http", 1).removesuffix("/ws") + "/telnyx"
            for _ in range(2):
                async with company.call(address) as phone:
                    await phone.connected()
                    phone.speak(asked())
                    await hears(phone)

    run(scenario())


def test_a_line_that_is_handed_on_is_asked_for_the_token_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who shows it is in a call at the other worker."""
    token = "0123456789abcdef"
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    choose = Table.choose

    def first(self: Table, now_s: float, *, but: int | None = None) -> int | None:
        return 1 if but is None else choose(self, now_s, but=but)

    monkeypatch.setattr(Table, "choose", first)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            workers(tmp_path, emulator, most_calls=1) as server,
            client(Caller(), server.url, access=token) as one,
        ):
            await one.attached()
            await asyncio.sleep(2)
            for shown in (None, "x" * 16, f"9999999999.x.{'0' * 64}"):
                async with client(Caller(), server.url, access=shown) as forged:
                    with pytest.raises(CrossfadeError):
                        await forged.attached()
                    assert forged.close_code == 4401
            async with client(Caller(), server.url, access=token) as two:
                await two.attached()

    run(scenario())


def test_what_no_worker_can_use_is_told(tmp_path: Path) -> None:
    async def begin(**options: Any) -> None:
        settings = ServeSettings(port=0, runs=tmp_path, workers=2, **options)
        with listener("127.0.0.1", 0) as found:
            await run_workers(
                settings,
                found,
                secret="",
                announce=lambda line: None,
                stop=lambda: asyncio.get_running_loop().create_future(),
                spawn=spawn,
            )

    with pytest.raises(SettingsError, match="by the store"):
        run(begin())
    with pytest.raises(CrossfadeError, match="no WebSocket address"):
        run(begin(store=str(tmp_path / "calls.db"), base_url="nowhere"))
