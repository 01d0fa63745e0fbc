"""The server of calls, with its clients and the emulator in one loop on the virtual clock."""

import asyncio
import contextlib
import errno
import io
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossfade.cli import app
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost, SettingsError
from crossfade.pipelines.command_line import announce
from crossfade.pipelines.serve import stop_signal
from crossfade.pipelines.serve_settings import SECRET_VARIABLE, TOKEN_VARIABLE, token_signer
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_messages import CloseCode
from crossfade.transports.websocket_token import Claims
from tests.clock import run
from tests.pipelines.serving import STORY, Caller, question, scripted, serving

CREATE = "conversation.item.create"


def client(caller: Caller, *urls: str, **options: object) -> CallClient:
    return CallClient(list(urls), on_sound=caller.hear, on_message=caller.note, **options)  # type: ignore[arg-type]


async def get(url: str, path: str) -> tuple[int, str]:
    """What the server answers to a plain request."""
    host, port = url.removeprefix("ws://").partition("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


def test_a_call_from_hello_to_goodbye(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator) as server,
            client(caller, server.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await asyncio.sleep(1)
            assert caller.words.startswith("Once upon a time")
            assert [m["text"] for m in caller.of("transcript") if m.get("final")] == [
                "tell me a story"
            ]
            await c.hang_up()
            assert c.close_code == CloseCode.OVER
        (folder,) = (tmp_path / "runs").iterdir()
        assert json.loads((folder / "transcript.json").read_text())
        for file in folder.iterdir():
            assert c.token is not None
            assert c.token.encode() not in file.read_bytes()

    run(scenario())


def test_pages(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            assert (await get(server.url, "/"))[0] == 200
            assert await get(server.url, "/healthz") == (200, "ok\n")
            assert await get(server.url, "/readyz") == (200, "ready\n")
            assert (await get(server.url, "/else"))[0] == 404
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.url, proxy=None, origin="http://evil.example")  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403

    run(scenario())


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("nonsense", CloseCode.MALFORMED),
        (b"\0\0", CloseCode.MALFORMED),
        ('{"type": "bye"}', CloseCode.MALFORMED),
        ('{"type": "hello", "version": 7}', CloseCode.MALFORMED),
        ('{"type": "hello", "token": "v1.made.up.here"}', CloseCode.REFUSED),
        (None, CloseCode.TIMEOUT),
    ],
)
def test_who_does_not_say_hello_properly_is_sent_away(
    tmp_path: Path, first: str | bytes | None, code: CloseCode
) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator) as server,
            connect(server.url, proxy=None) as socket,
        ):
            if first is not None:
                await socket.send(first)
            told = json.loads(await socket.recv())
            assert (told["type"], told["code"]) == ("error", code)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
            assert not emulator.sessions

    run(scenario())


def test_tokens_are_bound_to_a_call_that_runs_and_older_ones_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller, other = Caller(), Caller()
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, store=store) as server,
        ):
            async with client(caller, server.url) as c:
                await c.attached()
                first = c.token
                c.cut_line()
                await asyncio.sleep(0.3)
                assert c.attachments == 2
                second = c.token
                assert first != second
                # The second is used, and the first is worth nothing from then on.
                async with client(other, server.url, token=second) as d:
                    await d.attached()
                    assert d.call_id == c.call_id
                    with pytest.raises(ConnectionLost) as lost:
                        await c.over()
                    assert lost.value.close_code == CloseCode.REPLACED
                    async with client(Caller(), server.url, token=first) as e:
                        with pytest.raises(ConnectionLost, match="newer token") as lost:
                            await e.over()
                        assert lost.value.close_code == CloseCode.REFUSED
                    await d.hang_up()
            claims = Claims(
                call_id="call_unknown",
                attachment=1,
                began_at=1.0,
                expires_at=2e9,
                input_rate_hz=16000,
                output_rate_hz=24000,
            )
            for token in (token_signer(store).issue(claims), d.token):
                async with client(Caller(), server.url, token=token) as f:
                    with pytest.raises(ConnectionLost) as lost:
                        await f.over()
                    assert lost.value.close_code == CloseCode.UNKNOWN

    run(scenario())


def test_an_old_token_takes_no_call_from_another_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(Caller(), here.url) as c,
        ):
            await c.attached()
            old = c.token
            for _ in range(2):
                c.cut_line()
                await asyncio.sleep(0.3)
            await asyncio.sleep(0.5)
            async with client(Caller(), there.url, token=old) as thief:
                with pytest.raises(ConnectionLost, match="newer token"):
                    await thief.over()
            await asyncio.sleep(2)
            assert c.attached_to == here.url
            assert c.attachments == 3

    run(scenario())


