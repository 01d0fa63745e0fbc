"""Spoken requests to the embedded cascade: how many end in the right tool with the right arguments,
and whether unrelated human speech calls one."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from crossfade.audio.pcm import silence
from crossfade.errors import SettingsError
from crossfade.offline.flite_voice import FliteVoice
from crossfade.offline.recogniser import Recogniser
from crossfade.offline.responder import Responder
from crossfade.offline.synthesiser import Synthesiser
from crossfade.pipelines.embedded_speech import declarations
from crossfade.pipelines.sample_tools import get_weather
from crossfade.processors.embedded_llm import EmbeddedLLM

from .prompts import RATE_HZ as PROMPTS_HZ
from .prompts import first_prompts
from .spoken_requests import HELD_OUT, LIGHT, REQUESTS, TABLE, WIDER, Request, requests

GOAL = 0.95
FLITE = ("slt", "rms", "awb", "kal16")
ESPEAK = ("en-us", "en-us+f3")
KNOWN, OTHERS = "known", "held out"
LISTED = 12
"""So many that went wrong are shown."""
_LEAD_IN_MS, _END_MS = 300.0, 200.0

Speak = Callable[[str], AsyncIterator[bytes]]


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
    kind: str
    """Which requests: those of the beginning, wider ones, or held out."""
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
        """Whether every voice but espeak-ng's is understood, those requests that nothing was tuned
        by in the mean of the voices, and no prompt calls a tool."""
        clear = [spoken for spoken in self.voices if spoken.voice.startswith("flite")]
        known = [spoken.share for spoken in clear if spoken.kind == KNOWN]
        others = [spoken.share for spoken in clear if spoken.kind == OTHERS]
        in_all = not others or sum(others) / len(others) >= GOAL
        return not self.prompt_calls and in_all and all(share >= GOAL for share in known)


async def measure(count: int = REQUESTS, prompts: int = 100) -> Understanding:
    """Speak the requests in every voice there is, and play the prompts.

    Raises:
        SettingsError: There is no recogniser, or no voice.
    """
    tools = [*declarations([get_weather.declaration]), LIGHT, TABLE]
    brain = EmbeddedLLM(Responder)
    asked = {KNOWN: requests(count), "wider": WIDER, OTHERS: HELD_OUT}
    voices = []
    async with Recogniser(Responder(tools).sentences()) as recogniser:
        ear = _Ear(recogniser, brain, tools)
        async for name, rate_hz, speak in _voices():
            voices += [
                await _spoken(ear, name, rate_hz, speak, kind, some[:count])
                for kind, some in asked.items()
            ]
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
        return heard, _told([(call.name, call.arguments) for call in reply.tool_calls])


async def _spoken(
    ear: _Ear, name: str, rate_hz: int, speak: Speak, kind: str, asked: Sequence[Request]
) -> Spoken:
    missed = []
    for request in asked:
        pcm = b"".join([chunk async for chunk in speak(request.text)])
        heard, called = await ear.hear(pcm, rate_hz)
        if called != _told([(request.tool, arguments) for arguments in request.calls]):
            missed.append(Missed(said=request.text, heard=heard, called=called))
    return Spoken(
        voice=name,
        kind=kind,
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


def _told(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    return "; ".join(f"{name} {dict(sorted(arguments.items()))}" for name, arguments in calls)


def table(found: Understanding) -> Table:
    """The result for people."""
    shown = Table(
        title="Spoken requests that end in the right tool with the right arguments", min_width=60
    )
    for column in ("", "requests", "right", "wrong tool or value"):
        shown.add_column(column, justify="right" if column else "left")
    for spoken in found.voices:
        shown.add_row(
            spoken.voice,
            spoken.kind,
            f"{spoken.right} of {spoken.requests} ({spoken.share:.0%})",
            str(spoken.wrong_tool),
        )
    shown.add_section()
    shown.add_row(f"{found.prompts} unrelated human prompts", "", "", str(len(found.prompt_calls)))
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
        "shares": {
            f"{spoken.voice}, {spoken.kind}": round(spoken.share, 3) for spoken in found.voices
        },
        "held": found.held,
        **asdict(found),
    }
