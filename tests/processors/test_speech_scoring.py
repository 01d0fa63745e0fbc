"""Many calls scored together say what each would say alone."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.audio.noise_gate import CLEAR_WINDOWS, KEPT_WINDOWS
from crossfade.audio.pcm import to_pcm
from crossfade.audio.silero import Floats, SileroBank, SileroModel, shared_model
from crossfade.audio.sound_file import read_sound
from crossfade.audio.vad import (
    WINDOW_BYTES,
    WINDOW_SAMPLES,
    SpeechBegan,
    SpeechEvent,
    VoiceDetector,
    two_stage_detector,
)
from crossfade.processors import speech_scoring
from crossfade.processors.speech_scoring import (
    FEW_STREAMS,
    LIMIT_WINDOWS,
    MANY_WINDOWS,
    TICK_MS,
    SpeechScoring,
    shared_scoring,
)
from tests.clock import run

WEATHER = Path(__file__).parents[2] / "examples" / "audio" / "weather_tokyo.wav"
LOUD = to_pcm(np.tile((0.1, -0.1), WINDOW_SAMPLES // 2))
QUIET = bytes(WINDOW_BYTES)


class Loudness(SileroModel):
    """Takes a window for speech whose first sample is positive; counts the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score_batch(
        self, windows: Floats, contexts: Floats, states: Floats
    ) -> tuple[Floats, Floats]:
        self.batches.append(len(windows))
        return (windows[:, 0] > 0).astype(np.float32), states


def alone(pcm: bytes) -> list[SpeechEvent]:
    async def heard() -> list[SpeechEvent]:
        told: list[SpeechEvent] = []
        SpeechScoring(SileroBank(shared_model())).join(two_stage_detector(), told.append).hear(pcm)
        await asyncio.sleep(1)
        return told

    return run(heard())


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_calls_in_any_company_are_told_what_each_is_told_alone(data: st.DataObject) -> None:
    pcm = read_sound(WEATHER).pcm[:40000] + bytes(20000)
    count = data.draw(st.integers(1, FEW_STREAMS + 3))
    shifts = [data.draw(st.integers(0, 20)) * 640 for _ in range(count)]
    sounds = [pcm[shift:] for shift in shifts]
    order = data.draw(
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, 4000)), max_size=40)
    )
    pauses = data.draw(st.lists(st.booleans(), min_size=40, max_size=40))
    many = data.draw(st.sampled_from((FEW_STREAMS + 1, MANY_WINDOWS)))

    async def together() -> list[list[SpeechEvent]]:
        scoring = SpeechScoring(SileroBank(shared_model()))
        told: list[list[SpeechEvent]] = [[] for _ in sounds]
        streams = [scoring.join(two_stage_detector(), each.append) for each in told]
        heard = [0] * count
        for (number, samples), pause in zip(order, pauses, strict=False):
            end = heard[number] + 2 * samples
            streams[number].hear(sounds[number][heard[number] : end])
            heard[number] = end
            if pause:
                await asyncio.sleep(TICK_MS / 1000)
        for stream, sound, at in zip(streams, sounds, heard, strict=True):
            stream.hear(sound[at:])
        await asyncio.sleep(1)
        return told

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(speech_scoring, "MANY_WINDOWS", many)
        assert run(together()) == [alone(sound) for sound in sounds]


def test_windows_of_many_calls_are_scored_in_one_batch_within_a_tick() -> None:
    async def scenario() -> None:
        model = Loudness()
        scoring = SpeechScoring(SileroBank(model))
        loop = asyncio.get_running_loop()
        told: list[float] = []
        streams = [
            scoring.join(VoiceDetector(start_ms=32), lambda _: told.append(loop.time()))
            for _ in range(12)
        ]
        began = loop.time()
        for stream in streams:
            stream.hear(LOUD)
            await asyncio.sleep(0)
        await asyncio.sleep(1)
        assert model.batches == [12]
        assert [round((at - began) * 1e3) for at in told] == [TICK_MS] * 12

    run(scenario())


