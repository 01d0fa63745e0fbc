"""Calls by each phone company: emulated, with our server and the emulated model in one loop."""

import asyncio
import json
import time
import urllib.parse
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.phone import CallStatus
from crossfade.emulators.phone.company import PhoneCompany
from crossfade.emulators.phone.verbs import ConnectStream
from crossfade.emulators.phone.webhook import post
from crossfade.emulators.plivo import PlivoEmulator
from crossfade.emulators.telnyx import TelnyxEmulator
from crossfade.emulators.twilio import TwilioEmulator
from crossfade.errors import SettingsError
from crossfade.pipelines import serve_carriers
from tests.clock import run
from tests.pipelines.phones import (
    COMPANIES,
    LEAVE,
    TALK,
    asked,
    calling,
    hears,
    name_of,
    nobodys,
    stream,
    taken,
    transcript,
    webhook,
    with_rest,
)
from tests.pipelines.serving import STORY, scripted, serving

HANG_UP, TRANSFER = ("hang_up", ""), ("transfer", "to: sales")
NO_REST, REST, DEAD_REST = "no REST", "REST", "dead REST"
FORGERS = {
    "Twilio": (TwilioEmulator(auth_token="another-token"), TwilioEmulator(auth_token="")),
    # Each Telnyx has a key of its own.
    "Telnyx": (TelnyxEmulator(),),
    "Plivo": (PlivoEmulator(auth_token="another-token"), PlivoEmulator(auth_token="")),
}


@pytest.fixture(autouse=True)
def _nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys(monkeypatch)


