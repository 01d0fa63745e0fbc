"""A phone's line, from the emulated phone to our protocol."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect

from crossfade.transports.client_socket import ClientSocket
from crossfade.transports.phone_socket import PhoneSocket
from crossfade.transports.twilio_messages import TwilioDialect
from crossfade.transports.websocket_messages import CloseCode, write_message
from tests.clock import run
from tests.transports.test_client_socket import server_of
from tests.transports.test_twilio_messages import START, TWENTY_MS


@contextlib.asynccontextmanager
async def phone() -> AsyncIterator[tuple[ClientConnection, PhoneSocket]]:
    made: asyncio.Future[PhoneSocket] = asyncio.get_running_loop().create_future()

    async def handle(socket: ClientSocket) -> None:
        made.set_result(PhoneSocket(socket, TwilioDialect()))
        await socket.wait_closed()

    async with server_of(handle) as url, connect(url, proxy=None) as twilio:
        yield twilio, await made


def test_a_stream_is_a_clients_line() -> None:
    async def scenario() -> None:
        got: list[tuple[bytes, bool]] = []
        async with phone() as (twilio, line):
            await twilio.send(json.dumps({"event": "connected"}))
            await twilio.send(json.dumps(START))
            start = await line.started(1)
            assert start is not None
            assert start.call_id == "CA1"
            line.deliver_to(lambda message, text: got.append((message, text)))
            line.write(write_message("ready", stream=3), text=True)
            for _ in range(5):
                line.write(TWENTY_MS, text=False)
            events = [json.loads(await twilio.recv())["event"] for _ in range(6)]
            assert events == ["media"] * 5 + ["mark"]
            await twilio.send(json.dumps({"event": "mark", "mark": {"name": "3.800"}}))
            await twilio.send(json.dumps({"event": "stop", "stop": {}}))
            await asyncio.sleep(0.1)
            assert [json.loads(message)["type"] for message, _ in got] == ["played"]
            assert line.stopped
            await twilio.wait_closed()
            assert twilio.close_code == CloseCode.OVER

    run(scenario())


def test_what_is_no_twilio_message_ends_the_line() -> None:
    async def scenario() -> None:
        async with phone() as (twilio, line):
            await twilio.send(json.dumps(START))
            assert await line.started(1) is not None
            line.deliver_to(lambda message, text: None)
            await twilio.send("nonsense")
            await twilio.wait_closed()
            assert twilio.close_code == CloseCode.MALFORMED

    run(scenario())


def test_who_does_not_begin_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with phone() as (twilio, line):
            await twilio.send(json.dumps({"event": "connected"}))
            assert await line.started(0.5) is None

    run(scenario())
