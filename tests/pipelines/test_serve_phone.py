"""Phone calls: an emulated Twilio, our server, and the emulated model in one loop."""

import asyncio
import base64
import contextlib
import json
import re
import urllib.parse
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossfade.audio.resample import resample
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.phone import CallStatus
from crossfade.emulators.phone.webhook import post as send
from crossfade.emulators.twilio import PhoneCall, TwilioEmulator
from crossfade.emulators.twilio.signature import HEADER, signature
from crossfade.pipelines.serve_settings import (
    TWILIO_REST_VARIABLE,
    TWILIO_SID_VARIABLE,
    TWILIO_TOKEN_VARIABLE,
)
from tests.clock import run
from tests.pipelines.serving import STORY, Serving, question, scripted, serving
from tests.pipelines.test_serve_pages import Client

TOKEN = "emulated-auth-token"
FORM = {"CallSid": "CA1", "CallStatus": "in-progress"}
TALK = f"""
turns:
  - on: speech
    hear: tell me a story
    say: {STORY}
  - on: speech
    hear: thank you
    say: You are welcome.
  - on: text
    say: You pressed keys.
"""
LEAVE = """
turns:
  - on: speech
    hear: put me through
    say: One moment please.
    call: [{name: %s, arguments: {%s}}]
  - on: tool_results
    say: Goodbye then.
"""


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TWILIO_TOKEN_VARIABLE, TOKEN)
    monkeypatch.delenv(TWILIO_SID_VARIABLE, raising=False)


def webhook(server: Serving) -> str:
    return "http" + server.url.removeprefix("ws").removesuffix("/ws") + "/twilio"


async def post(url: str, form: dict[str, str], *, auth_token: str) -> tuple[int, bytes]:
    headers = {HEADER: signature(url, form, auth_token)}
    return await send(url, urllib.parse.urlencode(form).encode(), headers)


def asked() -> bytes:
    return resample(question(), 16000, 8000)


async def hears(phone: PhoneCall, after: int = 0) -> None:
    """Wait until the caller hears something more."""
    async with asyncio.timeout(20):
        while True:
            if len(phone.sounds) > after:
                return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def calling(
    folder: Path, scenario: str = TALK, **options: Any
) -> AsyncIterator[tuple[PhoneCall, OpenAIEmulator]]:
    async with (
        OpenAIEmulator(scripted(folder, scenario)) as emulator,
        serving(folder, emulator, **options) as server,
        TwilioEmulator() as twilio,
        twilio.call(webhook(server)) as phone,
    ):
        await phone.connected()
        yield phone, emulator


def transcript(folder: Path) -> str:
    (run_folder,) = (folder / "runs").iterdir()
    return (run_folder / "transcript.json").read_text()


