"""The receptionist, with a caller who reads lines and on an emulated telephone."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.phone import CallStatus
from crossfade.emulators.twilio import PhoneCall, TwilioEmulator
from crossfade.examples import receptionist
from crossfade.pipelines.endpoint import KEY_VARIABLE, Endpoint
from crossfade.pipelines.serve import run_server
from crossfade.pipelines.serve_phone_tools import phone_tools
from crossfade.pipelines.serve_settings import TWILIO_SID_VARIABLE, TWILIO_TOKEN_VARIABLE
from crossfade.processors.tools import ToolArgumentsError
from tests.clock import run
from tests.examples.rehearsing import called, rehearsed, said
from tests.pipelines.phones import TOKEN, asked, hears

MONDAY = receptionist.MONDAY
ON_THE_PHONE = f"""
turns:
  - {{on: speech, call: [{receptionist.MESSAGE}]}}
  - {{on: tool_results, say: "Is that right?"}}
  - {{on: speech, call: [{receptionist.MESSAGE}]}}
  - {{on: tool_results, say: It is taken.}}
  - {{on: text, say: You pressed keys.}}
  - {{on: speech, call: [LEAVE]}}
  - {{on: tool_results, say: Goodbye.}}
"""
LEAVES = {
    "is put through": ("{name: transfer, arguments: {to: sales}}", ["+15550123"]),
    "is hung up": ("{name: hang_up, arguments: {}}", list[str]()),
}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_it_takes_a_message_when_that_is_confirmed_and_puts_through_by_name(
    tmp_path: Path,
) -> None:
    messages, told = tmp_path / "messages.jsonl", list[str]()
    board = receptionist.PrintedSwitchboard(told.append)
    tools = [
        *receptionist.desk(messages, lambda: MONDAY),
        *phone_tools(board, "1", receptionist.PEOPLE),
    ]
    turns = rehearsed(
        lambda caller, record, provider: receptionist.make(caller, record, provider, tools=tools),
        tmp_path / "runs",
        lines=receptionist.LINES,
        scenario=receptionist.SCENARIO,
    )
    hours, asks, taken, through = called(turns)
    assert hours["result"]["open"] is True
    assert "taken" not in str(asks["result"])
    assert taken["result"] == "The message is taken."
    assert through["arguments"] == {"to": "sales"}
    assert "Ada, 555 0100, you say: I will be late. Is that right?" in said(turns)
    assert [json.loads(line) for line in messages.read_text().splitlines()] == [
        {
            "at": MONDAY.isoformat(),
            "name": "Ada",
            "number": "555 0100",
            "text": "I will be late.",
        }
    ]
    assert told == ["call 1 is put through to +15550123"]


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (MONDAY, True),
        (MONDAY.replace(hour=8, minute=59), False),
        (MONDAY.replace(hour=17, minute=0), False),
        (MONDAY.replace(day=22), False),
    ],
)
def test_the_office_hours(at: datetime, is_open: bool) -> None:
    assert receptionist.hours(at)["open"] is is_open


def test_what_is_no_number_is_asked_for_again(tmp_path: Path) -> None:
    _, take_message = receptionist.desk(tmp_path / "messages.jsonl")
    with pytest.raises(ToolArgumentsError, match="number"):
        take_message.check({"name": "Ada", "number": "the usual one", "text": "Late."})


async def answered(phone: PhoneCall) -> None:
    """Speak, and hear the answer out."""
    before = len(phone.sounds)
    phone.speak(asked())
    await phone.spoken()
    await hears(phone, before)
    await asyncio.sleep(1.5)


@pytest.mark.parametrize("leaves", LEAVES)
def test_on_the_telephone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves: str) -> None:
    call, dialled = LEAVES[leaves]
    monkeypatch.setenv(TWILIO_TOKEN_VARIABLE, TOKEN)
    monkeypatch.delenv(TWILIO_SID_VARIABLE, raising=False)
    messages = tmp_path / "messages.jsonl"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[None] = loop.create_future()
        at: asyncio.Future[str] = loop.create_future()

        def announce(line: str) -> None:
            if line.startswith("phone calls by Twilio: "):
                at.set_result(line.split()[-1])

        backend = ScriptedBackend(parse_scenario(ON_THE_PHONE.replace("LEAVE", call)))
        async with OpenAIEmulator(backend) as emulator, TwilioEmulator() as twilio:
            provider = Endpoint(
                spec="openai:gpt-realtime-2.1",
                base_url=emulator.url,
                api_key="emulated",
                description="the emulator",
            )
            settings = receptionist.phone_settings(port=0, runs=tmp_path / "runs")
            server = asyncio.create_task(
                run_server(
                    settings,
                    announce=announce,
                    stop=lambda: stop,
                    provider=provider,
                    route=(),
                    tools=receptionist.desk(messages, lambda: MONDAY),
                )
            )
            async with twilio.call(await at) as phone:
                await phone.connected()
                await answered(phone)
                await answered(phone)
                before = len(phone.sounds)
                await phone.press("5550100#")
                await hears(phone, before)
                await asyncio.sleep(2)
                phone.speak(asked())
                async with asyncio.timeout(30):
                    await phone.over()
                assert phone.dialled == dialled
                assert phone.status is CallStatus.COMPLETED
            stop.set_result(None)
            await server

    run(main())
    assert json.loads(messages.read_text())["name"] == "Ada"
    (transcript,) = (tmp_path / "runs").glob("*/transcript.json")
    assert "keypad: 5550100#" in transcript.read_text()
    assert "You pressed keys." in transcript.read_text()
