"""Prompts of human speech against the OpenAI emulator: does it hear one turn in each?

The first prompts of four or more words of the Debian packages asterisk-core-sounds-en and
asterisk-core-sounds-en-wav, spoken by sessions at once with a pause between them.

    python -m crossfade.benchmarks.prompts --count 100 --sessions 10 --silence-ms 900
"""

import argparse
import asyncio
import gzip
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pybase64
from websockets.asyncio.client import connect

from crossfade.audio.pcm import duration_ms, silence
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.observability.virtual_time import run_virtual

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
RATE_HZ = 24_000
PAUSE_MS = 1500
_LEAST_WORDS = 4
_FRAME_BYTES = RATE_HZ * 2 // 50
_FRAME_S = 0.02
_LINE = re.compile(r"([\w/-]+):\s*([^\s\[;].*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One recording."""

    name: str
    pcm: bytes
    """s16le at 24 kHz."""

    @property
    def length_ms(self) -> float:
        return duration_ms(self.pcm, RATE_HZ)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCount:
    """How many turns were heard in the prompts of one run."""

    prompts: int
    turns: int
    lost: Sequence[str]
    """Prompts in which no turn was heard."""
    split: Sequence[str]
    """Prompts in which more than one was, once for each that is too many."""
    joined: int
    """Turns that reach over more than one prompt."""


def first_prompts(count: int, sounds: Path = SOUNDS, texts: Path = TEXTS) -> list[Prompt]:
    """The first prompts of four or more words, by file name.

    Raises:
        SettingsError: The packages are not installed.
    """
    try:
        lines = gzip.decompress(texts.read_bytes()).decode().splitlines()
    except OSError as error:
        raise SettingsError(
            f"cannot read {texts}: {error.strerror}; install asterisk-core-sounds-en"
        ) from error
    spoken = {found[1]: found[2] for line in lines if (found := _LINE.fullmatch(line))}
    names = sorted(name for name, text in spoken.items() if len(text.split()) >= _LEAST_WORDS)
    chosen: list[Prompt] = []
    for name in names[:count]:
        sound = read_sound(sounds / f"{name}.wav")
        chosen.append(Prompt(name=name, pcm=resample(sound.pcm, sound.rate_hz, RATE_HZ)))
    return chosen


async def count_turns(
    prompts: Sequence[Prompt], *, sessions: int, silence_duration_ms: int
) -> PromptCount:
    """Speak prompts to an emulator, dealt out to sessions at once; run it on the virtual clock.

    Args:
        prompts: What is spoken.
        sessions: How many speak at once.
        silence_duration_ms: What ends a turn.
    """
    async with OpenAIEmulator() as emulator:
        calls = [
            _call(emulator.url, prompts[number::sessions], silence_duration_ms)
            for number in range(sessions)
        ]
        counts = await asyncio.gather(*calls)
    return PromptCount(
        prompts=sum(count.prompts for count in counts),
        turns=sum(count.turns for count in counts),
        lost=[name for count in counts for name in count.lost],
        split=[name for count in counts for name in count.split],
        joined=sum(count.joined for count in counts),
    )


async def _call(url: str, prompts: Sequence[Prompt], silence_duration_ms: int) -> PromptCount:
    """One session that speaks prompts at the pace of speech."""
    turns: list[tuple[int, int]] = []
    headers = {"Authorization": "Bearer sk-test"}
    async with connect(
        f"{url}?model=gpt-realtime", additional_headers=headers, compression=None
    ) as line:
        listening = asyncio.create_task(_listen(line, turns))
        detection = {
            "type": "server_vad",
            "silence_duration_ms": silence_duration_ms,
            "create_response": False,
        }
        update = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        await line.send(orjson.dumps({"type": "session.update", "session": update}).decode())
        spans: list[tuple[str, float, float]] = []
        sound = bytearray(silence(PAUSE_MS, RATE_HZ))
        for prompt in prompts:
            start_ms = duration_ms(bytes(sound), RATE_HZ)
            spans.append((prompt.name, start_ms, start_ms + prompt.length_ms))
            sound += prompt.pcm + silence(PAUSE_MS, RATE_HZ)
        for at in range(0, len(sound), _FRAME_BYTES):
            audio = pybase64.b64encode(bytes(sound[at : at + _FRAME_BYTES])).decode()
            await line.send(f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}')
            await asyncio.sleep(_FRAME_S)
        await asyncio.sleep(1)
        listening.cancel()
    return _judged(spans, turns)


async def _listen(line: Any, turns: list[tuple[int, int]]) -> None:
    started = 0
    async for message in line:
        event = orjson.loads(message)
        if event["type"] == "input_audio_buffer.speech_started":
            started = event["audio_start_ms"]
        elif event["type"] == "input_audio_buffer.speech_stopped":
            turns.append((started, event["audio_end_ms"]))


def _judged(
    spans: Sequence[tuple[str, float, float]], turns: Sequence[tuple[int, int]]
) -> PromptCount:
    heard = [
        [name for name, start, end in spans if began < end and ended > start]
        for began, ended in turns
    ]
    times = {name: sum(name in names for names in heard) for name, _, _ in spans}
    return PromptCount(
        prompts=len(spans),
        turns=len(turns),
        lost=[name for name, count in times.items() if not count],
        split=[name for name, count in times.items() for _ in range(count - 1)],
        joined=sum(len(names) > 1 for names in heard),
    )


def main() -> None:
    """Run from the command line; prints one JSON object."""
    parser = argparse.ArgumentParser(description="Turns heard in prompts of human speech.")
    parser.add_argument("--count", type=int, default=100, help="prompts")
    parser.add_argument("--sessions", type=int, default=10, help="sessions at once")
    parser.add_argument("--silence-ms", type=int, default=900, help="what ends a turn")
    parser.add_argument("--sounds", type=Path, default=SOUNDS, help="folder of the WAV files")
    parser.add_argument("--texts", type=Path, default=TEXTS, help="gzipped list of their texts")
    chosen = parser.parse_args()
    prompts = first_prompts(chosen.count, chosen.sounds, chosen.texts)
    started_s = time.process_time()
    work = count_turns(prompts, sessions=chosen.sessions, silence_duration_ms=chosen.silence_ms)
    count = run_virtual(work, timeout_s=7200)
    result = {
        "silence_duration_ms": chosen.silence_ms,
        "prompts": count.prompts,
        "spoken_s": round(sum(prompt.length_ms for prompt in prompts) / 1000, 1),
        "turns": count.turns,
        "lost": list(count.lost),
        "split": list(count.split),
        "joined": count.joined,
        "cpu_s": round(time.process_time() - started_s, 1),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