def test_a_name_that_is_taken_needs_the_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator) as server,
            client(Caller(), server.url, call_id="mine") as c,
        ):
            await c.attached()
            assert c.call_id == "mine"
            async with client(Caller(), server.url, call_id="mine") as thief:
                with pytest.raises(ConnectionLost, match="token is needed"):
                    await thief.over()

    run(scenario())


def test_a_token_may_come_in_the_authorization_header(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator) as server,
            client(Caller(), server.url) as c,
        ):
            await c.attached()
            headers = {"Authorization": f"Bearer {c.token}"}
            async with connect(server.url, proxy=None, additional_headers=headers) as socket:
                await socket.send('{"type": "hello"}')
                ready = json.loads(await socket.recv())
                assert ready["call_id"] == c.call_id

    run(scenario())


def test_a_full_server_says_so_and_a_client_tries_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, most_calls=1) as full,
            serving(tmp_path, emulator) as free,
            client(Caller(), full.url) as c,
        ):
            await c.attached()
            async with client(Caller(), full.url, free.url) as d:
                await d.attached()
                assert d.attached_to == free.url

    run(scenario())


def test_many_clients_at_once_are_all_attached(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            clients = [client(Caller(), server.url) for _ in range(12)]
            for each in clients:
                await stack.enter_async_context(each)
            await asyncio.gather(*(each.attached() for each in clients))
            assert {each.attachments for each in clients} == {1}
            assert len({each.call_id for each in clients}) == len(clients)

    run(scenario())


def test_a_provider_that_refuses_is_told_to_the_client(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, voice="no such voice") as server,
            client(Caller(), server.url) as c,
        ):
            with pytest.raises(ConnectionLost, match="service refuses the call") as lost:
                await c.over()
            assert lost.value.close_code == CloseCode.FAILED

    run(scenario())


def test_a_caller_who_does_not_come_back_ends_the_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, detached_s=10) as server,
        ):
            async with client(Caller(), server.url) as c:
                await c.attached()
            await asyncio.sleep(13)
            async with client(Caller(), server.url, token=c.token) as d:
                with pytest.raises(ConnectionLost) as lost:
                    await d.over()
                assert lost.value.close_code == CloseCode.UNKNOWN

    run(scenario())


def heard_words(emulator: OpenAIEmulator) -> list[bytes]:
    """The user's turns, as the last session took them."""
    audio = emulator.sessions[-1].user_audio
    assert audio is not None
    return [turn.pcm for turn in audio.turns]


def test_sigterm_hands_a_call_over_in_mid_answer_and_its_rest_comes_from_another_server(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        loop = asyncio.get_running_loop()
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=0) as old,
            serving(tmp_path, emulator, store=store) as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await asyncio.sleep(1)
            told_before, terminated_s = len(caller.messages), loop.time()
            await old.terminate()
            sound_s = await caller.hears_sound(terminated_s + 0.1)
            assert sound_s - terminated_s < 1
            assert c.attached_to == new.url
            await asyncio.sleep(4)
            rest = "".join(
                m["text"] for m in caller.messages[told_before:] if m.get("role") == "agent"
            )
            assert STORY.endswith(rest.strip())
            assert 20 < len(rest) < len(STORY) - 4
            await c.hang_up()

    run(scenario())


def test_sigterm_in_mid_question_loses_none_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=0) as old,
            serving(tmp_path, emulator, store=store) as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(0.9)
            await old.terminate()
            await caller.hears_sound()
            await asyncio.sleep(1)
            assert c.attached_to == new.url
            assert c.microphone.lost_samples == 0
            assert caller.words.startswith("Once upon a time")
            (turn,) = heard_words(emulator)
            assert 1.5 * 48000 < len(turn) < 3.0 * 48000
            await c.hang_up()

    run(scenario())


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_caller_is_saying_is_kept_only_if_it_may_be(tmp_path: Path, kept: bool) -> None:
    async def scenario() -> None:
        caller, path = Caller(), tmp_path / "calls.db"
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=str(path), unfinished_audio=kept) as server,
            client(caller, server.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(1)
            with contextlib.closing(sqlite3.connect(path)) as store:
                ((rows,),) = store.execute("select count(*) from crossfade_unfinished_audio")
            assert bool(rows) is kept
            await c.hang_up()

    run(scenario())


WEATHER = """
turns:
  - on: speech
    hear: what is the weather in Tokyo
    call: [{name: get_weather, arguments: {city: Tokyo}}]
  - on: any
    say: I could not find out.
"""


def test_a_tool_that_ran_is_told_as_lost_by_the_server_that_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path, WEATHER), keep_audio=True) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=0) as old,
            serving(tmp_path, emulator, store=store) as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            c.speak(question())
            # The question takes 1.8 s, its end half a second to be found, the tool 1.5 s.
            await asyncio.sleep(2.9)
            assert {m["status"] for m in caller.of("response")} == {"completed"}
            await old.terminate()
            await asyncio.sleep(2)
            assert c.attached_to == new.url
            items = [m["item"] for m in emulator.sessions[-1].received.of(CREATE)]
            told = [i["output"] for i in items if i["type"] == "function_call_output"]
            assert len(told) == 1
            assert "Do not call it again without asking the user" in told[0]
            await c.hang_up()

    run(scenario())


