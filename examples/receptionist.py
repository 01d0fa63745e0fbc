"""A receptionist: tells the office hours, takes messages, puts callers through by name.

    python -m crossfade.examples.receptionist

A caller reads lines to it. Talks to OpenAI if OPENAI_API_KEY is set, else to the built-in emulator.
With TWILIO_AUTH_TOKEN set, or the key of another phone company, and the https:// address under
which that knows it as the argument, it answers the telephone instead, as `crossfade serve` does.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from crossfade.examples.rehearsal import show
from crossfade.observability.call import CallRecord
from crossfade.pipelines.assembly import Call
from crossfade.pipelines.command_line import prepare
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.serve import run_server, stop_signal
from crossfade.pipelines.serve_carriers import carriers
from crossfade.pipelines.serve_phone_tools import phone_tools
from crossfade.pipelines.serve_settings import ServeSettings
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller

INSTRUCTIONS = (
    "You are the receptionist of Lakeside Dental. Be brief and friendly. Look up whether the "
    "office is open. To leave a message, ask for name, number and text, read all three back, and "
    "take it only when the caller says that it is right. Put callers through in office hours only."
)
PEOPLE = {"sales": "+15550123", "doctor": "+15550124"}
OPENS, CLOSES = 9, 17

Number = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()-]{4,18}[0-9]$")]


def hours(at: datetime) -> dict[str, Any]:
    """Whether the office is open, and when it is."""
    is_open = at.weekday() < 5 and OPENS <= at.hour < CLOSES
    return {"open": is_open, "hours": f"Monday to Friday, {OPENS} to {CLOSES} o'clock"}


def desk(messages: Path, now: Callable[[], datetime] = datetime.now) -> Sequence[Tool]:
    """The tools that it has on every line.

    Args:
        messages: A file to which messages are added, a line of JSON each.
        now: Tells the office's time.
    """

    @tool(acknowledge=None)
    async def office_hours() -> dict[str, Any]:
        """Tell whether the office is open now, and its hours."""
        return hours(now())

    @tool(confirm=True)
    def take_message(name: str, number: Number, text: str) -> str:
        """Take a message. Read name, number and text back first.

        Args:
            name: Who calls.
            number: Where to call back.
            text: The message, in the caller's words.
        """
        message = {"at": now().isoformat(), "name": name, "number": number, "text": text}
        with messages.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        return "The message is taken."

    return [office_hours, take_message]


class PrintedSwitchboard:
    """Stands in for the telephone while a caller only reads lines."""

    def __init__(self, announce: Callable[[str], None] = print) -> None:
        self._announce = announce

    def end(self, call_sid: str) -> None:
        self._announce(f"call {call_sid} is hung up")

    def transfer(self, call_sid: str, number: str) -> None:
        self._announce(f"call {call_sid} is put through to {number}")


def make(
    caller: ScriptedCaller, record: CallRecord, provider: Endpoint, *, tools: Sequence[Tool]
) -> AbstractAsyncContextManager[Call]:
    return native_call(
        provider.spec,
        transport=caller,
        record=record,
        config=SessionConfig(instructions=INSTRUCTIONS),
        tools=tools,
        base_url=provider.base_url,
        api_key=provider.api_key,
    )


def phone_settings(**options: Any) -> ServeSettings:
    """Of a server that answers the telephone; it gives each call the phone's tools besides."""
    to = tuple(f"{name}={number}" for name, number in PEOPLE.items())
    return ServeSettings(instructions=INSTRUCTIONS, transfer_to=to, **options)


MONDAY = datetime(2026, 11, 23, 10, 30)
LINES = [
    "Hello, is the office open now?",
    "Please tell the doctor that I will be late. I am Ada, and my number is 555 0100.",
    "Yes, that is right.",
    "And please put me through to sales.",
]
MESSAGE = '{name: take_message, arguments: {name: Ada, number: "555 0100", text: I will be late.}}'
SCENARIO = f"""
turns:
  - {{on: speech, hear: "{LINES[0]}", call: [{{name: office_hours}}]}}
  - {{on: tool_results, say: "Our hours are {{hours}}. What can I do for you?"}}
  - {{on: speech, hear: "{LINES[1]}", call: [{MESSAGE}]}}
  - {{on: tool_results, say: "Ada, 555 0100, you say: I will be late. Is that right?"}}
  - {{on: speech, hear: "{LINES[2]}", call: [{MESSAGE}]}}
  - {{on: tool_results, say: "Your message is taken."}}
  - {{on: speech, hear: "{LINES[3]}", call: [{{name: transfer, arguments: {{to: sales}}}}]}}
  - {{on: tool_results, say: "I put you through to sales."}}
"""


def main() -> None:
    prepare()
    messages = Path("messages.jsonl")
    if carriers():
        settings, tools = phone_settings(public_url="".join(sys.argv[1:])), desk(messages)
        asyncio.run(run_server(settings, announce=print, stop=stop_signal, tools=tools))
    else:
        printed = phone_tools(PrintedSwitchboard(), "1", PEOPLE)
        tools = [*desk(messages, lambda: MONDAY), *printed]
        show(partial(make, tools=tools), lines=LINES, scenario=SCENARIO)


if __name__ == "__main__":
    main()
