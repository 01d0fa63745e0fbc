"""Servers of calls whose providers differ, or fail."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade.conversation.store import open_store
from crossfade.conversation.store_records import CallStatus
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from crossfade.transports.websocket_client import CallClient, Retry
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import STORY, Caller, Service, question, scripted, serving

MakeService = Callable[[Path], Service]


def openai(folder: Path) -> OpenAIEmulator:
    return OpenAIEmulator(scripted(folder), keep_audio=True)


def gemini(folder: Path) -> GeminiEmulator:
    return GeminiEmulator(scripted(folder), keep_audio=True)


def client(caller: Caller, *urls: str, retry: Retry | None = None) -> CallClient:
    return CallClient(list(urls), on_sound=caller.hear, on_message=caller.note, retry=retry)


def turn_ms(service: Service, rate_hz: int) -> float:
    """Of the one turn of the user that the service took, in whichever session."""
    heard = [session.user_audio for session in service.sessions]
    (turn,) = [turn for audio in heard if audio is not None for turn in audio.turns]
    return len(turn.pcm) / 2 * 1000 / rate_hz


@pytest.mark.parametrize(
    ("before", "after", "rate_hz"),
    [(gemini, gemini, 16000), (openai, gemini, 16000), (gemini, openai, 24000)],
    ids=["gemini to itself", "openai to gemini", "gemini to openai"],
)
def test_a_question_goes_on_at_a_server_of_another_provider(
    tmp_path: Path, before: MakeService, after: MakeService, rate_hz: int
) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            before(tmp_path) as one,
            after(tmp_path) as two,
            serving(tmp_path, one, store=store, drain_s=0) as old,
            serving(tmp_path, two, store=store) as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(0.9)
            await old.terminate()
            await caller.hears_sound()
            await asyncio.sleep(0.5)
            assert c.attached_to == new.url
            assert caller.words.startswith("Once upon a time")
            assert 1500 < turn_ms(two, rate_hz) < 3000
            await c.hang_up()

    run(scenario())


def test_the_rest_of_an_answer_of_gemini_comes_from_another_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            gemini(tmp_path) as service,
            serving(tmp_path, service, store=store, drain_s=0) as old,
            serving(tmp_path, service, store=store) as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await asyncio.sleep(1)
            told_before = len(caller.messages)
            await old.terminate()
            await asyncio.sleep(5)
            assert c.attached_to == new.url
            rest = "".join(
                m["text"] for m in caller.messages[told_before:] if m.get("role") == "agent"
            )
            assert STORY.endswith(rest.strip())
            assert 20 < len(rest) < len(STORY) - 4
            await c.hang_up()

    run(scenario())


def test_another_provider_takes_a_call_over_within_its_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with contextlib.AsyncExitStack() as stack, gemini(tmp_path) as second:
            first = await stack.enter_async_context(openai(tmp_path))
            route = [
                RouteEndpoint(
                    spec="gemini:gemini-3.8-live", base_url=second.url, api_key="emulated"
                )
            ]
            async with (
                serving(tmp_path, first, route=route) as server,
                client(caller, server.url) as c,
            ):
                await c.attached()
                await stack.aclose()
                c.speak(question())
                await caller.hears_sound()
                await asyncio.sleep(0.5)
                assert caller.words.startswith("Once upon a time")
                assert c.attachments == 1
                await c.hang_up()

    run(scenario())


def test_a_call_that_no_provider_carries_ends_as_failed(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(openai(tmp_path))
            async with (
                serving(tmp_path, first, store=store, detached_s=0.05) as server,
                client(caller, server.url, retry=Retry(give_up_s=1)) as c,
            ):
                await c.attached()
                await stack.aclose()
                with pytest.raises(ConnectionLost):
                    await c.over()
                assert c.close_code in (CloseCode.FAILED, CloseCode.UNKNOWN)
                # At the next look of a server, whichever it is.
                await asyncio.sleep(2)
                async with await open_store(store) as opened:
                    (call,) = await opened.calls()
            assert (call.id, call.status) == (c.call_id, CallStatus.FAILED)

    run(scenario())


def test_the_store_knows_by_what_the_providers_session_is_resumed(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller, store = Caller(), str(tmp_path / "calls.db")
        async with (
            gemini(tmp_path) as service,
            serving(tmp_path, service, store=store) as server,
            client(caller, server.url) as c,
            await open_store(store) as kept,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await asyncio.sleep(8)
            assert c.call_id is not None
            running = await kept.load_call(c.call_id)
            assert running is not None
            assert running.handle is not None
            assert running.handle.spec == "gemini:gemini-3.8-live"
            assert running.handle.value
            await c.hang_up()
            await asyncio.sleep(0.5)
            over = await kept.load_call(c.call_id)
            assert over is not None
            assert over.handle is None

    run(scenario())
