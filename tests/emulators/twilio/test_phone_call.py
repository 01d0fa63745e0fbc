"""The emulated phone against an application of nobody's."""

import asyncio
import base64
import urllib.request

import pytest

from crossfade.audio.g711 import decode_mu_law
from crossfade.emulators.phone import CallStatus
from crossfade.emulators.twilio import TwilioEmulator
from crossfade.transports.twilio_signature import is_signed
from tests.clock import run
from tests.emulators.twilio.application import Stream, application

TALK = '<Response><Connect action="{url}/next"><Stream url="{stream}"/></Connect></Response>'
BYE = "<Response><Hangup/></Response>"
SOUND = bytes(range(1, 81)) * 2


def test_a_call_with_both_voices_and_a_key() -> None:
    async def behave(stream: Stream) -> None:
        await stream.play(SOUND * 2, "said")
        while {"mark", "dtmf"} - set(stream.events):
            await stream.next("media")

    async def scenario() -> None:
        async with TwilioEmulator() as twilio, application(TALK, BYE, behave=behave) as app:
            async with twilio.call(f"{app.url}/voice") as phone:
                await phone.connected()
                phone.speak(decode_mu_law(SOUND))
                await phone.spoken()
                await phone.press("7")
                await phone.over()
            (stream,) = app.streams
            assert sorted(stream.events) == ["connected", "dtmf", "mark", "start"]
            assert SOUND in stream.sound
            assert len(stream.sound) % 160 == 0
            assert phone.heard == decode_mu_law(SOUND * 2)
            assert phone.status is CallStatus.COMPLETED
            assert [path for path, _, _ in app.asked] == ["/voice", "/next"]
            for path, form, given in app.asked:
                assert form["CallSid"] == phone.sid
                token = twilio.account.auth_token
                assert is_signed(given, f"{app.url}{path}", form, token)
                assert not is_signed(given, f"{app.url}{path}", form, f"{token}x")

    run(scenario())


def test_what_was_not_played_is_cleared_and_its_marks_come_at_once() -> None:
    async def behave(stream: Stream) -> None:
        await stream.play(SOUND * 500, "never")
        await stream.next("media")
        await stream.send("clear")
        await stream.next("mark")

    async def scenario() -> None:
        async with TwilioEmulator() as twilio, application(TALK, BYE, behave=behave) as app:
            async with twilio.call(app.url) as phone:
                await phone.over()
            assert app.streams[0].events == ["connected", "start", "mark"]
            assert len(phone.heard) < 10 * 320

    run(scenario())


def test_hanging_up_ends_the_stream_with_stop() -> None:
    async def behave(stream: Stream) -> None:
        await stream.next("stop")

    async def scenario() -> None:
        async with TwilioEmulator() as twilio, application(TALK, behave=behave) as app:
            async with twilio.call(app.url) as phone:
                await phone.connected()
            assert app.streams[0].events == ["connected", "start", "stop"]
            assert len(app.asked) == 1

    run(scenario())


def test_a_dead_stream_is_followed_by_the_action() -> None:
    async def behave(stream: Stream) -> None:
        await stream.next("never")

    async def scenario() -> None:
        documents = (TALK, TALK, "<Response><Dial>+15551234</Dial></Response>")
        async with TwilioEmulator() as twilio, application(*documents, behave=behave) as app:
            async with twilio.call(app.url) as phone:
                await phone.connected()
                phone.cut_stream()
                await phone.connected(2)
                phone.cut_stream()
                await phone.over()
            assert phone.dialled == ["+15551234"]
            assert len(app.streams) == 2

    run(scenario())


def test_other_verbs_in_their_order() -> None:
    async def scenario() -> None:
        document = (
            "<Response><Say>hello</Say><Pause length='2'/><Redirect>{url}/b</Redirect></Response>"
        )
        async with TwilioEmulator() as twilio, application(document, BYE) as app:
            began_s = asyncio.get_running_loop().time()
            async with twilio.call(app.url) as phone:
                await phone.over()
            assert phone.said == ["hello"]
            assert asyncio.get_running_loop().time() - began_s >= 2
            assert [path for path, _, _ in app.asked] == ["/", "/b"]

    run(scenario())


@pytest.mark.parametrize("fallback", [True, False])
def test_a_webhook_that_fails(fallback: bool) -> None:
    async def scenario() -> None:
        async with TwilioEmulator() as twilio, application(500, BYE) as app:
            url = f"{app.url}/fallback" if fallback else ""
            async with twilio.call(app.url, fallback_url=url) as phone:
                await phone.over()
            assert phone.status is (CallStatus.COMPLETED if fallback else CallStatus.FAILED)
            assert fallback or "500" in phone.problem

    run(scenario())


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<Nothing/>",
        "<Response><Fly/></Response>",
        '<Response><Connect><Stream url="ws://127.0.0.1/s?token=x"/></Connect></Response>',
        "<!DOCTYPE x []><Response/>",
        "<Response>" + "<Pause/>" * 10000 + "</Response>",
    ],
)
def test_twiml_that_twilio_would_refuse_fails_the_call(document: str) -> None:
    async def scenario() -> None:
        async with TwilioEmulator() as twilio, application(document) as app:
            async with twilio.call(app.url) as phone:
                await phone.over()
            assert phone.status is CallStatus.FAILED
            assert phone.problem

    run(scenario())


def _update(url: str, login: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, method="POST")
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_call_is_redirected_and_ended_by_rest() -> None:
    async def behave(stream: Stream) -> None:
        await stream.next("stop")

    async def scenario() -> None:
        async with TwilioEmulator() as twilio, application(TALK, behave=behave) as app:
            async with twilio.call(app.url) as phone:
                await phone.connected()
                resource = f"{twilio.url}/2010-04-01/Accounts/{twilio.account.sid}/Calls/"
                login = f"{twilio.account.sid}:{twilio.account.auth_token}"
                twiml = TALK.replace("{stream}", app.stream_url)
                for name, wrong, body, status in (
                    (phone.sid, "x", b"Status=completed", 401),
                    ("CA0", "", b"Status=completed", 404),
                    (phone.sid, "", b"Colour=red", 400),
                    (phone.sid, "", b"Twiml=%3CFly/%3E", 400),
                    (phone.sid, "", b"Twiml=" + twiml.encode(), 200),
                ):
                    url = f"{resource}{name}.json"
                    answered = await asyncio.to_thread(_update, url, login + wrong, body)
                    assert answered == status
                await phone.connected(2)
                assert len(app.asked) == 1
                url = f"{resource}{phone.sid}.json"
                await asyncio.to_thread(_update, url, login, b"Status=completed")
                await phone.over()
                answered = await asyncio.to_thread(_update, url, login, b"Status=completed")
                assert answered == 400
            assert [stream.events[-1] for stream in app.streams] == ["stop", "stop"]

    run(scenario())