def test_a_call_with_both_voices_and_keys(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with calling(tmp_path) as (phone, _):
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            await asyncio.sleep(5)
            assert np.abs(np.frombuffer(phone.heard, "<i2")).max() > 1000
            await phone.press("12#")
            await asyncio.sleep(2)
            await phone.hang_up()
            assert phone.status is CallStatus.COMPLETED
            assert phone.problem == ""
            await asyncio.sleep(1)
        told = transcript(tmp_path)
        assert STORY in told
        assert "keypad: 12#" in told
        assert "You pressed keys." in told

    run(scenario())


def test_who_interrupts_hears_no_more_of_the_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with calling(tmp_path) as (phone, _):
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            phone.speak(asked())
            await phone.spoken()
            assert "clear" in phone.streams[0].received
            await asyncio.sleep(4)
        told = transcript(tmp_path)
        assert "You are welcome." in told
        assert '"interrupted": true' in told

    run(scenario())


@pytest.mark.parametrize("rest", ["none", "good", "dead"])
def test_the_agent_hangs_up(tmp_path: Path, rest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with TwilioEmulator() as twilio:
            if rest != "none":
                monkeypatch.setenv(TWILIO_SID_VARIABLE, twilio.account.sid)
                url = twilio.url if rest == "good" else "http://127.0.0.1:9"
                monkeypatch.setenv(TWILIO_REST_VARIABLE, url)
            async with (
                OpenAIEmulator(scripted(tmp_path, LEAVE % ("hang_up", ""))) as emulator,
                serving(tmp_path, emulator) as server,
                twilio.call(webhook(server)) as phone,
            ):
                await phone.connected()
                phone.speak(asked())
                async with asyncio.timeout(30):
                    await phone.over()
                assert phone.status is CallStatus.COMPLETED
                assert len(phone.streams) == 1
                await asyncio.sleep(1)
        assert "Goodbye then." in transcript(tmp_path)

    run(scenario())


@pytest.mark.parametrize("rest", [False, True])
def test_the_agent_puts_the_caller_through(
    tmp_path: Path, rest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with TwilioEmulator() as twilio:
            if rest:
                monkeypatch.setenv(TWILIO_SID_VARIABLE, twilio.account.sid)
                monkeypatch.setenv(TWILIO_REST_VARIABLE, twilio.url)
            async with (
                OpenAIEmulator(scripted(tmp_path, LEAVE % ("transfer", "to: sales"))) as emulator,
                serving(tmp_path, emulator, transfer_to=("sales=+1 555 0123",)) as server,
                twilio.call(webhook(server)) as phone,
            ):
                await phone.connected()
                phone.speak(asked())
                async with asyncio.timeout(30):
                    await phone.over()
                assert phone.dialled == ["+15550123"]

    run(scenario())


def test_a_goodbye_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    slow = """
turns:
  - on: speech
    call: [{name: hang_up, arguments: {}}]
  - on: tool_results
    think_ms: 3000
    say: Goodbye then.
"""

    async def scenario() -> None:
        async with calling(tmp_path, slow) as (phone, _):
            phone.speak(asked())
            async with asyncio.timeout(30):
                await phone.over()
            assert phone.sounds
            await asyncio.sleep(1)
        assert "Goodbye then." in transcript(tmp_path)

    run(scenario())


def test_a_server_that_ends_keeps_its_promise_to_put_through(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, LEAVE % ("transfer", "to: sales"))) as emulator,
            serving(tmp_path, emulator, transfer_to=("sales=+1 555 0123",)) as server,
            TwilioEmulator() as twilio,
            twilio.call(webhook(server)) as phone,
        ):
            await phone.connected()
            phone.speak(asked())
            async with asyncio.timeout(30):
                while True:
                    if any(s.received.of("conversation.item.create") for s in emulator.sessions):
                        break
                    await asyncio.sleep(0.02)
            server.terminate_soon()
            async with asyncio.timeout(30):
                await phone.over()
            assert phone.dialled == ["+15550123"]

    run(scenario())


def test_nobody_is_put_through_to_a_number_of_the_models_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        own = LEAVE % ("transfer", 'to: "+19005550100"')
        async with calling(tmp_path, own, transfer_to=("sales=+15550123",)) as (phone, _):
            phone.speak(asked())
            await asyncio.sleep(7)
            assert phone.status is CallStatus.IN_PROGRESS
            assert phone.dialled == []
        assert "there is only: sales" in transcript(tmp_path)

    run(scenario())


def test_a_stream_that_dies_in_mid_answer_is_continued(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with calling(tmp_path) as (phone, emulator):
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            await asyncio.sleep(0.5)
            before = len(phone.sounds)
            phone.cut_stream()
            await phone.connected(streams=2)
            await hears(phone, before)
            await asyncio.sleep(6)
            # The same call, the same session, and the rest of the same answer.
            assert len(emulator.sessions) == 1
            assert len(phone.streams) == 2
            phone.speak(asked())
            await asyncio.sleep(5)
        told = transcript(tmp_path)
        assert STORY in told
        assert "You are welcome." in told
        assert '"interrupted": true' not in told

    run(scenario())


def test_another_server_takes_the_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator, store=store) as old,
            serving(tmp_path, emulator, store=store) as new,
            TwilioEmulator() as twilio,
            twilio.call(webhook(old), fallback_url=webhook(new)) as phone,
        ):
            await phone.connected()
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            await asyncio.sleep(0.5)
            await old.terminate()
            await phone.connected(streams=2)
            assert phone.status is CallStatus.IN_PROGRESS
            before = len(phone.sounds)
            phone.speak(asked())
            await hears(phone, before)
            assert len(emulator.sessions) == 2
            items = emulator.sessions[-1].received.of("conversation.item.create")
            assert STORY in str(items)

    run(scenario())


