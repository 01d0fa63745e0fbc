"""Spoken requests to the embedded cascade: how many end in the right tool with the right arguments,
and whether unrelated human speech calls one."""

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from crossfade.audio.pcm import silence
from crossfade.errors import SettingsError
from crossfade.offline.flite_voice import FliteVoice
from crossfade.offline.recogniser import Recogniser
from crossfade.offline.responder import Responder
from crossfade.offline.slots import CITIES
from crossfade.offline.synthesiser import Synthesiser
from crossfade.pipelines.embedded_speech import declarations
from crossfade.pipelines.sample_tools import get_weather
from crossfade.processors.embedded_llm import EmbeddedLLM

from .prompts import RATE_HZ as PROMPTS_HZ
from .prompts import first_prompts

REQUESTS = 70
GOAL = 0.95
FLITE = ("slt", "rms", "awb", "kal16")
ESPEAK = ("en-us", "en-us+f3")
LISTED = 12
"""So many that went wrong are shown."""
_SEED = 8
_LEAD_IN_MS, _END_MS = 300.0, 200.0

LIGHT = {
    "name": "turn_on_light",
    "description": "Switch on the light of a room",
    "parameters": {
        "type": "object",
        "properties": {
            "room": {"type": "string", "enum": ["kitchen", "living_room", "bedroom", "hall"]},
            "brightness": {"type": "integer"},
        },
        "required": ["room"],
    },
}
TABLE = {
    "name": "book_table",
    "description": "Book a table at the restaurant",
    "parameters": {
        "type": "object",
        "properties": {"guests": {"type": "integer"}, "day": {"type": "string"}},
        "required": ["guests", "day"],
    },
}
# Most of these the rules tell the recogniser to expect, but for what stands around them in the last
# and before "please".
_WEATHER = (
    "What is the weather in {}?", "What's the weather like in {}?", "How warm is it in {}?",
    "Is it raining in {}?", "Tell me the weather in {}.", "How cold is it in {}?",
    "Do I need an umbrella in {}?", "What is the temperature in {}?",
    "Could you tell me the weather in {}, please?", "I would like to know the weather in {}.",
    "Please check the weather in {}.", "Hello, what is the weather in {} today?",
)  # fmt: skip
_OTHERS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("Turn on the kitchen light.", "turn_on_light", {"room": "kitchen"}),
    ("Please turn on the light in the bedroom.", "turn_on_light", {"room": "bedroom"}),
    ("Can you turn on the light in the hall?", "turn_on_light", {"room": "hall"}),
    ("Switch on the light in the living room.", "turn_on_light", {"room": "living_room"}),
    ("Turn on the bedroom light, please.", "turn_on_light", {"room": "bedroom"}),
    ("Book a table for four on Friday.", "book_table", {"guests": 4, "day": "friday"}),
    ("Book a table for two tomorrow.", "book_table", {"guests": 2, "day": "tomorrow"}),
    ("I want to book a table for six tonight.", "book_table", {"guests": 6, "day": "tonight"}),
    ("Can you book a table for eight on Sunday?", "book_table", {"guests": 8, "day": "sunday"}),
    ("Please book a table for three on Monday.", "book_table", {"guests": 3, "day": "monday"}),
)  # fmt: skip

