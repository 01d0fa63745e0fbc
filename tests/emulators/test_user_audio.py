"""What the emulators keep of the user's sound, to be looked at."""

import numpy as np

from crossfade.emulators import user_audio
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.user_audio import UserAudio
from tests.clock import run
from tests.emulators.gemini import wire_client as gemini
from tests.emulators.moshi import wire_client as moshi
from tests.emulators.openai import wire_client as openai

BACKEND = ScriptedBackend(Scenario(turns=(Turn(on=None, say=("Fine.",)),), repeat=True))


def test_openai_keeps_what_it_was_given_and_which_response_answered_what() -> None:
    async def main() -> None:
        scorer = openai.loudness_scorer
        async with (
            OpenAIEmulator(BACKEND, scorer=scorer, keep_audio=True) as emulator,
            openai.client_of(emulator) as client,
        ):
            for _ in range(2):
                await client.stream(openai.UTTERANCE)
                await client.until("response.done")
            audio = emulator.sessions[0].user_audio
            assert audio is not None
            assert audio.pcm == openai.UTTERANCE * 2
            done = [event["response"]["id"] for event in client.of("response.done")]
            committed = [e["item_id"] for e in client.of("input_audio_buffer.committed")]
            assert [turn.answers for turn in audio.turns] == [[id] for id in done]
            assert [turn.name for turn in audio.turns] == committed
            for turn in audio.turns:
                assert turn.pcm == audio.pcm[turn.begin * 2 : turn.end * 2]
                assert openai.tone(600) in turn.pcm

    run(main())


def test_a_turn_that_goes_on_before_its_answer_is_answered_with_the_next() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator(BACKEND, scorer=openai.loudness_scorer, keep_audio=True) as emulator,
            openai.client_of(emulator) as client,
        ):
            await client.append(openai.UTTERANCE)
            await client.append(openai.UTTERANCE)
            await client.until("response.output_audio.done")
            audio = emulator.sessions[0].user_audio
            assert audio is not None
            first, second = audio.turns
            assert first.answers == second.answers
            assert len(first.answers) == 1

    run(main())


def test_gemini_keeps_what_it_was_given_and_which_answer_came() -> None:
    async def main() -> None:
        scorer = gemini.loudness_scorer
        async with (
            GeminiEmulator(BACKEND, scorer=scorer, keep_audio=True) as emulator,
            gemini.client_of(emulator) as client,
        ):
            await client.set_up(gemini.MODEL_3_8)
            for _ in range(2):
                await client.stream(gemini.UTTERANCE + gemini.quiet(400))
                await client.until("turnComplete")
            audio = emulator.sessions[0].user_audio
            assert audio is not None
            assert audio.pcm == (gemini.UTTERANCE + gemini.quiet(400)) * 2
            assert [turn.answers for turn in audio.turns] == [["1"], ["2"]]
            for turn in audio.turns:
                assert turn.pcm == audio.pcm[turn.begin * 2 : turn.end * 2]
                assert gemini.tone(600) in turn.pcm

    run(main())


def test_moshi_keeps_what_opus_has_left() -> None:
    async def main() -> None:
        scorer = openai.loudness_scorer
        async with (
            MoshiEmulator(BACKEND, scorer=scorer, keep_audio=True) as emulator,
            moshi.client_of(emulator) as client,
        ):
            await client.stream(moshi.UTTERANCE)
            await client.listen(2)
            audio = emulator.sessions[0].user_audio
            assert audio is not None
            (turn,) = audio.turns
            assert turn.answers == ["1"]
            assert turn.pcm == audio.pcm[turn.begin * 2 : turn.end * 2]
            samples = np.frombuffer(turn.pcm, dtype="<i2")
            assert 0.6 < np.count_nonzero(np.abs(samples) > 300) / 24 / 640 < 1.1

    run(main())


def test_nothing_is_kept_unasked() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator(BACKEND, scorer=openai.loudness_scorer) as emulator,
            openai.client_of(emulator) as client,
        ):
            await client.append(openai.UTTERANCE)
            await client.until("response.done")
            assert emulator.sessions[0].user_audio is None

    run(main())


def test_what_is_kept_is_bounded() -> None:
    audio = UserAudio(24_000)
    limit = user_audio.LIMIT_BYTES
    half = bytes(limit // 2)
    for number in range(3):
        audio.hear(half)
        audio.turn(number * len(half) // 2, (number + 1) * len(half) // 2)
    assert len(audio.pcm) == limit
    assert audio.forgotten == len(half) // 2
    assert [len(turn.pcm) for turn in audio.turns] == [0, len(half), len(half)]
    assert audio.size_bytes == limit
    audio.let_go(audio.samples - 100)
    assert audio.size_bytes == 200
    assert [turn.pcm for turn in audio.turns] == [b"", b"", b""]
    assert audio.turn(audio.samples - 10, audio.samples).pcm == half[:20]
    audio.let_go(audio.samples)
    assert audio.size_bytes == 0
