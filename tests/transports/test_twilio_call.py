"""What we tell Twilio, as its emulator understands it."""

import pytest

from crossfade.emulators.twilio import TwilioEmulator
from crossfade.emulators.twilio.twiml import ConnectStream, Dial, Hangup, Say, read_twiml
from crossfade.errors import ConnectionLost, ProviderFault, SettingsError
from crossfade.transports.twilio_call import (
    TwilioAccount,
    busy_document,
    check_number,
    connect_document,
    dial_document,
    hang_up_document,
)
from tests.clock import run


def test_a_stream_with_whatever_its_parameters_are() -> None:
    hard = {"token": "v1.\"<&>'", "x": ""}
    document = connect_document("wss://a.example/s", "https://a.example/next", hard)
    assert read_twiml(document) == [
        ConnectStream(url="wss://a.example/s", parameters=hard, action="https://a.example/next")
    ]


def test_the_other_documents() -> None:
    assert read_twiml(dial_document("+1 (555) 123-4567")) == [Dial(number="+15551234567")]
    assert read_twiml(hang_up_document()) == [Hangup()]
    assert read_twiml(busy_document("All <lines> are busy.")) == [
        Say(text="All <lines> are busy."),
        Hangup(),
    ]


@pytest.mark.parametrize("number", ["", "+", "call me", "+1555</Dial>", "12;34", "1" * 40])
def test_what_is_no_number_is_not_dialled(number: str) -> None:
    with pytest.raises(SettingsError, match="no phone number"):
        dial_document(number)


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
                await account.redirect("CA0", hang_up_document())
            wrong = TwilioAccount(sid=account.sid, auth_token="x", rest_url=twilio.url)
            with pytest.raises(ProviderFault, match="401") as refused:
                await wrong.redirect("CA0", hang_up_document())
            assert account.auth_token not in str(refused.value)
        with pytest.raises(ConnectionLost, match="does not answer"):
            await account.redirect("CA0", hang_up_document())

    run(scenario())