@pytest.fixture(params=COMPANIES)
def company(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PhoneCompany:
    """One whose calls the server takes, without orders by REST."""
    made = COMPANIES[request.param]()
    taken(made, monkeypatch)
    return made


def test_a_call_with_both_voices_and_keys(tmp_path: Path, company: PhoneCompany) -> None:
    async def scenario() -> None:
        async with calling(tmp_path, company) as (phone, _):
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            await asyncio.sleep(5)
            assert np.abs(np.frombuffer(phone.heard, "<i2")).max() > 1000
            assert {"media", "playAudio"} & set(phone.streams[0].received)
            assert {"mark", "checkpoint"} & set(phone.streams[0].received)
            await phone.press("12#")
            await asyncio.sleep(2)
            await phone.hang_up()
            assert (phone.status, phone.problem) == (CallStatus.COMPLETED, "")
            # Told by the hangup URL; the call is not waited for any longer.
            await phone.tell(phone.url)
            await asyncio.sleep(1)
            assert list((tmp_path / "runs").glob("*/summary.json"))
        told = transcript(tmp_path)
        assert STORY in told
        assert "keypad: 12#" in told
        assert "You pressed keys." in told

    run(scenario())


def test_who_interrupts_hears_no_more_of_the_answer(tmp_path: Path, company: PhoneCompany) -> None:
    async def scenario() -> None:
        async with calling(tmp_path, company) as (phone, _):
            phone.speak(asked())
            await phone.spoken()
            await hears(phone)
            phone.speak(asked())
            await phone.spoken()
            assert {"clear", "clearAudio"} & set(phone.streams[0].received)
            await asyncio.sleep(4)
        told = transcript(tmp_path)
        assert "You are welcome." in told
        assert '"interrupted": true' in told

    run(scenario())


@pytest.mark.parametrize(
    ("company", "call", "dialled", "rest"),
    [
        ("twilio", HANG_UP, [], NO_REST),
        ("twilio", HANG_UP, [], REST),
        ("twilio", HANG_UP, [], DEAD_REST),
        ("twilio", TRANSFER, ["+15550123"], NO_REST),
        ("twilio", TRANSFER, ["+15550123"], REST),
        ("telnyx", HANG_UP, [], NO_REST),
        ("telnyx", TRANSFER, ["+15550123"], REST),
        ("plivo", HANG_UP, [], REST),
        ("plivo", TRANSFER, ["+15550123"], REST),
        ("plivo", TRANSFER, ["+15550123"], NO_REST),
    ],
    indirect=["company"],
)
def test_the_agent_hangs_up_and_puts_through(
    tmp_path: Path,
    company: PhoneCompany,
    call: tuple[str, str],
    dialled: Sequence[str],
    rest: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with company:
            if rest != NO_REST:
                with_rest(
                    company, monkeypatch, company.url if rest == REST else "http://127.0.0.1:9"
                )
            options = {"transfer_to": ("sales=+1 555 0123",)}
            async with calling(tmp_path, company, LEAVE % call, **options) as (phone, _):
                phone.speak(asked())
                async with asyncio.timeout(30):
                    await phone.over()
                assert (phone.status, phone.problem) == (CallStatus.COMPLETED, "")
                assert phone.dialled == dialled
                assert len(phone.streams) == 1
                await asyncio.sleep(1)
        assert "Goodbye then." in transcript(tmp_path)

    run(scenario())


def test_a_stream_that_dies_in_mid_answer_is_continued(
    tmp_path: Path, company: PhoneCompany
) -> None:
    async def scenario() -> None:
        async with calling(tmp_path, company) as (phone, emulator):
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


def test_another_server_takes_the_call(tmp_path: Path, company: PhoneCompany) -> None:
    async def scenario() -> None:
        store, name = str(tmp_path / "calls.db"), name_of(company)
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator, store=store) as old,
            serving(tmp_path, emulator, store=store) as new,
            company.call(webhook(old, name), fallback_url=webhook(new, name)) as phone,
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


def test_a_forged_webhook_is_refused(tmp_path: Path, company: PhoneCompany) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            url = webhook(server, name_of(company))
            form = company.form(company.call(url))
            body = urllib.parse.urlencode(form).encode()
            signed = company.sign(url, form, body)
            cases = [
                (url, signed, body, 200),
                (url, {}, body, 403),
                (url, signed, body.replace(b"5550100", b"5550101"), 403),
                (url, dict.fromkeys(signed, "AAAA"), body, 403),
                *(
                    (url, forger.sign(url, form, body), body, 403)
                    for forger in FORGERS[name_of(company)]
                ),
            ]
            if not isinstance(company, TelnyxEmulator):
                cases.append((f"{url}?again=1", signed, body, 403))
            for to, headers, what, expected in cases:
                status, document = await post(to, what, headers)
                assert (status, b"Stream" in document) == (expected, expected == 200)
            assert not emulator.sessions

    run(scenario())


def test_telnyx_signatures_are_good_for_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telnyx = TelnyxEmulator()

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            url, now = webhook(server, "telnyx"), int(time.time())
            for at, expected in ((now - 200, 200), (now - 400, 403), (now + 400, 403)):
                headers = telnyx.signed_at(at, b"CallSid=v3:a")
                assert (await post(url, b"CallSid=v3:a", headers))[0] == expected

    taken(telnyx, monkeypatch)
    run(scenario())


def test_a_stream_without_its_webhook_is_refused(tmp_path: Path, company: PhoneCompany) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            hook, url = webhook(server, name_of(company)), stream(server, name_of(company))
            _, document = await company.call(hook).tell(hook)
            verb = company.read(document)[0]
            assert isinstance(verb, ConnectStream)
            assert verb.url == url
            another_calls = verb.parameters["ticket"]
            late, forged = "1.9999999999.00", "1" + "9" * 10 + "0" * 64
            for ticket in (another_calls, "", late, forged, "x", "1..", "ü"):
                wire = company.wire(company.name(7), 1, {"ticket": ticket})
                headers = dict(company.sign_stream(url))
                async with connect(url, proxy=None, additional_headers=headers) as socket:
                    for content in wire.begin():
                        await socket.send(json.dumps(wire.numbered(content, 1)))
                    await socket.wait_closed()
                    assert socket.close_code == 4408
            assert not emulator.sessions

    run(scenario())


@pytest.mark.parametrize("company", ["twilio", "plivo"], indirect=True)
def test_a_stream_that_is_not_signed_is_refused(tmp_path: Path, company: PhoneCompany) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            url = stream(server, name_of(company))
            forged = [dict(forger.sign_stream(url)) for forger in FORGERS[name_of(company)]]
            for headers in ({}, *forged):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, proxy=None, additional_headers=headers)
                assert refused.value.response.status_code == HTTPStatus.FORBIDDEN
            assert not emulator.sessions

    run(scenario())


def test_a_server_takes_calls_of_whoever_it_has_a_key_of(
    tmp_path: Path, company: PhoneCompany
) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            name = name_of(company)
            assert f"phone calls by {name}: {webhook(server, name)}" in server.told
            for other in COMPANIES.keys() - {name.lower()}:
                assert (await post(webhook(server, other), b"", {}))[0] == HTTPStatus.NOT_FOUND
                with pytest.raises(InvalidStatus):
                    await connect(stream(server, other), proxy=None)

    run(scenario())


@pytest.mark.parametrize("key", ["x", "AAAA", "ü", "A" * 100])
def test_what_is_no_key_of_telnyx_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serve_carriers.TELNYX_KEY_VARIABLE, key)
    with pytest.raises(SettingsError, match="public key"):
        serve_carriers.carriers()