def test_a_call_is_drained_at_its_next_quiet_moment(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=30) as old,
            serving(tmp_path, emulator, store=store) as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            old.terminate_soon()
            await asyncio.sleep(1)
            assert (await get(old.url, "/readyz"))[0] == 503
            assert (await get(old.url, "/healthz"))[0] == 200
            assert c.attached_to == old.url
            await asyncio.sleep(4.5)
            assert c.attached_to == new.url
            assert caller.words == STORY
            c.speak(question())
            await asyncio.sleep(4)
            assert caller.words == f"{STORY}You are welcome."
            await c.hang_up()

    run(scenario())


def test_another_device_takes_the_call_at_another_server_and_the_first_is_let_go(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        first, second = Caller(), Caller()
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path), keep_audio=True) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(first, here.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await first.hears_sound()
            await asyncio.sleep(2)
            async with client(second, there.url, token=c.token) as d:
                await d.attached()
                with pytest.raises(ConnectionLost) as lost:
                    async with asyncio.timeout(1):
                        await c.over()
                assert lost.value.close_code == CloseCode.REPLACED
                await second.hears_sound()
                await asyncio.sleep(3)
                assert STORY.endswith(second.words.strip())
                assert second.words
                await d.hang_up()

    run(scenario())


def test_the_secret_is_shared_through_the_stores_folder_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = Claims(
        call_id="c",
        attachment=1,
        began_at=1.0,
        expires_at=1.0,
        input_rate_hz=16000,
        output_rate_hz=24000,
    )
    store = f"sqlite+aiosqlite:///{tmp_path}/new/calls.db"
    token = token_signer(store).issue(claims)
    assert token_signer(f"{tmp_path}/new/calls.db").read(token, 0) == claims
    secret = tmp_path / "new" / "calls.db.secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in secret.parent.iterdir()] == [secret.name]
    with pytest.raises(SettingsError, match=SECRET_VARIABLE):
        token_signer("postgresql+asyncpg://somewhere/calls")
    monkeypatch.setenv(SECRET_VARIABLE, "a secret for everybody, an older secret of ours")
    shared = token_signer("postgresql+asyncpg://somewhere/calls").issue(claims)
    assert token_signer(store).read(shared, 0) == claims
    monkeypatch.setenv(SECRET_VARIABLE, "short")
    with pytest.raises(SettingsError, match="16 characters"):
        token_signer(store)


def test_a_signal_ends_the_server_once_and_the_next_one_the_process() -> None:
    async def scenario() -> None:
        told = stop_signal()
        loop = asyncio.get_running_loop()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await told
        assert not loop.remove_signal_handler(signal.SIGTERM)
        assert not loop.remove_signal_handler(signal.SIGINT)

    asyncio.run(scenario())


def test_a_terminal_that_is_closed_ends_the_server_as_sigterm_does() -> None:
    """It tells so more than once: the shell and the system both do."""

    async def scenario() -> None:
        told = stop_signal()
        loop = asyncio.get_running_loop()
        try:
            for _ in range(2):
                signal.raise_signal(signal.SIGHUP)
                async with asyncio.timeout(5):
                    await told
                await asyncio.sleep(0)
            # SIGTERM often follows, and is the first one then.
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    asyncio.run(scenario())


def test_a_server_that_shall_outlive_its_terminal_does() -> None:
    """As nohup has it."""

    async def scenario() -> None:
        told = stop_signal()
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0.05)
        assert not told.done()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asyncio.run(scenario())
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("gone", [errno.EPIPE, errno.EIO])
def test_calls_do_not_end_because_nobody_reads_what_is_announced(
    gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(gone, os.strerror(gone))

    monkeypatch.setattr(sys, "stdout", Gone())
    announce("handing over 20 calls")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--store", "no-database://x"], "URL of the store cannot be read"),
        (["--host", "192.0.2.1", "--store", "none"], "cannot listen on 192.0.2.1"),
        (["--store", "none", "--runs", __file__], "is no folder; name another with --runs"),
        (["--store", "none", "--tls-cert", "c.pem"], "give --tls-cert and --tls-key"),
        (["--store", "none", "--fallback", "gemini:gemini-3.8-live"], "no API key for gemini"),
    ],
)
def test_a_server_that_cannot_begin_says_why_in_one_line(
    option: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "0123456789abcdef")
    for variable in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    run_of = CliRunner().invoke(app, ["serve", "--base-url", "ws://127.0.0.1:9", *option])
    assert run_of.exit_code == 2
    assert words in run_of.output
    assert len(run_of.output.strip().splitlines()) <= 2
