"""Phone calls whichever company they are of: an emulated Twilio, our server, the emulated model."""

import asyncio
import base64
import contextlib
import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.phone import CallStatus
from crossfade.emulators.phone.webhook import post as send
from crossfade.emulators.twilio import TwilioEmulator
from crossfade.emulators.twilio.signature import signature
from crossfade.pipelines import serve_settings
from tests.clock import run
from tests.pipelines.phones import (
    LEAVE,
    TALK,
    TOKEN,
    asked,
    calling,
    hears,
    nobodys,
    post,
    stream,
    taken,
    transcript,
    webhook,
)
from tests.pipelines.serving import scripted, serving
from tests.pipelines.test_serve_pages import Client

FORM = {"CallSid": "CA1", "CallStatus": "in-progress"}


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys(monkeypatch)
    taken(TwilioEmulator(auth_token=TOKEN), monkeypatch)


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
        async with calling(tmp_path, TwilioEmulator(), slow) as (phone, _):
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
        async with calling(tmp_path, TwilioEmulator(), own, transfer_to=("sales=+15550123",)) as (
            phone,
            _,
        ):
            phone.speak(asked())
            await asyncio.sleep(7)
            assert phone.status is CallStatus.IN_PROGRESS
            assert phone.dialled == []
        assert "there is only: sales" in transcript(tmp_path)

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
            assert int(answer.split()[1]) in (400, 403)
            assert not emulator.sessions
        assert told == []

    run(scenario())


def test_a_form_of_thousands_of_fields_is_not_read(tmp_path: Path) -> None:
    """Nobody has signed it yet, and reading it would hold up the calls."""

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            form = {f"Field{number}": "" for number in range(1000)}
            status, _ = await post(webhook(server), {**FORM, **form}, auth_token=TOKEN)
            assert status == 400

    run(scenario())


def test_a_call_that_is_over_does_not_begin_again_by_its_ticket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            _, document = await post(webhook(server), FORM, auth_token=TOKEN)
            ticket = document.decode().split('name="ticket" value="')[1].split('"')[0]
            url = stream(server)
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
    nobodys(monkeypatch)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            status, _ = await post(webhook(server), FORM, auth_token="")
            assert status == 404
            with pytest.raises(InvalidStatus):
                await connect(stream(server), proxy=None)

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


def test_the_addresses_are_those_that_twilio_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(serve_settings.TOKEN_VARIABLE, "which is none of Twilio's business")

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
