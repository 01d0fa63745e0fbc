"""kill -9 of the process that serves calls: how long callers hear nothing, and what is lost.

Two servers share a store. The one that has the calls is killed, in mid-answer of some and in
mid-question of others, and the clients go on with the other. The provider is the emulator, in this
process.
"""

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.table import Table

from crossfade.audio.pcm import SAMPLE_BYTES, duration_ms
from crossfade.audio.resample import resample
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.offline.synthesiser import synthesiser_available
from crossfade.pipelines.demo import demo_line
from crossfade.transports.script import AfterSilence
from crossfade.transports.websocket_client import CallClient

from .takeover_call import (
    BUFFERED_S,
    MICROPHONE_HZ,
    PROVIDER_HZ,
    Caller,
    Kill,
    Moment,
    client,
    compare,
    overlap,
)
from .takeover_processes import ServerProcess

GOAL_SILENCE_P95_MS = 2000.0
GOAL_LOST_MS = 200.0
STORY = (
    "Once upon a time there was a keeper of a lighthouse who lived on an island far out at sea. "
    "Every evening he climbed the stairs of his tower and lit the lamp, so that all ships would "
    "find their way home through the dark and stormy night. One day the lamp broke, and he rowed "
    "to the shore in his little boat to fetch another. When he came back, the moon had risen."
)
_SCENARIO = f"turns:\n  - on: speech\n    hear: tell me a story\n    say: {STORY}\n"
_INTO_S = (0.3, 1.5)
"""So far into questions of 1.8 s, and into answers, the server is killed."""
_LISTEN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverResult:
    """All kills of one kind at one store."""

    store: str
    moment: Moment
    kills: Sequence[Kill]
    calls_at_once: int

    def percentile(self, percent: float) -> float:
        """Of the silences, in ms."""
        return float(np.percentile([kill.silence_ms for kill in self.kills], percent))

    @property
    def worst_ms(self) -> float:
        return max(kill.silence_ms for kill in self.kills)

    @property
    def lost_ms(self) -> float:
        """Of the caller's sound, in the worst case."""
        return max(kill.lost_ms for kill in self.kills)

    @property
    def doubled_ms(self) -> float:
        return max(kill.doubled_ms for kill in self.kills)


