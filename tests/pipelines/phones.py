"""Emulated phone companies and their callers, for tests of a server that takes phone calls."""

import asyncio
import contextlib
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from crossfade.audio.resample import resample
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.phone import PhoneCall
from crossfade.emulators.phone.company import PhoneCompany
from crossfade.emulators.phone.webhook import post as send
from crossfade.emulators.plivo import PlivoEmulator
from crossfade.emulators.telnyx import TelnyxEmulator
from crossfade.emulators.twilio import TwilioEmulator
from crossfade.emulators.twilio.signature import HEADER, signature
from crossfade.pipelines import serve_carriers, serve_settings
from tests.pipelines.serving import STORY, Serving, question, scripted, serving

TOKEN = "emulated-auth-token"
COMPANIES: Mapping[str, Callable[[], PhoneCompany]] = {
    "twilio": TwilioEmulator,
    "telnyx": TelnyxEmulator,
    "plivo": PlivoEmulator,
}
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
_VARIABLES = (
    serve_settings.TWILIO_TOKEN_VARIABLE,
    serve_settings.TWILIO_SID_VARIABLE,
    serve_settings.TWILIO_REST_VARIABLE,
    *(value for name, value in vars(serve_carriers).items() if name.endswith("_VARIABLE")),
)


def nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every company's account from the environment."""
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def taken(company: PhoneCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have servers take this company's calls, without orders by REST."""
    if isinstance(company, TwilioEmulator):
        monkeypatch.setenv(serve_settings.TWILIO_TOKEN_VARIABLE, company.account.auth_token)
    elif isinstance(company, TelnyxEmulator):
        monkeypatch.setenv(serve_carriers.TELNYX_KEY_VARIABLE, company.public_key)
        monkeypatch.setenv(serve_carriers.TELNYX_API_KEY_VARIABLE, company.api_key)
    elif isinstance(company, PlivoEmulator):
        monkeypatch.setenv(serve_carriers.PLIVO_TOKEN_VARIABLE, company.auth_token)


def with_rest(company: PhoneCompany, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Give servers the account, for orders at this address."""
    if isinstance(company, TwilioEmulator):
        monkeypatch.setenv(serve_settings.TWILIO_SID_VARIABLE, company.account.sid)
        monkeypatch.setenv(serve_settings.TWILIO_REST_VARIABLE, url)
    elif isinstance(company, TelnyxEmulator):
        monkeypatch.setenv(serve_carriers.TELNYX_SID_VARIABLE, company.account_sid)
        monkeypatch.setenv(serve_carriers.TELNYX_REST_VARIABLE, url)
    elif isinstance(company, PlivoEmulator):
        monkeypatch.setenv(serve_carriers.PLIVO_ID_VARIABLE, company.auth_id)
        monkeypatch.setenv(serve_carriers.PLIVO_REST_VARIABLE, url)


def name_of(company: PhoneCompany) -> str:
    return type(company).__name__.removesuffix("Emulator")


def webhook(server: Serving, company: str = "twilio") -> str:
    return "http" + server.url.removeprefix("ws").removesuffix("/ws") + f"/{company.lower()}"


def stream(server: Serving, company: str = "twilio") -> str:
    return server.url.removesuffix("/ws") + f"/{company.lower()}/stream"


async def post(url: str, form: dict[str, str], *, auth_token: str) -> tuple[int, bytes]:
    """Ask as Twilio does."""
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
    folder: Path, company: PhoneCompany, scenario: str = TALK, **options: Any
) -> AsyncIterator[tuple[PhoneCall, OpenAIEmulator]]:
    """A call that is put through to a server."""
    async with (
        OpenAIEmulator(scripted(folder, scenario)) as emulator,
        serving(folder, emulator, **options) as server,
        company.call(webhook(server, name_of(company))) as phone,
    ):
        await phone.connected()
        yield phone, emulator


def transcript(folder: Path) -> str:
    (run_folder,) = (folder / "runs").iterdir()
    return (run_folder / "transcript.json").read_text()
