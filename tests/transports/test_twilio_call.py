"""What we tell Twilio, as its emulator understands it."""

import asyncio

import pytest

from crossfade.emulators.phone.verbs import ConnectStream, Dial, Hangup, Say
from crossfade.emulators.twilio import TwilioEmulator
from crossfade.emulators.twilio.twiml import read_twiml
from crossfade.errors import ConnectionLost, CrossfadeError, ProviderFault, SettingsError
from crossfade.transports.phone_carrier import (
    HangUp,
    PutThrough,
    Refuse,
    Talk,
    check_number,
)
from crossfade.transports.twilio_call import TwilioAccount
from tests.clock import run

ACCOUNT = TwilioAccount(sid="AC1", auth_token="secret")


def dial(number: str) -> str:
    return ACCOUNT.document(PutThrough(name="sales", number=number))


def test_a_stream_with_whatever_its_address_is() -> None:
    document = ACCOUNT.document(
        Talk(stream_url="wss://a.example/s", next_url="https://a.example/n?a=1&b=2", ticket="1a")
    )
    assert read_twiml(document) == [
        ConnectStream(
            url="wss://a.example/s",
            parameters={"ticket": "1a"},
            action="https://a.example/n?a=1&b=2",
        )
    ]


def test_the_other_documents() -> None:
    assert read_twiml(dial("+1 (555) 123-4567")) == [Dial(number="+15551234567")]
    assert read_twiml(ACCOUNT.document(HangUp())) == [Hangup()]
    assert read_twiml(ACCOUNT.document(Refuse(words="All <lines> are busy."))) == [
        Say(text="All <lines> are busy."),
        Hangup(),
    ]


@pytest.mark.parametrize("number", ["", "+", "call me", "+1555</Dial>", "12;34", "1" * 40])
def test_what_is_no_number_is_not_dialled(number: str) -> None:
    with pytest.raises(SettingsError, match="no phone number"):
        dial(number)


@pytest.mark.parametrize(
    ("given", "dialled"),
    [(" 0049-30.1234 ", "0049301234"), ("sip:front-desk@pbx.example:5060",) * 2],
)
def test_numbers_are_dialled_without_their_decoration(given: str, dialled: str) -> None:
    assert check_number(given) == dialled


def test_a_call_is_redirected() -> None:
    async def scenario() -> None:
        async with TwilioEmulator() as twilio:
            account = TwilioAccount(
                sid=twilio.account.sid,
                auth_token=twilio.account.auth_token,
                rest_url=twilio.url,
            )
            assert account.auth_token not in repr(account)
            with pytest.raises(ProviderFault, match="404 Not Found"):
                await account.redirect("CA0", HangUp(), "")
            wrong = TwilioAccount(sid=account.sid, auth_token="x", rest_url=twilio.url)
            with pytest.raises(ProviderFault, match="401") as refused:
                await wrong.redirect("CA0", HangUp(), "")
            assert account.auth_token not in str(refused.value)
        with pytest.raises(ConnectionLost, match="does not answer"):
            await account.redirect("CA0", HangUp(), "")

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 520 Web Server Returned an Unknown Error\r\n\r\n", ProviderFault),
        (b"HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\n\r\n", ProviderFault),
        (b"SSH-2.0-OpenSSH\r\n", ConnectionLost),
        (b"", ConnectionLost),
    ],
    ids=["unknown status", "redirect", "not HTTP", "nothing"],
)
def test_an_odd_answer_is_told_and_credentials_go_nowhere_else(
    answer: bytes, fault: type[CrossfadeError]
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        there = f"http://127.0.0.1:{writer.get_extra_info('sockname')[1]}/elsewhere"
        writer.write(answer.replace(b"{elsewhere}", there.encode()))
        writer.close()
        await writer.wait_closed()

    async def scenario() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            account = TwilioAccount(sid="AC1", auth_token="x", rest_url=f"http://127.0.0.1:{port}")
            with pytest.raises(fault):
                await account.redirect("CA0", HangUp(), "")
        assert len(asked) == 1

    run(scenario())