@pytest.mark.parametrize("by", ["url", "twiml"])
def test_a_call_update_sends_the_call_to_another_server(tmp_path: Path, by: str) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator, store=store) as old,
            serving(tmp_path, emulator, store=store) as new,
            TwilioEmulator() as twilio,
            twilio.call(webhook(old)) as phone,
        ):
            await phone.connected()
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            await asyncio.sleep(0.5)
            update = {"Url": webhook(new)}
            if by == "twiml":
                update = {"Twiml": (await phone.tell(webhook(new)))[1].decode()}
            call = f"/2010-04-01/Accounts/{twilio.account.sid}/Calls/{phone.sid}.json"
            login = f"{twilio.account.sid}:{twilio.account.auth_token}".encode()
            headers = {"Authorization": "Basic " + base64.b64encode(login).decode()}
            body = urllib.parse.urlencode(update).encode()
            assert (await send(twilio.url + call, body, headers))[0] == 200
            await phone.connected(streams=2)
            # In mid-answer: the other server answers what was asked.
            await asyncio.sleep(6)
            before = len(phone.sounds)
            phone.speak(asked())
            await hears(phone, before)
            await asyncio.sleep(2)
            assert phone.status is CallStatus.IN_PROGRESS
            assert len(emulator.sessions) == 2
            items = emulator.sessions[-1].received.of("conversation.item.create")
            assert "tell me a story" in str(items)
            await phone.hang_up()

    run(scenario())


@pytest.mark.parametrize("token", ["another-token", ""])
def test_a_webhook_that_is_not_signed_is_refused(tmp_path: Path, token: str) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            status, body = await post(webhook(server), FORM, auth_token=token)
            assert (status, b"Stream" in body) == (403, False)
            good, _ = await post(webhook(server), FORM, auth_token=TOKEN)
            assert good == 200
            # A signature is for its form and its address.
            page = Client(int(server.url.split(":")[2].split("/")[0]))
            signed = {
                "X-Twilio-Signature": signature("http://here/twilio", FORM, TOKEN),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            for form, path, expected in (
                (FORM, "/twilio", 200),
                ({**FORM, "CallSid": "CA2"}, "/twilio", 403),
                (FORM, "/twilio?again=1", 403),
            ):
                body = urllib.parse.urlencode(form).encode()
                assert (await page.ask("POST", path, signed, body)).status == expected

    run(scenario())


def test_a_stream_that_is_not_signed_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            url = server.url.removesuffix("/ws") + "/twilio/stream"
            for signed in ({}, {"X-Twilio-Signature": signature(url, {}, "another")}):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, proxy=None, additional_headers=signed)
                assert refused.value.response.status_code == HTTPStatus.FORBIDDEN
            assert not emulator.sessions

    run(scenario())


ODD = {
    "host": "[::\r\nX-Twilio-Signature: a",
    "port": "a:99999999\r\nX-Twilio-Signature: a",
    "twice": "a\r\nX-Twilio-Signature: b\r\nX-Twilio-Signature: c",
    "origins": "a\r\nOrigin: http://a\r\nOrigin: http://b",
    "tokens": "a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b",
}
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.mark.parametrize("host", ODD.values(), ids=ODD)
@pytest.mark.parametrize("target", ["/twilio/stream", "/ws", "//[/ws", "/twilio"])
def test_odd_requests_are_refused_without_an_error_of_the_servers(
    tmp_path: Path, target: str, host: str
) -> None:
    async def scenario() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            port = int(server.url.split(":")[2].split("/")[0])
            head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{UPGRADE}\r\n\x88\x80\0\0\0\0"
            if target == "/twilio":
                head = (
                    f"POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                    "Content-Length: 0\r\n\r\n"
                )
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode("latin-1"))
            answer = await reader.read()
            writer.close()
            # Who is no browser may have any name for the server.
            named = target == "/ws" and not re.search("Origin|Authorization", host)
            assert int(answer.split()[1]) in ((101,) if named else (400, 403))
            assert not emulator.sessions
        assert told == []

    run(scenario())


