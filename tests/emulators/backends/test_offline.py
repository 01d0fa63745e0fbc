"""The offline backend with its real recogniser and voice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.backends import Call, Prompt, Say, Told, Tool, ToolOutput, Trigger
from crossfade.emulators.backends.offline import (
    WAITING_BYTES,
    OfflineBackend,
    OfflineDialogue,
)
from crossfade.errors import ProviderFault
from crossfade.offline.recogniser import recogniser_available
from crossfade.offline.synthesiser import synthesiser_available
from tests.clock import run

missing = recogniser_available() or synthesiser_available()
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(missing is not None, reason=str(missing)),
]
AUDIO = Path(__file__).parents[3] / "examples" / "audio"
WEATHER = Tool(
    name="get_weather",
    description="Tell the weather in a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)


@asynccontextmanager
async def backend() -> AsyncIterator[OfflineBackend]:
    mind = OfflineBackend()
    await mind.start()
    try:
        yield mind
    finally:
        await mind.close()


async def heard(talk: OfflineDialogue, name: str) -> str:
    sound = read_sound(AUDIO / f"{name}.wav")
    return await talk.hear(sound.pcm, sound.rate_hz)


def test_a_spoken_question_becomes_a_call_and_its_result_an_answer() -> None:
    async def main() -> None:
        async with backend() as mind:
            talk = mind.dialogue()
            talk.configure([WEATHER])
            words = await heard(talk, "weather_tokyo")
            assert words == "what is the weather in tokyo"
            (call,) = (
                await talk.reply(Prompt(trigger=Trigger.SPEECH, text=words, tools=[WEATHER]))
            ).parts
            assert isinstance(call, Call)
            assert orjson.loads(call.arguments)["city"].lower() == "tokyo"
            output = ToolOutput(name=call.name, output='{"temperature_c": 18}')
            results = Prompt(trigger=Trigger.TOOL_RESULTS, outputs=[output])
            (answer,) = (await talk.reply(results)).parts
            assert isinstance(answer, Say)
            assert "18 degrees" in answer.text
            spoken = await talk.render(answer.text)
            assert len(spoken) > 48_000
            assert rms_dbfs(spoken) > -40
            await talk.close()

    run(main())


def test_dialogues_with_the_same_tools_share_a_recogniser() -> None:
    async def main() -> None:
        async with backend() as mind:
            talks = [mind.dialogue() for _ in range(3)]
            for talk, tools in zip(talks, ([WEATHER], [WEATHER], []), strict=True):
                talk.configure(tools)
            await asyncio.gather(*(heard(talk, "greeting") for talk in talks))
            assert mind.vocabularies == 2
            for talk in talks:
                await talk.close()
            assert mind.vocabularies == 1

    run(main())


def test_silence_is_answered_with_not_understood_and_a_phrase_is_said_exactly() -> None:
    async def main() -> None:
        async with backend() as mind:
            talk = mind.dialogue()
            words = await talk.hear(bytes(48_000), 24_000)
            assert words == ""
            (answer,) = (await talk.reply(Prompt(trigger=Trigger.SPEECH, text=words))).parts
            assert isinstance(answer, Say)
            assert "catch" in answer.text
            prompt = Prompt(trigger=Trigger.REQUEST, instructions='Say exactly: "One moment."')
            assert (await talk.reply(prompt)).parts == [Say("One moment.")]
            await talk.close()

    run(main())


GO_ON = "[Go on from exactly there.]"


@pytest.mark.parametrize(
    ("before", "said", "prompt", "left"),
    [
        # An answer to words, to a result, and one that was said in whole.
        ([(Told.USER, "hello")], 2, Prompt(trigger=Trigger.TEXT, text=GO_ON), True),
        ([(Told.USER, "hello")], 2, Prompt(trigger=Trigger.REQUEST), True),
        ([(Told.USER, "hello")], 99, Prompt(trigger=Trigger.TEXT, text=GO_ON), False),
        (
            [
                (Told.USER, "what is the weather in tokyo"),
                (Told.CALL, "get_weather"),
                (Told.RESULT, '{"temperature_c": 18, "city": "Tokyo"}'),
            ],
            3,
            Prompt(trigger=Trigger.REQUEST),
            True,
        ),
    ],
)
def test_of_an_answer_that_broke_off_the_rest_is_said(
    before: list[tuple[Told, str]], said: int, prompt: Prompt, left: bool
) -> None:
    async def main() -> None:
        mind = OfflineBackend()
        first = mind.dialogue()
        results = [ToolOutput(name=before[1][1], output=before[2][1])] if before[1:] else []
        trigger = Trigger.TOOL_RESULTS if results else Trigger.TEXT
        asked = Prompt(trigger=trigger, text=before[0][1], outputs=results)
        (whole,) = (await first.reply(asked)).parts
        assert isinstance(whole, Say)
        words = whole.text.split()
        talk = mind.dialogue()
        for who, text in before:
            talk.told(who, text)
        talk.told(Told.AGENT, " ".join(words[:said]))
        parts = (await talk.reply(prompt)).parts
        assert parts == ([Say(" ".join(words[said:]))] if left else [])
        # It is said once.
        again = (await talk.reply(Prompt(trigger=Trigger.REQUEST))).parts
        assert again != parts

    run(main())


def test_changing_tools_without_end_loads_what_is_needed_alone() -> None:
    async def main() -> None:
        async with backend() as mind:
            talk = mind.dialogue()
            for number in range(20):
                city = {**WEATHER.parameters, "title": str(number)}
                talk.configure([Tool(name=f"get_{number}", description="x", parameters=city)])
            assert mind.vocabularies == 1
            await heard(talk, "greeting")
            assert mind.vocabularies == 2
            talk.configure([WEATHER])
            assert await heard(talk, "weather_tokyo") == "what is the weather in tokyo"
            assert mind.vocabularies == 2
            await talk.close()

    run(main())


def test_speech_that_waits_to_be_heard_is_bounded() -> None:
    async def main() -> None:
        async with backend() as mind:
            talk = mind.dialogue()
            minute = bytes(48_000 * 60)
            many = WAITING_BYTES // len(minute) + 1
            hearing = [asyncio.create_task(talk.hear(minute, 24_000)) for _ in range(many)]
            with pytest.raises(ProviderFault, match="too much speech"):
                await hearing[-1]
            for task in hearing[:-1]:
                task.cancel()
            await asyncio.gather(*hearing, return_exceptions=True)
            assert await heard(talk, "greeting")
            await talk.close()

    run(main())
