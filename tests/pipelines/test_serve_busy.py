"""A server that has no time or money left: new calls are told so, and those that run go on."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_headroom import WINDOW_S, Headroom, Second
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving
from tests.pipelines.test_http_server import ask
from tests.pipelines.test_serve import client, get


async def asked(url: str, request: str) -> tuple[int, str]:
    """The status and the head of an answer."""
    host, port = url.removeprefix("ws://").partition("/")[0].split(":")
    head = f"{request} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
    answer = (await ask(int(port), f"{head}Content-Length: 0\r\n\r\n".encode())).decode()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[0].lower()


def full() -> Headroom:
    headroom = Headroom(0.85)
    for _ in range(WINDOW_S):
        headroom.note(Second(cpu=0.95, late=0.0, calls=10))
    return headroom


def test_a_busy_server_says_so_and_those_in_a_call_hear_nothing_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        headroom, caller, late = Headroom(0.85), Caller(), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, headroom=headroom) as server,
            client(caller, server.url) as first,
        ):
            await first.attached()
            for _ in range(WINDOW_S):
                headroom.note(Second(cpu=0.95, late=0.0, calls=1))
            assert await get(server.url, "/readyz") == (503, "as many calls as this server takes\n")
            for request in ("GET /readyz", "POST /session"):
                status, head = await asked(server.url, request)
                assert (status, "retry-after: 5" in head) == (503, True)
            async with client(late, server.url) as second:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(second.attached(), 2)
                assert second.close_code == CloseCode.BUSY
            first.speak(question())
            await caller.hears_sound()
            # Who was in a call comes back to it, busy or not.
            first.cut_line()
            await asyncio.sleep(1)
            assert first.attachments == 2
            # And when there is time again, others may come.
            for _ in range(WINDOW_S):
                headroom.note(Second(cpu=0.3, late=0.0, calls=1))
            async with client(late, server.url) as third:
                await third.attached()

    run(scenario())


def test_a_day_has_so_many_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, day_calls=1) as server,
        ):
            async with client(Caller(), server.url) as first:
                await first.attached()
                await first.hang_up()
            caller = Caller()
            async with client(caller, server.url) as second:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(second.attached(), 2)
                assert second.close_code == CloseCode.BUSY

    run(scenario())


def test_a_day_has_no_more_calls_when_many_come_at_once(tmp_path: Path) -> None:
    """Those that are beginning count, too."""

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, day_calls=2) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            clients = [
                await stack.enter_async_context(client(Caller(), server.url)) for _ in range(6)
            ]
            await asyncio.sleep(3)
            assert sum(each.attachments for each in clients) == 2

    run(scenario())


def test_a_call_that_has_lasted_long_enough_ends_at_a_quiet_moment(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller, loop = Caller(), asyncio.get_running_loop()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, longest_call_s=6.0) as server,
            client(caller, server.url) as first,
        ):
            await first.attached()
            began_s = loop.time()
            await asyncio.sleep(3)
            first.speak(question())
            await first.over()
            # The story that had begun was heard to its end.
            assert loop.time() - began_s > 8
            assert caller.words.endswith("out at sea.")
            (bye,) = caller.of("bye")
            assert bye["reason"] == "the call has lasted as long as it may"
            assert first.close_code == CloseCode.OVER

    run(scenario())