@pytest.mark.parametrize("ticket", [None, "", "1.9999999999.00", "x", "1..", "ü"])
def test_a_stream_is_for_the_call_of_its_webhook(tmp_path: Path, ticket: str | None) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            _, document = await post(webhook(server), FORM, auth_token=TOKEN)
            given = ticket
            if given is None:
                given = document.decode().split('name="ticket" value="')[1].split('"')[0]
            url = server.url.removesuffix("/ws") + "/twilio/stream"
            signed = {"X-Twilio-Signature": signature(url, {}, TOKEN)}
            async with connect(url, proxy=None, additional_headers=signed) as socket:
                start = {"streamSid": "MZ1", "callSid": "CA2", "customParameters": {}}
                start["customParameters"] = {"ticket": given}
                await socket.send(json.dumps({"event": "start", "start": start}))
                await socket.wait_closed()
            assert not emulator.sessions

    run(scenario())


def test_a_call_that_is_over_does_not_begin_again_by_its_ticket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            _, document = await post(webhook(server), FORM, auth_token=TOKEN)
            ticket = document.decode().split('name="ticket" value="')[1].split('"')[0]
            url = server.url.removesuffix("/ws") + "/twilio/stream"
            signed = {"X-Twilio-Signature": signature(url, {}, TOKEN)}
            start = {"streamSid": "MZ1", "callSid": "CA1", "customParameters": {"ticket": ticket}}
            for _ in range(2):
                async with connect(url, proxy=None, additional_headers=signed) as socket:
                    await socket.send(json.dumps({"event": "start", "start": start}))
                    await asyncio.sleep(1)
                    # Who hangs up tells it; somebody else may come with the ticket later.
                    with contextlib.suppress(ConnectionClosed):
                        await socket.send(json.dumps({"event": "stop"}))
                    await socket.wait_closed()
                await asyncio.sleep(5)
            assert len(emulator.sessions) == 1

    run(scenario())


def test_without_the_secret_there_is_no_phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TWILIO_TOKEN_VARIABLE)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            status, _ = await post(webhook(server), FORM, auth_token="")
            assert status == 404
            with pytest.raises(InvalidStatus):
                await connect(server.url.removesuffix("/ws") + "/twilio/stream", proxy=None)

    run(scenario())


def test_a_call_that_is_over_is_hung_up_and_none_begins_late(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
            TwilioEmulator() as twilio,
        ):
            over = {**FORM, "CallStatus": "completed"}
            _, document = await post(webhook(server), over, auth_token=TOKEN)
            assert b"<Hangup/>" in document
            async with twilio.call(f"{webhook(server)}?again=1") as phone:
                await phone.over()
                assert "cannot go on" in phone.said[0]
            async with twilio.call(f"{webhook(server)}?again=99") as phone:
                await phone.over()
                assert phone.streams == []
            assert not emulator.sessions

    run(scenario())


def test_a_full_server_says_that_it_is_busy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator, most_calls=1) as server,
            TwilioEmulator() as twilio,
            twilio.call(webhook(server)) as first,
        ):
            await first.connected()
            async with twilio.call(webhook(server)) as second:
                await second.over()
                assert "busy" in second.said[0]
                assert second.streams == []

    run(scenario())


def test_the_addresses_are_those_that_twilio_knows(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator, public_url="https://calls.example/") as server,
        ):
            assert "phone calls by Twilio: https://calls.example/twilio" in "".join(
                server.told
            ).replace("//twilio", "/twilio")
            page = Client(int(server.url.split(":")[2].split("/")[0]))
            signed = {"X-Twilio-Signature": signature("https://calls.example/twilio", FORM, TOKEN)}
            body = urllib.parse.urlencode(FORM).encode()
            document = (await page.ask("POST", "/twilio", signed, body)).body.decode()
            assert 'url="wss://calls.example/twilio/stream"' in document
            assert 'action="https://calls.example/twilio?again=1"' in document

    run(scenario())
