"""What cuts the model off, and what does not."""

from typing import Any

import pytest

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.gemini import Timing
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GREETING,
    LONG,
    MODEL_2_5,
    MODEL_3_8,
    UTTERANCE,
    session,
    tone,
)

NO_INTERRUPTION = {"activityHandling": "NO_INTERRUPTION"}


def test_speech_interrupts_and_no_generation_is_completed() -> None:
    async def main() -> None:
        async with session(LONG, GREETING, outputAudioTranscription={}) as client:
            await client.say("Go on.")
            await client.until("modelTurn")
            await client.rest(0.5)
            await client.stream(tone(300))
            await client.until("usageMetadata")
            assert client.order()[-3:] == ["interrupted", "turnComplete", "usageMetadata"]
            assert client.of("generationComplete") == []
            spoken = len(client.sound())
            await client.rest(2)
            assert len(client.sound()) == spoken

    run(main())


def test_what_was_not_played_is_not_remembered() -> None:
    async def main() -> None:
        timing = Timing(speed=float("inf"))
        async with session(LONG, GREETING, timing=timing, model=MODEL_3_8) as client:
            await client.say("Go on.")
            await client.until("generationComplete")
            seconds = len(client.sound()) / 48_000
            await client.rest(1)
            await client.say("Stop.")
            cut = (await client.until("turnComplete"))["usageMetadata"]
            second = (await client.until("turnComplete"))["usageMetadata"]
            assert cut["responseTokenCount"] == pytest.approx(seconds * 25, abs=1)
            # It was heard for a second.
            (_, audio) = second["promptTokensDetails"]
            assert audio == {"modality": "AUDIO", "tokenCount": pytest.approx(25, abs=2)}

    run(main())


def test_speech_that_still_plays_is_interrupted_behind_its_generation() -> None:
    async def main() -> None:
        async with session(LONG, timing=Timing(speed=float("inf"))) as client:
            await client.say("Go on.")
            await client.until("generationComplete")
            await client.stream(tone(300))
            await client.until("turnComplete")
            assert client.order("usageMetadata")[-3:] == [
                "generationComplete",
                "interrupted",
                "turnComplete",
            ]

    run(main())


def test_the_user_may_interrupt_before_anything_was_said() -> None:
    async def main() -> None:
        timing = Timing(think_ms=3000)
        turn = Turn(on=Trigger.SPEECH, say=("Hello there.",))
        async with session(turn, timing=timing, outputAudioTranscription={}) as client:
            await client.stream(UTTERANCE)
            await client.stream(UTTERANCE)
            await client.until("generationComplete")
            assert client.order("usageMetadata")[:2] == ["interrupted", "turnComplete"]
            # The answer that nobody heard is given to the second turn.
            assert client.words() == "Hello there."

    run(main())


@pytest.mark.parametrize("manual", [False, True])
def test_without_interruption_the_user_is_answered_afterwards(manual: bool) -> None:
    async def main() -> None:
        config: dict[str, Any] = dict(NO_INTERRUPTION)
        if manual:
            config["automaticActivityDetection"] = {"disabled": True}
        turn = Turn(on=None, say=("Second.",))
        async with session(
            LONG, turn, realtimeInputConfig=config, outputAudioTranscription={}
        ) as client:
            await client.realtime(text="Go on.")
            await client.until("modelTurn")
            if manual:
                await client.realtime(activityStart={})
            await client.stream(UTTERANCE)
            if manual:
                await client.realtime(activityEnd={})
            await client.until("turnComplete")
            await client.until("turnComplete")
            assert client.of("interrupted") == []
            assert client.words() == LONG.say[0] + "Second."

    run(main())


@pytest.mark.parametrize(
    ("model", "complete", "interrupts"),
    [(MODEL_2_5, False, True), (MODEL_3_8, False, False), (MODEL_3_8, True, True)],
)
def test_content_interrupts_as_the_model_has_it(
    model: str, complete: bool, interrupts: bool
) -> None:
    async def main() -> None:
        # Unconditionally: what is set up for activity is no matter.
        async with session(LONG, GREETING, model=model, realtimeInputConfig=NO_INTERRUPTION) as (
            client
        ):
            await client.say("Go on.")
            await client.until("modelTurn")
            await client.say("By the way.", complete=complete)
            await client.rest(20)
            assert client.of("interrupted") == [True] * interrupts
            assert len(client.of("turnComplete")) == 1 + complete

    run(main())


def test_typed_realtime_text_interrupts() -> None:
    async def main() -> None:
        async with session(LONG, GREETING) as client:
            await client.realtime(text="Go on.")
            await client.until("modelTurn")
            await client.realtime(text="Stop.")
            await client.rest(20)
            assert client.of("interrupted") == [True]
            assert len(client.of("turnComplete")) == 2

    run(main())
