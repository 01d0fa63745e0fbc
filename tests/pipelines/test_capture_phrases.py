"""Phrases that the wire of a call does not show, kept and given again."""

import asyncio
from pathlib import Path

from crossfade.observability.capture import CAPTURE, Capture
from crossfade.observability.capture_file import CapturedCall, read_capture
from crossfade.pipelines.capture_phrases import CapturedStore
from crossfade.pipelines.replay_phrases import ReplayedStore
from crossfade.processors.phrase_rendering import Rendering
from crossfade.processors.phrases import PhraseStore, Voice
from tests.clock import run

VOICE = Voice(provider="p", model="m", name="n", rate_hz=24000)
# A tenth of a second of a square wave: something to be heard.
LOUD = (b"\x00\x40" * 40 + b"\x00\xc0" * 40) * 30


async def render(text: str) -> Rendering:
    return Rendering(pcm=LOUD, words=text, complete=True)


async def never(text: str) -> Rendering:
    raise AssertionError(f"{text} was to come from the capture")


def captured(folder: Path, store: PhraseStore, *, beside: bool) -> CapturedCall:
    """A call that wants one phrase."""

    async def scenario() -> None:
        kept = Capture(folder / CAPTURE, now_s=asyncio.get_running_loop().time)
        phrases = CapturedStore(store, kept, beside=beside)
        await phrases.make(VOICE, "One moment.", render)
        assert phrases.find(VOICE, "One moment.")
        kept.close()

    run(scenario())
    return read_capture(folder)


def test_a_phrase_that_was_kept_already_is_there_from_the_start(tmp_path: Path) -> None:
    store = PhraseStore(None)
    run(store.make(VOICE, "One moment.", render))
    call = captured(tmp_path, store, beside=True)
    assert [record.fields["made"] for record in call.of("phrase")] == [False]
    again = ReplayedStore(call)
    run(again.make(VOICE, "One moment.", never))
    assert again.find(VOICE, "One moment.") == store.find(VOICE, "One moment.")


def test_a_phrase_that_a_session_of_its_own_made_comes_when_it_came(tmp_path: Path) -> None:
    call = captured(tmp_path, PhraseStore(None), beside=False)
    (record,) = call.of("phrase")
    assert record.fields["made"]

    async def scenario() -> bytes | None:
        again = ReplayedStore(call)
        making = asyncio.create_task(again.make(VOICE, "One moment.", never))
        await asyncio.sleep(1)
        assert not making.done()
        assert again.find(VOICE, "One moment.") is None
        again.release(record)
        await making
        return again.find(VOICE, "One moment.")

    assert run(scenario()) == record.sound


def test_a_phrase_that_the_wire_shows_is_made_on_it_again(tmp_path: Path) -> None:
    call = captured(tmp_path, PhraseStore(None), beside=True)
    assert not list(call.of("phrase"))

    async def scenario() -> bytes | None:
        again = ReplayedStore(call)
        await again.make(VOICE, "One moment.", render)
        return again.find(VOICE, "One moment.")

    assert run(scenario())
