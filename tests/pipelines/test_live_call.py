"""A person at the microphone: a human recording into a card that is not there."""

import asyncio
import functools
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossfade.audio.energy import sound_spans
from crossfade.audio.resample import resample
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost, SettingsError
from crossfade.pipelines import live_caller
from crossfade.pipelines.live_caller import Meter
from crossfade.pipelines.live_options import LiveSettings, live_or_none
from crossfade.pipelines.native_call import run_native
from crossfade.pipelines.recorded_call import Outcome
from crossfade.pipelines.settings import NativeSettings
from crossfade.transports.keyboard import keys_of_terminal
from crossfade.transports.level_meter import LevelMeter
from crossfade.transports.push_to_talk import TalkKey
from tests.clock import run
from tests.pipelines.serving import STORY, question, scripted
from tests.transports.sound_cards import SoundCards

TALK = f"""
turns:
  - on: speech
    say: {STORY}
  - on: speech
    say: You are welcome.
"""
Terminal = Callable[[str], None]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SoundCards:
    found = SoundCards()
    monkeypatch.setattr(live_caller, "sound_library", lambda: found)
    return found


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Presses keys of the terminal in which the command runs."""
    master, slave = os.openpty()
    keys = functools.partial(keys_of_terminal, number=slave)
    monkeypatch.setattr(live_caller, "keys_of_terminal", keys)

    def press(keys: str) -> None:
        os.write(master, keys.encode())

    yield press
    os.close(master)
    os.close(slave)


def asked() -> bytes:
    return resample(question(), 16000, 48000)


@asynccontextmanager
async def talking(
    folder: Path, *, scenario: str = TALK, **live: Any
) -> AsyncIterator[tuple["asyncio.Task[Outcome]", OpenAIEmulator, list[str]]]:
    """The command, from when it hears."""
    told: list[str] = []
    recorded = asyncio.Event()

    def announce(line: str) -> None:
        told.append(line)
        if line.startswith("The call is recorded"):
            recorded.set()

    async with OpenAIEmulator(scripted(folder, scenario)) as emulator:
        settings = NativeSettings(
            base_url=emulator.url,
            runs=folder / "runs",
            live=LiveSettings(microphone=True, **live),
        )
        task = asyncio.create_task(
            run_native(settings, announce=announce, listener=lambda event: None, meter=Meter())
        )
        await recorded.wait()
        yield task, emulator, told


def transcript(folder: Path) -> list[Mapping[str, Any]]:
    (path,) = (folder / "runs").glob("*/transcript.json")
    turns: list[Mapping[str, Any]] = json.loads(path.read_text())["turns"]
    return turns


def test_a_person_talks_interrupts_and_hangs_up_by_ctrl_c(tmp_path: Path, card: SoundCards) -> None:
    async def scenario() -> None:
        async with talking(tmp_path) as (task, emulator, told):
            assert "warning: Built-in Speakers may be a loudspeaker" in "".join(told)
            await asyncio.sleep(1)
            card.say(asked())
            await asyncio.sleep(4.5)
            blocks = len(card.sounded)
            assert sound_spans(card.played(), 48000)
            # Into the answer.
            card.say(asked())
            await asyncio.sleep(1.2)
            assert len(card.sounded) > blocks
            assert not any(any(pcm) for _, pcm in card.sounded[-20:])
            await asyncio.sleep(5)
            os.kill(os.getpid(), signal.SIGINT)
            async with asyncio.timeout(3):
                outcome = await task
            assert outcome.summary is not None
        told_turns = transcript(tmp_path)
        assert [turn["role"] for turn in told_turns] == ["user", "agent", "user", "agent"]
        assert [turn["text"] for turn in told_turns if turn["role"] == "agent"][1].startswith("You")
        cut = told_turns[1]
        assert cut["interrupted"]
        assert 0 < cut["items"][0]["played_ms"] < 3000
        (truncate,) = emulator.sessions[0].received.of("conversation.item.truncate")
        assert truncate["audio_end_ms"] == pytest.approx(cut["items"][0]["played_ms"], abs=1)

    run(scenario())


def test_the_key_makes_the_turns(tmp_path: Path, card: SoundCards, terminal: Terminal) -> None:
    async def scenario() -> None:
        async with talking(tmp_path, push_to_talk=True) as (task, emulator, told):
            assert not any(line.startswith("warning") for line in told)
            card.say(asked())
            await asyncio.sleep(4)
            assert not emulator.sessions[0].received.of("input_audio_buffer.append")
            terminal(" ")
            await asyncio.sleep(0.1)
            card.say(asked())
            await asyncio.sleep(6)
            # However long the pause is: the key is down.
            assert not emulator.sessions[0].received.of("input_audio_buffer.commit")
            terminal("x ")
            await asyncio.sleep(0.5)
            assert len(emulator.sessions[0].received.of("input_audio_buffer.commit")) == 1
            await asyncio.sleep(2)
            assert sound_spans(card.played(), 48000)
            # The key silences the agent, too.
            terminal(" ")
            await asyncio.sleep(0.5)
            assert not any(any(pcm) for _, pcm in card.sounded[-20:])
            terminal(" ")
            await asyncio.sleep(4)
            os.kill(os.getpid(), signal.SIGINT)
            await task
        roles = [turn["role"] for turn in transcript(tmp_path)]
        assert roles == ["user", "agent", "user", "agent"]

    run(scenario())


def test_a_card_that_is_lost_ends_the_call_and_its_record_is_whole(
    tmp_path: Path, card: SoundCards
) -> None:
    async def scenario() -> None:
        async with talking(tmp_path) as (task, _, _):
            card.say(asked())
            await asyncio.sleep(4)
            card.disconnect()
            with pytest.raises(ConnectionLost, match="was it disconnected"):
                await task
        assert [turn["role"] for turn in transcript(tmp_path)] == ["user", "agent"]

    run(scenario())


def test_the_meter_shows_what_there_is_to_see() -> None:
    meter = Meter()
    assert meter.line() == ""
    meter.level = LevelMeter()
    meter.level.note((np.sin(np.arange(320)) * 20000).astype("<i2").tobytes())
    assert meter.line().startswith("mic ████")
    meter.key = TalkKey()
    assert "space bar" in meter.line()
    meter.key.press(1.0)
    assert "hears you" in meter.line()
    for _ in range(200):
        meter.level.note(bytes(640))
    assert "is it muted" in meter.line()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"input_device": "x"}, "for --microphone"),
        ({"push_to_talk": True}, "for --microphone"),
        ({"room": "x"}, "go together"),
        ({"livekit": "wss://x"}, "go together"),
    ],
)
def test_options_that_do_not_fit_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        LiveSettings(**options)


def test_one_place_is_asked_for() -> None:
    assert live_or_none(LiveSettings(), scripted=1) is None
    with pytest.raises(SettingsError, match="who talks"):
        live_or_none(LiveSettings(), scripted=0)
    with pytest.raises(SettingsError, match="who talks"):
        live_or_none(LiveSettings(microphone=True), scripted=1)
    with pytest.raises(SettingsError, match="who talks"):
        live_or_none(LiveSettings(microphone=True, daily="https://x"), scripted=0)


@pytest.mark.parametrize("given", [None, io.StringIO()])
def test_without_a_standard_input_there_are_no_keys(
    given: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", given)
    with (
        pytest.raises(SettingsError, match="needs a terminal"),
        keys_of_terminal(lambda key: None),
    ):
        pass


def test_without_a_terminal_there_are_no_keys() -> None:
    async def scenario() -> None:
        reads, writes = os.pipe()
        with (
            pytest.raises(SettingsError, match="needs a terminal"),
            keys_of_terminal(lambda key: None, number=reads),
        ):
            pass
        os.close(reads)
        os.close(writes)

    run(scenario())