class InThread(Loudness):
    """Works only when told to, counts in each stream's state, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.may_work = threading.Event(), threading.Event()
        self.failures: list[Exception] = []
        self.threads: list[threading.Thread] = []
        self.counts: list[list[float]] = []

    def score_batch(
        self, windows: Floats, contexts: Floats, states: Floats
    ) -> tuple[Floats, Floats]:
        self.began.set()
        assert self.may_work.wait(10)
        self.threads.append(threading.current_thread())
        self.counts.append(states[0, :, 0].tolist())
        if self.failures:
            raise self.failures.pop()
        scores, _ = super().score_batch(windows, contexts, states)
        return scores, states + 1


def test_the_loop_goes_on_while_the_windows_of_many_calls_are_scored() -> None:
    async def scenario() -> None:
        model = InThread()
        scoring = SpeechScoring(SileroBank(model))
        told: list[SpeechEvent] = []
        streams = [
            scoring.join(VoiceDetector(start_ms=32), told.append) for _ in range(MANY_WINDOWS)
        ]
        for stream in streams:
            stream.hear(LOUD)
        await asyncio.sleep(TICK_MS / 1000)
        assert model.began.wait(10)
        await asyncio.sleep(0)
        assert not told
        model.may_work.set()
        await asyncio.sleep(TICK_MS / 2000)
        assert told == [SpeechBegan(at_ms=0, decided_ms=32)] * MANY_WINDOWS
        assert model.batches == [MANY_WINDOWS]
        assert threading.main_thread() not in model.threads

    run(scenario())


def test_a_call_that_leaves_while_it_is_scored_leaves_nothing_to_the_one_in_its_place() -> None:
    async def scenario() -> None:
        model = InThread()
        scoring = SpeechScoring(SileroBank(model))
        told: list[list[SpeechEvent]] = [[] for _ in range(MANY_WINDOWS)]
        streams = [scoring.join(VoiceDetector(start_ms=32), each.append) for each in told]
        for stream in streams:
            stream.hear(LOUD)
        await asyncio.sleep(TICK_MS / 1000)
        assert model.began.wait(10)
        model.may_work.set()
        streams[3].leave()
        late = scoring.join(VoiceDetector(start_ms=32), told[3].append)
        assert late.number == streams[3].number
        assert [bool(events) for events in told] == [n != 3 for n in range(MANY_WINDOWS)]
        late.hear(LOUD)
        await asyncio.sleep(1)
        assert model.counts == [[0.0] * MANY_WINDOWS, [0.0]]
        assert told[3]

    run(scenario())


def test_calls_with_much_waiting_lose_nothing_to_the_thread() -> None:
    async def scenario() -> None:
        model = InThread()
        model.may_work.set()
        scoring = SpeechScoring(SileroBank(model))
        told: list[list[SpeechEvent]] = [[] for _ in range(MANY_WINDOWS)]
        for each in told:
            detector = VoiceDetector(start_ms=32, stop_ms=32)
            scoring.join(detector, each.append).hear((LOUD + QUIET) * (LIMIT_WINDOWS // 2))
        await asyncio.sleep(1)
        decided_ms = [[event.decided_ms for event in events] for events in told]
        assert decided_ms == [[32.0 * n for n in range(1, LIMIT_WINDOWS + 1)]] * MANY_WINDOWS

    run(scenario())


def test_a_failure_of_the_model_in_its_thread_is_reported_and_the_next_windows_are_scored() -> None:
    async def scenario() -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, each: reported.append(each))
        model = InThread()
        model.may_work.set()
        model.failures.append(ValueError("broken"))
        scoring = SpeechScoring(SileroBank(model))
        told: list[SpeechEvent] = []
        streams = [
            scoring.join(VoiceDetector(start_ms=32), told.append) for _ in range(MANY_WINDOWS)
        ]
        for _ in range(2):
            for stream in streams:
                stream.hear(LOUD)
            await asyncio.sleep(1)
        assert [str(context["exception"]) for context in reported] == ["broken"]
        assert len(told) == MANY_WINDOWS

    run(scenario())


def test_where_no_thread_can_be_had_all_calls_are_scored_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        scoring = SpeechScoring(SileroBank(Loudness()))
        told: list[SpeechEvent] = []
        streams = [
            scoring.join(VoiceDetector(start_ms=32, stop_ms=32), told.append)
            for _ in range(MANY_WINDOWS)
        ]
        monkeypatch.setattr(threading.Thread, "start", refuse)
        for pcm in (LOUD, QUIET):
            for stream in streams:
                stream.hear(pcm)
            await asyncio.sleep(1)
        assert len(told) == 2 * MANY_WINDOWS
        monkeypatch.undo()
        for stream in streams:
            stream.hear(LOUD)
        await asyncio.sleep(1)
        assert len(told) == 3 * MANY_WINDOWS

    run(scenario())


def test_few_calls_do_not_wait_for_company() -> None:
    async def scenario() -> None:
        scoring = SpeechScoring(SileroBank(Loudness()))
        told: list[SpeechEvent] = []
        stream = scoring.join(VoiceDetector(start_ms=32), told.append)
        stream.hear(LOUD)
        assert not told
        await asyncio.sleep(0)
        assert told

    run(scenario())


def test_a_call_that_waits_long_is_scored_on_the_spot_and_loses_nothing() -> None:
    async def scenario() -> None:
        model = Loudness()
        scoring = SpeechScoring(SileroBank(model))
        told: list[SpeechEvent] = []
        stream = scoring.join(VoiceDetector(start_ms=32, stop_ms=32), told.append)
        pcm = (LOUD + QUIET) * 200
        for at in range(0, len(pcm), 640):
            stream.hear(pcm[at : at + 640])
            assert len(stream.waiting) <= LIMIT_WINDOWS
        await asyncio.sleep(1)
        assert len(told) == 400
        assert [event.decided_ms for event in told] == [32.0 * n for n in range(1, 401)]

    run(scenario())


def test_silence_is_not_scored_but_for_what_comes_just_before_a_sound() -> None:
    async def scenario() -> None:
        model = Loudness()
        scoring = SpeechScoring(SileroBank(model))
        told: list[SpeechEvent] = []
        stream = scoring.join(VoiceDetector(start_ms=32, stop_ms=32), told.append)
        for _ in range(CLEAR_WINDOWS + 200):
            stream.hear(QUIET)
            await asyncio.sleep(0)
        assert len(model.batches) == CLEAR_WINDOWS
        stream.hear(LOUD)
        await asyncio.sleep(0)
        assert len(model.batches) == CLEAR_WINDOWS + KEPT_WINDOWS + 1
        assert [event.decided_ms for event in told] == [32.0 * (CLEAR_WINDOWS + 201)]

    run(scenario())


def test_a_call_that_left_is_told_nothing_more() -> None:
    async def scenario() -> None:
        model = Loudness()
        scoring = SpeechScoring(SileroBank(model))
        told: list[SpeechEvent] = []
        leaving = scoring.join(VoiceDetector(start_ms=32), told.append)
        leaving.hear(LOUD * LIMIT_WINDOWS)
        leaving.leave()
        leaving.leave()
        leaving.hear(LOUD)
        await asyncio.sleep(1)
        assert (told, model.batches) == ([], [])

    run(scenario())


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_call_may_leave_and_another_take_its_place_because_of_what_one_is_told(
    victim: int,
) -> None:
    async def scenario() -> None:
        scoring = SpeechScoring(SileroBank(Loudness()))
        told: list[list[SpeechEvent]] = [[], [], []]
        late: list[SpeechEvent] = []

        def listener(number: int) -> Callable[[SpeechEvent], None]:
            def tell(event: SpeechEvent) -> None:
                told[number].append(event)
                if number == 1:
                    streams[victim].leave()
                    scoring.join(VoiceDetector(start_ms=32), late.append).hear(LOUD)

            return tell

        streams = [scoring.join(VoiceDetector(start_ms=32), listener(n)) for n in range(3)]
        for stream in streams:
            stream.hear(LOUD * 3)
        await asyncio.sleep(1)
        silent = {2} if victim == 2 else set()
        assert [bool(events) for events in told] == [n not in silent for n in range(3)]
        assert late == [SpeechBegan(at_ms=0, decided_ms=32)]

    run(scenario())


def test_the_failure_of_one_call_is_reported_and_is_not_the_others() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        reported: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))
        scoring = SpeechScoring(SileroBank(Loudness()))
        told: list[SpeechEvent] = []

        def fail(_: SpeechEvent) -> None:
            raise ValueError("broken")

        tells: Sequence[Callable[[SpeechEvent], None]] = (fail, told.append)
        for tell in tells:
            scoring.join(VoiceDetector(start_ms=32), tell).hear(LOUD)
        await asyncio.sleep(1)
        assert told
        assert [str(context["exception"]) for context in reported] == ["broken"]

    run(scenario())


def test_there_is_one_scoring_for_all_calls_of_a_loop() -> None:
    async def scoring() -> SpeechScoring:
        assert shared_scoring() is shared_scoring()
        return shared_scoring()

    assert run(scoring()) is not run(scoring())
