import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.pcm import bytes_for, duration_ms
from crossfade.errors import ProviderFault, SettingsError
from crossfade.offline import synthesiser
from crossfade.offline.espeak_worker import run_program
from crossfade.offline.framing import Message
from crossfade.offline.synthesiser import Synthesiser, synthesiser_available

pytestmark = pytest.mark.realtime
needs_espeak = pytest.mark.skipif(
    synthesiser_available() is not None, reason=str(synthesiser_available())
)
TEXT = "It's 18 degrees in Tokyo. Is that - perhaps - enough?"


@needs_espeak
@pytest.mark.parametrize("rate_hz", [16000, 24000])
def test_a_text_is_spoken_with_the_times_of_its_words(rate_hz: int) -> None:
    async def main() -> None:
        async with Synthesiser(rate_hz) as voice:
            sound = await voice.render(TEXT)
        assert sound.rate_hz == rate_hz
        assert 2500 < duration_ms(sound.pcm, rate_hz) < 6000
        assert rms_dbfs(sound.pcm) > -30
        assert [word.text for word in sound.words] == TEXT.split()
        times = [word.at_ms for word in sound.words]
        assert times == sorted(times)
        assert 1000 < times[5] < duration_ms(sound.pcm, rate_hz)

    asyncio.run(main())


@needs_espeak
def test_it_streams_chunks_of_40_ms() -> None:
    async def main() -> None:
        async with Synthesiser(24000) as voice:
            chunks = [chunk async for chunk in voice.speak("Hello there.")]
        assert {len(chunk) for chunk in chunks[:-1]} == {bytes_for(40, 24000)}
        assert all(len(chunk) % 2 == 0 for chunk in chunks)

    asyncio.run(main())


@needs_espeak
def test_a_cancelled_speaker_does_not_disturb_the_next() -> None:
    async def main() -> None:
        async with Synthesiser(24000) as voice:
            alone = duration_ms((await voice.render("Goodbye.")).pcm, 24000)
            for turns in range(6):
                speaking = asyncio.create_task(voice.render("One. Two. Three. Four. " * 10))
                for _ in range(turns):
                    await asyncio.sleep(0)
                speaking.cancel()
                next_ms = duration_ms((await voice.render("Goodbye.")).pcm, 24000)
                assert next_ms == pytest.approx(alone, rel=0.1)
                await asyncio.wait([speaking])

    asyncio.run(main())


@needs_espeak
def test_several_speak_at_once() -> None:
    async def main() -> None:
        async with Synthesiser(16000) as voice:
            texts = ["One.", "Two words.", "And here are three of them."]
            sounds = await asyncio.gather(*map(voice.render, texts))
        assert [len(sound.words) for sound in sounds] == [1, 2, 6]

    asyncio.run(main())


@needs_espeak
def test_if_the_child_is_killed_another_goes_on() -> None:
    async def main() -> None:
        async with Synthesiser(24000) as voice:
            kill_child(voice)
            assert (await voice.render("Hello.")).pcm

    asyncio.run(main())


@needs_espeak
def test_an_unknown_voice_is_named_and_no_child_stays() -> None:
    async def main() -> None:
        voice = Synthesiser(24000, "zz-nobody")
        with pytest.raises(ProviderFault, match="zz-nobody"):
            await voice.__aenter__()
        assert child_of(voice) is None

    asyncio.run(main())


@needs_espeak
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's pidfd_open")
def test_the_child_ends_when_its_parent_dies() -> None:
    program = """
import asyncio, os
from crossfade.offline.synthesiser import Synthesiser

async def main():
    voice = Synthesiser()
    await voice.__aenter__()
    print(voice._worker._child._process.pid, flush=True)
    input()
    os._exit(9)

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        child = os.pidfd_open(int(parent.stdout.readline()))
        assert select.select([child], [], [], 0)[0] == [], "it does not run"
        parent.communicate(b"\n")
    assert select.select([child], [], [], 10)[0] == [child]
    os.close(child)


def test_without_espeak_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesiser, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    async def main() -> None:
        with pytest.raises(SettingsError, match=r"crossfade\[offline\]"):
            async with Synthesiser():
                pass

    asyncio.run(main())


def test_the_system_program_speaks_where_the_library_is_missing() -> None:
    if not shutil.which("espeak-ng"):
        pytest.skip("no espeak-ng program here")
    spoken: Message = run_program("en-us", "Hello there.")
    assert spoken.head["rate_hz"] == 22050
    assert [word for word, _ in spoken.head["words"]] == ["Hello", "there."]
    assert 500 < duration_ms(spoken.payload, 22050) < 2000


def child_of(voice: Synthesiser) -> Any:
    return voice._worker._child


def kill_child(voice: Synthesiser) -> None:
    os.kill(child_of(voice)._process.pid, signal.SIGKILL)