def measure(
    stores: Mapping[str, str],
    *,
    rounds: int,
    calls: int,
    seed: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> list[TakeoverResult]:
    """Kill servers.

    Args:
        stores: URLs by name.
        rounds: How often a server is killed, at each store.
        calls: How many calls it has then of each kind.
        seed: Of the moments.
        tell: Told in a line what is being done.
    """
    chance = random.Random(seed)
    return [
        result
        for name, url in stores.items()
        for result in asyncio.run(_measure(name, url, rounds, calls, chance, tell))
    ]


async def _measure(
    name: str,
    store: str,
    rounds: int,
    calls: int,
    chance: random.Random,
    tell: Callable[[str], None],
) -> list[TakeoverResult]:
    """Kill servers at one store."""
    voice: Literal["espeak", "tone"] = "tone" if synthesiser_available() else "espeak"
    backend = ScriptedBackend(parse_scenario(_SCENARIO), voice=voice)
    kills: dict[Moment, list[Kill]] = {moment: [] for moment in Moment}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        async with OpenAIEmulator(backend, keep_audio=True) as emulator:
            story_ms = duration_ms(await backend.render(STORY), PROVIDER_HZ)
            servers = [ServerProcess(emulator.url, store, folder / "runs") for _ in range(2)]
            for server in servers:
                stack.callback(server.kill)
            for number in range(rounds):
                tell(f"{name}: kill {number + 1} of {rounds}")
                await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
                round_ = await _round(servers, emulator, calls, chance, story_ms)
                for moment, some in round_.items():
                    kills[moment] += some
                servers.reverse()
    return [
        TakeoverResult(store=name, moment=moment, kills=kills[moment], calls_at_once=calls)
        for moment in Moment
    ]


async def _round(
    servers: Sequence[ServerProcess],
    emulator: OpenAIEmulator,
    calls: int,
    chance: random.Random,
    story_ms: float,
) -> dict[Moment, list[Kill]]:
    """Kill the first server while it speaks to some callers, and listens to as many others."""
    loop = asyncio.get_running_loop()
    urls, question = [server.url for server in servers], _question()
    question_s = len(question) / SAMPLE_BYTES / MICROPHONE_HZ
    async with contextlib.AsyncExitStack() as stack:
        lines: dict[Moment, list[tuple[Caller, CallClient]]] = {moment: [] for moment in Moment}
        for moment in [*Moment] * calls:
            caller = Caller()
            made = await stack.enter_async_context(client(caller, urls))
            lines[moment].append((caller, made))
        await asyncio.gather(*(c.attached() for some in lines.values() for _, c in some))
        for _, c in lines[Moment.ANSWER]:
            c.speak(question)
        await asyncio.gather(*(caller.sound_after(0) for caller, _ in lines[Moment.ANSWER]))
        for _, c in lines[Moment.QUESTION]:
            c.speak(question)
        end_s = loop.time() + question_s
        await asyncio.sleep(chance.uniform(*_INTO_S))
        heard_ms = {c: c.speaker.heard.response_ms for _, c in lines[Moment.ANSWER]}
        killed_s = loop.time()
        servers[0].strike()
        await asyncio.to_thread(servers[0].kill)
        kills: dict[Moment, list[Kill]] = {}
        for moment, some in lines.items():
            from_s = killed_s if moment is Moment.ANSWER else max(killed_s, end_s)
            kills[moment] = [await _noticed(caller, killed_s, from_s) for caller, _ in some]
        await asyncio.sleep(_LISTEN_S)
    answers = zip(kills[Moment.ANSWER], lines[Moment.ANSWER], strict=True)
    questions = zip(kills[Moment.QUESTION], lines[Moment.QUESTION], strict=True)
    return {
        Moment.ANSWER: [
            _with_answer(kill, caller, heard_ms[c], story_ms) for kill, (caller, c) in answers
        ],
        Moment.QUESTION: [
            _with_question(kill, _taken(emulator, line[0]), question) for kill, line in questions
        ],
    }


async def _noticed(caller: Caller, killed_s: float, from_s: float) -> Kill:
    """Wait for the agent's sound after the kill."""
    sound_s = await caller.sound_after(killed_s + BUFFERED_S)
    return Kill(
        silence_ms=1000 * (sound_s - from_s), attached_ms=1000 * (caller.ready[-1] - killed_s)
    )


def _taken(emulator: OpenAIEmulator, caller: Caller) -> bytes:
    """The caller's question as the provider took it."""
    heard = [session.user_audio for session in emulator.sessions]
    turns = [turn for audio in heard if audio is not None for turn in audio.turns]
    return b"".join(turn.pcm for turn in turns if turn.name == caller.question_id)


def _with_question(kill: Kill, taken: bytes, question: bytes) -> Kill:
    lost_ms, doubled_ms = compare(question, taken)
    return replace(kill, lost_ms=lost_ms, doubled_ms=doubled_ms)


def _with_answer(kill: Kill, caller: Caller, heard_ms: float, story_ms: float) -> Kill:
    rest = list(caller.responses.values())[-1]
    repeated_ms, missing_ms = overlap(heard_ms, rest, STORY, story_ms)
    return replace(kill, repeated_ms=repeated_ms, missing_ms=missing_ms)


def _question() -> bytes:
    sound = demo_line("weather_tokyo", AfterSilence(after_s=0)).sound
    return resample(sound.pcm, sound.rate_hz, MICROPHONE_HZ)


def table(results: Sequence[TakeoverResult]) -> Table:
    """The results for the terminal."""
    shown = Table(title="Server killed (SIGKILL); the client goes on with another")
    for column in (
        "store",
        "killed",
        "kills × calls",
        "silence p50",
        "p95",
        "worst",
        "caller lost",
        "doubled",
        "answer lost",
        "repeated",
    ):
        shown.add_column(column, justify="left" if column in ("store", "killed") else "right")
    for result in results:
        missing_ms = max(kill.missing_ms for kill in result.kills)
        repeated_ms = float(np.median([kill.repeated_ms for kill in result.kills]))
        rounds = len(result.kills) // result.calls_at_once
        shown.add_row(
            result.store,
            result.moment.value,
            f"{rounds} × {result.calls_at_once}",
            f"{result.percentile(50):.0f} ms",
            f"{result.percentile(95):.0f} ms",
            f"{result.worst_ms:.0f} ms",
            f"{result.lost_ms:.0f} ms",
            f"{result.doubled_ms:.0f} ms",
            f"{missing_ms:.0f} ms",
            f"{repeated_ms:.0f} ms",
        )
    return shown


def content(results: Sequence[TakeoverResult]) -> dict[str, Any]:
    """The results for a file."""
    return {
        "measurement": "from SIGKILL of the serving process (in mid-question: from the end of the "
        "question, if that is later) to the agent's sound at the client; and the caller's sound "
        "as the provider took it in the end, against what was spoken",
        "goal_silence_p95_ms": GOAL_SILENCE_P95_MS,
        "goal_lost_ms": GOAL_LOST_MS,
        "results": [
            {
                "store": result.store,
                "moment": result.moment.value,
                "calls_at_once": result.calls_at_once,
                "silence_p50_ms": round(result.percentile(50), 1),
                "silence_p95_ms": round(result.percentile(95), 1),
                "silence_max_ms": round(result.worst_ms, 1),
                "lost_max_ms": round(result.lost_ms, 2),
                "doubled_max_ms": round(result.doubled_ms, 2),
                "kills": [asdict(kill) for kill in result.kills],
            }
            for result in results
        ],
    }


__all__ = ["GOAL_LOST_MS", "GOAL_SILENCE_P95_MS", "TakeoverResult", "content", "measure", "table"]
