import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from crossfade.audio.pcm import bytes_for, silence, to_pcm
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import Sound, read_sound
from crossfade.errors import ProviderFault, SettingsError, SoundError
from crossfade.offline import recogniser
from crossfade.offline.recogniser import Recognised, Recogniser, recogniser_available
from crossfade.offline.responder import Reply, Responder, ToolRequest

pytestmark = pytest.mark.realtime
needs_pocketsphinx = pytest.mark.skipif(
    recogniser_available() is not None, reason=str(recogniser_available())
)
EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
HUMAN_SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
BRAIN = Responder(
    [
        {
            "name": "get_weather",
            "description": "Get the weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        }
    ]
)
WORDS = {
    "greeting": "hello there",
    "weather_tokyo": "what is the weather in tokyo",
    "enough": "thank you that is enough",
    "goodbye": "goodbye",
}


def example(name: str) -> Sound:
    return read_sound(EXAMPLES / f"{name}.wav")


def heard(text: str) -> Recognised:
    return Recognised(text=text, in_vocabulary=1.0)


@needs_pocketsphinx
@pytest.mark.parametrize("rate_hz", [16000, 24000])
def test_the_example_utterances_are_understood_and_answered(rate_hz: int) -> None:
    async def main() -> dict[str, Reply]:
        replies = {}
        async with Recogniser(BRAIN.sentences()) as listener:
            for name, words in WORDS.items():
                sound = example(name)
                pcm = resample(sound.pcm, sound.rate_hz, rate_hz)
                recognised = await listener.transcribe(pcm, rate_hz)
                assert recognised == heard(words)
                assert recognised.understood
                replies[name] = BRAIN.reply(recognised.text)
        return replies

    replies = asyncio.run(main())
    assert replies["weather_tokyo"].tool_calls == (ToolRequest("get_weather", {"city": "Tokyo"}),)
    assert [replies[name].text for name in ("greeting", "enough", "goodbye")] == [
        "Hello! How can I help you today?",
        "All right.",
        "Goodbye! It was nice to talk to you.",
    ]


@needs_pocketsphinx
def test_utterances_are_recognised_while_they_are_spoken_side_by_side() -> None:
    async def follow(listener: Recogniser, name: str) -> tuple[list[str], Recognised]:
        sound = example(name)
        utterance = listener.utterance(sound.rate_hz)
        partials = []
        step = bytes_for(20, sound.rate_hz)
        for at in range(0, len(sound.pcm), step):
            await utterance.feed(sound.pcm[at : at + step])
            partials.append(utterance.partial)
        return partials, await utterance.finish()

    async def main() -> None:
        async with Recogniser(BRAIN.sentences(), workers=2) as listener:
            results = await asyncio.gather(*(follow(listener, name) for name in WORDS))
        for (partials, recognised), words in zip(results, WORDS.values(), strict=True):
            assert recognised.text == words
            assert len(set(partials)) > 1

    asyncio.run(main())


@needs_pocketsphinx
@pytest.mark.skipif(not HUMAN_SPEECH.is_dir(), reason="asterisk-core-sounds-en-wav not installed")
def test_speech_on_other_subjects_calls_no_tool() -> None:
    found = map(read_sound, sorted(HUMAN_SPEECH.glob("*.wav"))[::12])
    sounds = [sound for sound in found if 1500 < sound.duration_ms < 4000]

    async def main() -> list[Recognised]:
        async with Recogniser(BRAIN.sentences()) as listener:
            return [await listener.transcribe(each.pcm, each.rate_hz) for each in sounds]

    results = asyncio.run(main())
    assert len(results) >= 10
    assert sum(each.understood for each in results) <= 0.2 * len(results)
    assert not any(BRAIN.reply(each.text).tool_calls for each in results if each.understood)


@needs_pocketsphinx
def test_silence_noise_and_nothing_are_not_understood() -> None:
    noise = to_pcm(np.random.default_rng(3).standard_normal(16000) * 0.05)

    async def main() -> None:
        async with Recogniser(BRAIN.sentences()) as listener:
            for pcm in (b"", silence(1000, 16000), noise):
                assert not (await listener.transcribe(pcm, 16000)).understood

    asyncio.run(main())


@needs_pocketsphinx
@pytest.mark.parametrize("fed_after", [0, 1])
def test_when_the_worker_dies_another_hears_the_whole_utterance(fed_after: int) -> None:
    async def main() -> None:
        sound = example("weather_tokyo")
        half = len(sound.pcm) // 4 * 2
        async with Recogniser(BRAIN.sentences()) as listener:
            utterance = listener.utterance(sound.rate_hz)
            await utterance.feed(sound.pcm[: half if fed_after else len(sound.pcm)])
            kill_child(listener)
            if fed_after:
                await utterance.feed(sound.pcm[half:])
            assert await utterance.finish() == heard(WORDS["weather_tokyo"])

    asyncio.run(main())


@needs_pocketsphinx
def test_abandoned_and_cancelled_utterances_make_room_for_others() -> None:
    async def main() -> None:
        sound = example("greeting")
        async with Recogniser(BRAIN.sentences()) as listener:
            for turns in range(10):
                utterance = listener.utterance(sound.rate_hz)
                await utterance.feed(sound.pcm[:3200])
                utterance.abandon()
                hearing = asyncio.create_task(listener.transcribe(sound.pcm, sound.rate_hz))
                for _ in range(turns):
                    await asyncio.sleep(0)
                hearing.cancel()
                await asyncio.wait([hearing])
            assert await listener.transcribe(sound.pcm, sound.rate_hz) == heard("hello there")

    asyncio.run(main())


@needs_pocketsphinx
def test_too_many_utterances_at_once_are_refused() -> None:
    async def main() -> None:
        async with Recogniser(["hello there"]) as listener:
            open_ones = [listener.utterance(16000) for _ in range(17)]
            for utterance in open_ones[:16]:
                await utterance.feed(silence(20, 16000))
            with pytest.raises(ProviderFault, match="add workers"):
                await open_ones[16].feed(silence(20, 16000))

    asyncio.run(main())


@needs_pocketsphinx
def test_only_the_first_minute_is_heard() -> None:
    async def main() -> None:
        async with Recogniser(["hello there"]) as listener:
            recognised = await listener.transcribe(
                silence(60_000, 16000) + example("greeting").pcm, 16000
            )
            assert recognised.text == ""

    asyncio.run(main())


@needs_pocketsphinx
def test_an_odd_number_of_bytes_and_no_sentences_are_refused() -> None:
    async def main() -> None:
        async with Recogniser(["hello there"]) as listener:
            with pytest.raises(SoundError):
                await listener.transcribe(bytes(3), 24000)
        with pytest.raises(SettingsError, match="sentences"):
            async with Recogniser([]):
                pass

    asyncio.run(main())


def test_without_pocketsphinx_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recogniser, "find_spec", lambda _: None)

    async def main() -> None:
        with pytest.raises(SettingsError, match=r"crossfade\[offline\]"):
            async with Recogniser(["hello"]):
                pass

    asyncio.run(main())


def kill_child(listener: Recogniser) -> None:
    child = listener._workers[0]._child
    assert child
    os.kill(child._process.pid, signal.SIGKILL)
