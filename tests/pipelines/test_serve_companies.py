"""Calls by Telnyx and Plivo: each emulated, with our server and the emulated model in one loop."""

import asyncio
import contextlib
import json
import time
import urllib.parse
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.phone import CallStatus, PhoneCall
from crossfade.emulators.phone.webhook import post
from crossfade.emulators.plivo import PlivoEmulator
from crossfade.emulators.telnyx import TelnyxEmulator
from crossfade.errors import SettingsError
from crossfade.pipelines import serve_carriers
from crossfade.pipelines.serve_settings import TWILIO_TOKEN_VARIABLE
from tests.clock import run
from tests.pipelines.serving import STORY, Serving, scripted, serving
from tests.pipelines.test_serve_phone import LEAVE, TALK, asked, hears, transcript

Company = TelnyxEmulator | PlivoEmulator
COMPANIES = ("telnyx", "plivo")
HANG_UP, TRANSFER = ("hang_up", ""), ("transfer", "to: sales")
VARIABLES = [value for name, value in vars(serve_carriers).items() if name.endswith("_VARIABLE")]


@pytest.fixture(autouse=True)
def _nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*VARIABLES, TWILIO_TOKEN_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=COMPANIES)
def company(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Company:
    """One whose calls the server takes, without orders by REST."""
    if request.param == "telnyx":
        telnyx = TelnyxEmulator()
        monkeypatch.setenv(serve_carriers.TELNYX_KEY_VARIABLE, telnyx.public_key)
        monkeypatch.setenv(serve_carriers.TELNYX_API_KEY_VARIABLE, telnyx.api_key)
        return telnyx
    plivo = PlivoEmulator()
    monkeypatch.setenv(serve_carriers.PLIVO_TOKEN_VARIABLE, plivo.auth_token)
    return plivo


def with_rest(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the server the account; the company listens."""
    if isinstance(company, TelnyxEmulator):
        monkeypatch.setenv(serve_carriers.TELNYX_SID_VARIABLE, company.account_sid)
        monkeypatch.setenv(serve_carriers.TELNYX_REST_VARIABLE, company.url)
    else:
        monkeypatch.setenv(serve_carriers.PLIVO_ID_VARIABLE, company.auth_id)
        monkeypatch.setenv(serve_carriers.PLIVO_REST_VARIABLE, company.url)


def path_of(company: Company) -> str:
    return "/telnyx" if isinstance(company, TelnyxEmulator) else "/plivo"


def webhook(server: Serving, company: Company) -> str:
    return "http" + server.url.removeprefix("ws").removesuffix("/ws") + path_of(company)


def stream(server: Serving, company: Company) -> str:
    return server.url.removesuffix("/ws") + path_of(company) + "/stream"


@contextlib.asynccontextmanager
async def calling(
    folder: Path, company: Company, scenario: str = TALK, **options: Any
) -> AsyncIterator[tuple[PhoneCall, OpenAIEmulator]]:
    async with (
        OpenAIEmulator(scripted(folder, scenario)) as emulator,
        serving(folder, emulator, **options) as server,
        company.call(webhook(server, company)) as phone,
    ):
        await phone.connected()
        yield phone, emulator


def test_a_call_with_both_voices_and_keys(tmp_path: Path, company: Company) -> None:
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


def test_who_interrupts_hears_no_more_of_the_answer(tmp_path: Path, company: Company) -> None:
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
        ("telnyx", HANG_UP, [], False),
        ("telnyx", TRANSFER, ["+15550123"], True),
        ("plivo", HANG_UP, [], True),
        ("plivo", TRANSFER, ["+15550123"], True),
        ("plivo", TRANSFER, ["+15550123"], False),
    ],
    indirect=["company"],
)
def test_the_agent_hangs_up_and_puts_through(
    tmp_path: Path,
    company: Company,
    call: tuple[str, str],
    dialled: Sequence[str],
    rest: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with company:
            if rest:
                with_rest(company, monkeypatch)
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


def test_a_stream_that_dies_in_mid_answer_is_continued(tmp_path: Path, company: Company) -> None:
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
            assert len(emulator.sessions) == 1
            assert len(phone.streams) == 2
        told = transcript(tmp_path)
        assert STORY in told
        assert '"interrupted": true' not in told

    run(scenario())


def test_another_server_takes_the_call(tmp_path: Path, company: Company) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator, store=store) as old,
            serving(tmp_path, emulator, store=store) as new,
            company.call(webhook(old, company), fallback_url=webhook(new, company)) as phone,
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


def test_a_forged_webhook_is_refused(tmp_path: Path, company: Company) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
            company.call(webhook(server, company)) as phone,
        ):
            url, form = webhook(server, company), company.form(phone)
            body = urllib.parse.urlencode(form).encode()
            signed = company.sign(url, form, body)
            # Each Telnyx has a key of its own.
            telnyx = isinstance(company, TelnyxEmulator)
            forger = TelnyxEmulator() if telnyx else PlivoEmulator(auth_token="x")
            other = body.replace(b"5550100", b"5550101")
            for headers, what, expected in (
                (signed, body, 200),
                ({}, body, 403),
                (forger.sign(url, form, body), body, 403),
                (signed, other, 403),
                (dict.fromkeys(signed, "AAAA"), body, 403),
            ):
                assert (await post(url, what, headers))[0] == expected

    run(scenario())


def test_telnyx_signatures_are_good_for_minutes(tmp_path: Path) -> None:
    telnyx = TelnyxEmulator()

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            url, now = webhook(server, telnyx), int(time.time())
            for at, expected in ((now - 200, 200), (now - 400, 403), (now + 400, 403)):
                headers = telnyx.signed_at(at, b"CallSid=v3:a")
                assert (await post(url, b"CallSid=v3:a", headers))[0] == expected

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(serve_carriers.TELNYX_KEY_VARIABLE, telnyx.public_key)
        run(scenario())


@pytest.mark.parametrize("ticket", ["another call's", "", "1" + "9" * 10 + "0" * 64])
def test_a_stream_without_its_webhook_is_refused(
    tmp_path: Path, company: Company, ticket: str
) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            phone = company.call(webhook(server, company))
            url, given = stream(server, company), ticket
            if ticket == "another call's":
                _, document = await phone.tell(webhook(server, company))
                (verb, _) = company.read(document)
                given = verb.parameters["ticket"]  # type: ignore[union-attr]
                assert verb.url == url  # type: ignore[union-attr]
            wire = company.wire(company.name(7), 1, {"ticket": given})
            headers = dict(company.sign_stream(url))
            async with connect(url, proxy=None, additional_headers=headers) as socket:
                for content in wire.begin():
                    await socket.send(json.dumps(wire.numbered(content, 1)))
                await socket.wait_closed()
                assert socket.close_code == 4408
            assert not emulator.sessions

    run(scenario())


def test_a_forged_stream_of_plivo_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(serve_carriers.PLIVO_TOKEN_VARIABLE, "emulated-auth-token")

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            url = server.url.removesuffix("/ws") + "/plivo/stream"
            for headers in ({}, dict(PlivoEmulator(auth_token="x").sign_stream(url))):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, proxy=None, additional_headers=headers)
                assert refused.value.response.status_code == 403

    run(scenario())


def test_a_server_takes_calls_of_whoever_it_has_a_key_of(
    tmp_path: Path, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, TALK)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            name = type(company).__name__.removesuffix("Emulator")
            assert f"phone calls by {name}: {webhook(server, company)}" in server.told
            url = webhook(server, company).replace(path_of(company), "/twilio")
            assert (await post(url, b"", {}))[0] == 404

    run(scenario())


@pytest.mark.parametrize("key", ["x", "AAAA", "ü", "A" * 100])
def test_what_is_no_key_of_telnyx_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serve_carriers.TELNYX_KEY_VARIABLE, key)
    with pytest.raises(SettingsError, match="public key"):
        serve_carriers.carriers()