Speak = Callable[[str], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is said, and what it shall call."""

    text: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A request that went wrong."""

    said: str
    heard: str
    called: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The requests in one voice."""

    voice: str
    requests: int
    right: int
    wrong_tool: int
    """A tool was called, and not as it was said."""
    missed: Sequence[Missed]

    @property
    def share(self) -> float:
        return self.right / self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """What was measured."""

    voices: Sequence[Spoken]
    prompts: int
    """Unrelated human prompts that were heard; 0 where they are not installed."""
    prompt_calls: Sequence[Missed]
    """Those that called a tool."""

    @property
    def held(self) -> bool:
        """Whether every voice but espeak-ng's is understood, and no prompt calls a tool."""
        clear = [spoken for spoken in self.voices if spoken.voice.startswith("flite")]
        return not self.prompt_calls and all(spoken.share >= GOAL for spoken in clear)


def requests(count: int = REQUESTS) -> list[Request]:
    """Requests of the domain: the sample tool with each of many cities, and two other tools."""
    cities = list(CITIES)
    random.Random(_SEED).shuffle(cities)
    weather = [
        Request(
            text=_WEATHER[at % len(_WEATHER)].format(city),
            tool="get_weather",
            arguments={"city": city},
        )
        for at, city in enumerate(cities[: count - len(_OTHERS)])
    ]
    others = [Request(text=text, tool=tool, arguments=a) for text, tool, a in _OTHERS]
    return [*weather, *others][:count]


async def measure(count: int = REQUESTS, prompts: int = 100) -> Understanding:
    """Speak the requests in every voice there is, and play the prompts.

    Raises:
        SettingsError: There is no recogniser, or no voice.
    """
    tools = [*declarations([get_weather.declaration]), LIGHT, TABLE]
    brain = EmbeddedLLM(Responder)
    asked = requests(count)
    voices = []
    async with Recogniser(Responder(tools).sentences()) as recogniser:
        ear = _Ear(recogniser, brain, tools)
        async for name, rate_hz, speak in _voices():
            voices.append(await _spoken(ear, name, rate_hz, speak, asked))
        human = _human(prompts)
        called = [
            Missed(said=name, heard=heard, called=call)
            for name, pcm in human
            for heard, call in [await ear.hear(pcm, PROMPTS_HZ)]
            if call
        ]
    if not voices:
        raise SettingsError("no voice speaks here; install crossfade[offline] or flite")
    return Understanding(voices=voices, prompts=len(human), prompt_calls=called)


class _Ear:
    """The embedded recogniser and brain, as the cascade has them."""

    def __init__(
        self, recogniser: Recogniser, brain: EmbeddedLLM, tools: list[dict[str, Any]]
    ) -> None:
        self._recogniser, self._brain, self._tools = recogniser, brain, tools

    async def hear(self, pcm: bytes, rate_hz: int) -> tuple[str, str]:
        """What is made out of some sound, and the calls that follow from it, if any."""
        padded = silence(_LEAD_IN_MS, rate_hz) + pcm + silence(_END_MS, rate_hz)
        heard = (await self._recogniser.transcribe(padded, rate_hz)).text
        reply = self._brain.reply([{"role": "user", "content": heard}], self._tools)
        return heard, _told(reply.tool_calls)


async def _spoken(
    ear: _Ear, name: str, rate_hz: int, speak: Speak, asked: Sequence[Request]
) -> Spoken:
    missed = []
    for request in asked:
        pcm = b"".join([chunk async for chunk in speak(request.text)])
        heard, called = await ear.hear(pcm, rate_hz)
        if called != _told([request]):
            missed.append(Missed(said=request.text, heard=heard, called=called))
    return Spoken(
        voice=name,
        requests=len(asked),
        right=len(asked) - len(missed),
        wrong_tool=sum(bool(each.called) for each in missed),
        missed=missed,
    )


async def _voices() -> AsyncIterator[tuple[str, int, Speak]]:
    """Every voice of this machine, with its rate."""
    for name in FLITE:
        with contextlib.suppress(SettingsError):
            async with FliteVoice(name) as flite:
                yield f"flite {name}", flite.rate_hz, flite.speak
    for name in ESPEAK:
        with contextlib.suppress(SettingsError):
            async with Synthesiser(16000, name) as espeak:
                yield f"espeak-ng {name}", espeak.rate_hz, espeak.speak


def _human(count: int) -> list[tuple[str, bytes]]:
    """Human prompts, where the system has them."""
    if not count:
        return []
    try:
        return [(prompt.name, prompt.pcm) for prompt in first_prompts(count)]
    except SettingsError:
        return []


def _told(calls: Sequence[Any]) -> str:
    def name(call: Any) -> str:
        return call.tool if isinstance(call, Request) else str(call.name)

    return "; ".join(f"{name(call)} {dict(sorted(call.arguments.items()))}" for call in calls)


def table(found: Understanding) -> Table:
    """The result for people."""
    shown = Table(
        title="Spoken requests that end in the right tool with the right arguments", min_width=60
    )
    for column in ("", "right", "wrong tool or value"):
        shown.add_column(column, justify="right" if column else "left")
    for spoken in found.voices:
        shown.add_row(
            spoken.voice,
            f"{spoken.right} of {spoken.requests} ({spoken.share:.0%})",
            str(spoken.wrong_tool),
        )
    shown.add_section()
    shown.add_row(f"{found.prompts} unrelated human prompts", "", str(len(found.prompt_calls)))
    return shown


def problems(found: Understanding) -> list[str]:
    """What went wrong, in lines; of espeak-ng's voices, which it is not made for, the first."""
    return [
        f"{spoken.voice}: {each.said} was heard as “{each.heard}”: {each.called or 'no call'}"
        for spoken in found.voices
        for each in spoken.missed[:LISTED]
    ] + [
        f"{each.said} called {each.called}, heard as “{each.heard}”" for each in found.prompt_calls
    ]


def content(found: Understanding) -> dict[str, Any]:
    """The result for JSON."""
    return {
        "measurement": "spoken requests through the embedded recogniser and rules, in every voice "
        "of the machine, and unrelated human prompts",
        "goals": {"share": GOAL, "prompt_calls": 0},
        "shares": {spoken.voice: round(spoken.share, 3) for spoken in found.voices},
        "held": found.held,
        **asdict(found),
    }
