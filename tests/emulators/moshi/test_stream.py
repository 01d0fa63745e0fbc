"""A call: sound and words both ways at once."""

import asyncio

import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed

from crossfade.audio.resample import StreamResampler
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedDialogue
from crossfade.emulators.moshi import MoshiEmulator, Pace, Server, Timing
from crossfade.errors import ProviderFault
from tests.clock import run
from tests.emulators.moshi.wire_client import (
    RATE_HZ,
    UTTERANCE,
    client_of,
    emulator_of,
    quiet,
    tone,
)
from tests.emulators.openai.wire_client import loudness_scorer
from tests.project import ROOT

LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen."


def test_silence_comes_while_nobody_speaks_a_frame_each_80_ms() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.listen(4.04)
            assert client.kinds == [0] + [1] * 50
            gaps = np.diff(client.times_s[1:])
            assert gaps == pytest.approx(0.08, abs=0.001)
            assert sum(map(len, client.sound)) == 50 * 1920
            assert not any(client.loud_frames())

    run(main())


def test_a_spoken_turn_is_answered_with_sound_and_its_words() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.stream(UTTERANCE)
            await client.stream(quiet(8000))
            assert client.words == " Herons eat fish and frogs."
            loud = client.loud_frames()
            assert sum(loud) > 10
            # Each piece of text follows a frame of its speech.
            for number, message in enumerate(client.messages):
                if message[0] == 2:
                    frames = client.kinds[:number].count(1)
                    assert any(loud[frames - 1 : frames + 2])
            received = emulator.sessions[0].received
            assert received.types == ["audio"]
            assert received[0].messages == 117
            assert emulator.sessions[0].heard_ms == 117 * 80

    run(main())


def test_the_words_are_spread_over_the_sound() -> None:
    async def main() -> None:
        async with (
            emulator_of(Turn(on=None, say=(LONG,))) as emulator,
            client_of(emulator) as client,
        ):
            await client.stream(UTTERANCE)
            await client.stream(quiet(12000))
            pairs = zip(client.messages, client.times_s, strict=True)
            times = [at for message, at in pairs if message[0] == 2]
            assert client.words.split() == LONG.split()
            assert times[-1] - times[0] > 2.0
            assert np.diff(times).max() < 1.0

    run(main())


def test_it_stops_when_the_user_talks_over_it_and_answers_anew() -> None:
    async def main() -> None:
        turns = Turn(on=None, say=(LONG,)), Turn(on=None, say=("Yes?",))
        async with emulator_of(*turns) as emulator, client_of(emulator) as client:
            await client.stream(UTTERANCE)
            await client.stream(quiet(1600))
            assert client.loud_frames()[-1]
            await client.stream(tone(640))
            # Two windows of 32 ms decide, and the codec has a tail.
            assert not any(client.loud_frames()[-5:])
            await client.stream(quiet(4000))
            assert client.words.endswith(" Yes?")
            assert "fifteen" not in client.words

    run(main())


def test_an_answer_cut_off_before_its_first_word_is_taken_back() -> None:
    async def main() -> None:
        turns = Turn(on=None, say=("First.",), think_ms=1000), Turn(on=None, say=("Second.",))
        async with emulator_of(*turns) as emulator, client_of(emulator) as client:
            await client.stream(UTTERANCE)
            await client.stream(UTTERANCE)
            await client.stream(quiet(4000))
            assert client.words == " First."

    run(main())


def test_real_speech_is_found_by_the_model_through_the_codec() -> None:
    async def main() -> None:
        samples, rate_hz = soundfile.read(
            ROOT / "examples" / "audio" / "greeting.wav", dtype="int16"
        )
        pcm = StreamResampler(rate_hz, RATE_HZ).process(samples.tobytes())
        speech = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        heard: list[bytes] = []

        class Dialogue(ScriptedDialogue):
            async def hear(self, pcm: bytes, rate_hz: int) -> str:
                heard.append(pcm)
                return await super().hear(pcm, rate_hz)

        class Backend(ScriptedBackend):
            def dialogue(self) -> ScriptedDialogue:
                return Dialogue(Scenario(turns=()), self.render)

        async with MoshiEmulator(Backend()) as emulator, client_of(emulator) as client:
            await client.stream(np.concatenate([quiet(800), speech, quiet(3200)]))
            assert client.words == " I have nothing more to say."
        (utterance,) = heard
        spoken_s = len(speech) / RATE_HZ
        assert 0.5 * spoken_s < len(utterance) / 2 / RATE_HZ < spoken_s + 1.5
        assert emulator.sessions[0].failure is None

    run(main())


def test_a_greeting_comes_first() -> None:
    async def main() -> None:
        async with (
            emulator_of(greeting="Hey, how is it going?") as emulator,
            client_of(emulator) as client,
        ):
            await client.listen(3.0)
            assert client.words == " Hey, how is it going?"
            assert any(client.loud_frames())

    run(main())


def test_paced_by_its_input_it_sends_a_frame_for_each_that_it_hears() -> None:
    async def main() -> None:
        timing = Timing(pace=Pace.INPUT)
        async with emulator_of(timing=timing) as emulator, client_of(emulator) as client:
            await client.listen(5.0)
            assert client.kinds == [0]
            await client.stream(quiet(8000), pace_s=0.001)
            await client.listen(1.0)
            assert client.kinds == [0] + [1] * 100

    run(main())


def test_the_same_traffic_gives_the_same_bytes() -> None:
    async def call() -> list[bytes]:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.stream(UTTERANCE)
            await client.stream(quiet(3200))
            return client.messages

    assert run(call()) == run(call())


def test_sessions_of_many_clients_of_the_rust_server_do_not_disturb_each_other() -> None:
    async def main() -> None:
        async with emulator_of(server=Server.RUST) as emulator:

            async def call() -> str:
                async with client_of(emulator) as client:
                    await client.stream(UTTERANCE)
                    await client.stream(quiet(4000))
                    return client.words

            said = await asyncio.gather(*(call() for _ in range(3)))
            assert said == [" Herons eat fish and frogs."] * 3

    run(main())


class Deaf(ScriptedBackend):
    """Recognises nothing."""

    def dialogue(self) -> ScriptedDialogue:
        dialogue = super().dialogue()

        async def hear(pcm: bytes, rate_hz: int) -> str:
            raise ProviderFault("it is broken")

        dialogue.hear = hear  # type: ignore[method-assign]
        return dialogue


def test_speech_that_cannot_be_recognised_is_answered_all_the_same() -> None:
    async def main() -> None:
        backend = Deaf(Scenario(turns=(Turn(on=None, say=("Pardon?",)),)))
        async with (
            MoshiEmulator(backend, scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            await client.stream(UTTERANCE)
            await client.listen(3)
            assert client.words == " Pardon?"

    run(main())


def test_an_answer_that_cannot_be_given_ends_the_session_alone() -> None:
    async def main() -> None:
        backend = ScriptedBackend(Scenario(turns=(Turn(on=None, say=("It is {nothing}.",)),)))
        async with (
            MoshiEmulator(backend, scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            with pytest.raises(ConnectionClosed):
                await client.stream(np.concatenate([UTTERANCE, quiet(2000)]))
            assert client.connection.close_code == 1011
            async with client_of(emulator):
                pass

    run(main())
