"""The contract of the base processor."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipecat.frames.frames import TextFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.errors import ErrorCategory

from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame
from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    SpeechDroppedFrame,
    SystemFrame,
    UserTurnCommittedFrame,
)
from crossfade.processors.base import DOWNSTREAM, Processor
from crossfade.processors.outbox import Outbox
from tests.clock import run
from tests.processors.chain import Probe, running, settled, speech


class Queued(FrameProcessor):
    """A stock processor: every frame goes through its queues."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


def test_audio_reaches_the_last_processor_within_the_call() -> None:
    async def scenario() -> None:
        async with running(Probe("a"), Probe("b")) as chain:
            chain.hear(bytes(640))
            assert [frame.audio for frame in chain.last.audio] == [bytes(640)]

    run(scenario())


@pytest.mark.parametrize("stock", [Queued, IdentityFilter])
def test_a_stock_processor_may_stand_anywhere_and_the_order_holds(
    stock: type[FrameProcessor],
) -> None:
    async def scenario() -> None:
        between = stock()
        async with running(Probe("a"), between, Probe("b")) as chain:
            for number in range(10):
                chain.speak(bytes([number] * 2))
                await chain.down(TextFrame(str(number)))
            await settled(200)
            spoken = [frame.audio[0] for frame in chain.last.audio]
            assert spoken == list(range(10))
            assert [f.text for f in chain.last.frames(TextFrame)] == [str(n) for n in range(10)]

    run(scenario())


def test_speech_before_a_stock_processor_never_comes_behind_the_frame_that_ends_it() -> None:
    order: list[str] = []

    class Order(Processor):
        def handle_audio(self, frame: AudioRawFrame) -> None:
            order.append("audio")

        def note(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TextFrame):
                order.append("text")

    async def scenario() -> None:
        async with running(Queued(), Order()) as chain:
            chain.speak(bytes(2))
            chain.speak(bytes(2))
            await chain.down(TextFrame("end"))
            await settled(200)

    run(scenario())
    assert order == ["audio", "audio", "text"]


def test_an_error_in_an_audio_handler_names_its_processor_and_is_told_once() -> None:
    class Broken(Processor):
        def handle_audio(self, frame: AudioRawFrame) -> None:
            raise ValueError("no good")

    async def scenario() -> None:
        broken = Broken(name="broken")
        async with running(broken) as chain:
            chain.hear(bytes(640))
            chain.hear(bytes(640))
            await settled()
            assert [(e.processor, e.error) for e in chain.errors] == [(broken, "broken: no good")]

    run(scenario())


def test_an_error_in_note_still_passes_the_frame_on() -> None:
    class Broken(Processor):
        def note(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, InterruptionFrame):
                raise ValueError("no good")

    async def scenario() -> None:
        async with running(Broken(name="broken")) as chain:
            await chain.down(InterruptionFrame())
            await settled()
            assert chain.last.frames(InterruptionFrame)
            assert [e.error for e in chain.errors] == ["broken: no good"]

    run(scenario())


def test_audio_before_start_and_after_end_is_dropped_and_counted() -> None:
    async def scenario() -> None:
        probe = Probe("probe")
        probe.receive_audio(speech(bytes(2)))
        async with running(probe) as chain:
            chain.speak(bytes(2))
        probe.receive_audio(speech(bytes(2)))
        assert len(probe.audio) == 1
        assert probe.dropped_audio == 2

    run(scenario())


def test_audio_of_another_format_is_refused_by_name() -> None:
    class Picky(Processor):
        def handle_audio(self, frame: AudioRawFrame) -> None:
            self.expect(frame, 16000)

    async def scenario() -> None:
        async with running(Picky(name="picky")) as chain:
            chain.hear(bytes(640), rate_hz=48000, channels=2)
            await settled()
            assert "picky takes 16000 Hz with 1 channel(s), but got 48000 Hz with 2" in str(
                chain.errors[0].error
            )

    run(scenario())


def test_the_outbox_drops_the_oldest_microphone_audio_and_nothing_else() -> None:
    async def scenario() -> list[object]:
        delivered: list[object] = []

        async def deliver(item: Frame | Exception, _: FrameDirection) -> None:
            delivered.append(item)

        outbox = Outbox(deliver, limit=2)
        text = TextFrame("stays")
        microphone = [
            InputAudioRawFrame(audio=bytes([n, n]), sample_rate=16000, num_channels=1)
            for n in range(4)
        ]
        outbox.put(text, DOWNSTREAM)
        for frame in microphone:
            outbox.put(frame, DOWNSTREAM)
        assert outbox.dropped_audio == 2
        task = asyncio.create_task(outbox.run())
        await settled()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return [delivered == [text, *microphone[2:]], outbox.waiting]

    assert run(scenario()) == [True, False]


def test_the_outbox_refuses_speech_beyond_its_bound_and_takes_control_frames() -> None:
    async def scenario() -> None:
        async def deliver(item: Frame | Exception, _: FrameDirection) -> None: ...

        outbox = Outbox(deliver, speech_limit=2)
        outbox.put(speech(bytes(2)), DOWNSTREAM)
        outbox.put(speech(bytes(2)), DOWNSTREAM)
        with pytest.raises(OverflowError):
            outbox.put(speech(bytes(2)), DOWNSTREAM)
        outbox.put(TextFrame("stays"), DOWNSTREAM)

    run(scenario())


class Watching(BaseObserver):
    """Keeps the audio that it sees being pushed, and by whom."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bytes]] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        if isinstance(data.frame, AudioRawFrame):
            self.seen.append((data.source.name, data.frame.audio))


@pytest.mark.parametrize("observed", [True, False])
def test_observers_see_audio_where_a_processor_is_told_so_and_nowhere_else(observed: bool) -> None:
    async def scenario() -> None:
        told, other, observer = Probe("told"), Probe("other"), Watching()
        told.observe_audio = observed
        async with running(told, other) as chain:
            chain.worker.add_observer(observer)
            frames = [bytes([number] * 2) for number in range(5)]
            for frame in frames:
                chain.speak(frame)
            await chain.down(TextFrame("end"))
            await settled(100)
            assert [frame.audio for frame in chain.last.audio] == frames
        mine = [seen for name, seen in observer.seen if name == "told"]
        assert mine == (frames if observed else [])
        assert not [name for name, _ in observer.seen if name == "other"]

    run(scenario())


class Picky(Processor):
    """Hears one kind of frame."""

    hears = (UserTurnCommittedFrame,)

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Frame] = []

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        self.heard.append(frame)


class Curious(Picky):
    """Acts on frames and does not say on which."""

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        super().note(frame, direction)


class UserFrame(UserTurnCommittedFrame):
    """Of a kind that is heard."""


class Idle(Processor):
    """Acts upon nothing."""


def kinds(processor: Picky) -> list[type[Frame]]:
    return [type(frame) for frame in processor.heard]


@pytest.mark.parametrize("direction", FrameDirection)
def test_frames_go_past_who_does_not_hear_them(direction: FrameDirection) -> None:
    async def scenario() -> None:
        picky, curious = Picky(), Curious()
        async with running(Idle(), picky, Idle(), curious, Idle()) as chain:
            picky.heard.clear()
            curious.heard.clear()
            sent = [TextFrame("word"), UserFrame(item_id="i"), SpeechDroppedFrame()]
            send = chain.down if direction is DOWNSTREAM else chain.up
            for frame in [*sent, InterruptionFrame()]:
                await send(frame)
            assert kinds(picky) == [UserFrame]
            assert kinds(curious) == [TextFrame, UserFrame, SpeechDroppedFrame, InterruptionFrame]
            end = chain.last if direction is DOWNSTREAM else chain.first
            assert [f for f, way in end.seen if way is direction and f in sent] == sent

    run(scenario())


def test_who_acts_by_a_class_beside_ours_hears_everything() -> None:
    class Acting:
        def note(self, frame: Frame, direction: FrameDirection) -> None:
            seen.append(type(frame))

    class Mixed(Acting, Picky):
        pass

    seen = list[type[Frame]]()

    async def scenario() -> None:
        async with running(Mixed()) as chain:
            await chain.down(TextFrame("word"))
            await settled()
        assert TextFrame in seen

    assert getattr(Mixed, "hears") is None  # noqa: B009
    run(scenario())


def test_what_is_emitted_is_not_overtaken_by_what_goes_past() -> None:
    async def scenario() -> None:
        picky = Picky()
        async with running(picky) as chain:
            picky.emit(TextFrame("first"))
            await chain.down(TextFrame("second"))
            await settled()
            assert [f.text for f in chain.last.frames(TextFrame)] == ["first", "second"]

    run(scenario())


def test_who_asks_about_a_processors_frames_is_told_of_all() -> None:
    async def scenario() -> None:
        told: list[Frame] = []
        idle = Idle()

        @idle.event_handler("on_before_process_frame")  # type: ignore[untyped-decorator]
        async def on_frame(_: FrameProcessor, frame: Frame) -> None:
            told.append(frame)

        async with running(idle) as chain:
            frame = TextFrame("word")
            await chain.down(frame)
            await settled()
            assert frame in told

    run(scenario())


@pytest.mark.parametrize("when", ["on_before_push_frame", "on_after_push_frame"])
def test_who_asks_what_a_processor_pushes_is_told_of_all(when: str) -> None:
    async def scenario() -> None:
        told: list[Frame] = []
        async with running(Idle()) as chain:

            @chain.first.event_handler(when)  # type: ignore[untyped-decorator]
            async def on_frame(_: FrameProcessor, frame: Frame) -> None:
                told.append(frame)

            frame = TextFrame("word")
            await chain.down(frame)
            await settled()
            assert frame in told

    run(scenario())


class Recording(BaseObserver):
    """Keeps who pushed a word to whom, and who processed it."""

    observe_every_push = True

    def __init__(self) -> None:
        super().__init__()
        self.pushed: list[tuple[str, str]] = []
        self.processed: list[str] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        if isinstance(data.frame, TextFrame) and data.direction is DOWNSTREAM:
            self.pushed.append((data.source.name, data.destination.name))

    async def on_process_frame(self, data: FrameProcessed) -> None:
        if isinstance(data.frame, TextFrame):
            self.processed.append(data.processor.name)


def test_observers_see_who_pushes_and_who_hears() -> None:
    async def scenario() -> None:
        observer, idle, curious = Recording(), Idle(name="idle"), Curious()
        async with running(idle, curious) as chain:
            chain.worker.add_observer(observer)
            await chain.down(TextFrame("word"))
            await settled(100)
        assert observer.pushed[:2] == [("first", "idle"), (curious.name, "last")]
        assert observer.processed[:2] == [curious.name, "last"]

    run(scenario())


class Failing(Processor):
    """Fails on words, when it has heard them or when they are behind it."""

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            raise ValueError("no words")
        await self.push_frame(frame, direction)


class Refusing(Processor):
    """Takes no words."""

    async def queue_frame(self, frame: Frame, *rest: Any) -> None:
        if isinstance(frame, TextFrame):
            raise ValueError("no words")
        await super().queue_frame(frame, *rest)


@pytest.mark.parametrize(
    ("processor", "told"),
    [(Failing, "Error processing frame: no words"), (Refusing, "Uncaught exception: no words")],
)
def test_a_processor_that_fails_on_a_frame_is_told_of(
    processor: type[Processor], told: str
) -> None:
    async def scenario() -> None:
        async with running(processor()) as chain:
            await chain.down(TextFrame("word"))
            await chain.down(SpeechDroppedFrame())
            await settled()
            assert [error.error for error in chain.errors] == [told]
            assert chain.errors[0].category is ErrorCategory.UNKNOWN
            assert len(chain.last.frames(SpeechDroppedFrame)) == 1

    run(scenario())


class Beside(FrameProcessor):
    """A class of pipecat's that acts, behind ours in the order of classes."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TextFrame):
            frame.text += "s"

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        if isinstance(frame, TextFrame):
            frame.text = frame.text.upper()
        await super().push_frame(frame, direction)


class Both(Processor, Beside):
    """Ours, and one of pipecat's."""


def test_a_class_between_ours_and_pipecats_has_all_frames() -> None:
    async def scenario() -> None:
        async with running(Both()) as chain:
            await chain.down(TextFrame("word"))
            await settled()
            assert [frame.text for frame in chain.last.frames(TextFrame)] == ["WORDS"]

    run(scenario())


class Hushed(Processor):
    """Counts how often it is told to fall silent."""

    hears = ()
    times = 0

    def fall_silent(self) -> None:
        self.times += 1


class Keeping(Processor):
    """May keep what it hears."""

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, InterruptionFrame):
            await self.push_frame(frame, direction)


class Deaf(Keeping):
    """Hears something else."""

    hears = (UserTurnCommittedFrame,)


class Passing(Processor):
    """Acts, and passes on."""

    hears = passes_on = (InterruptionFrame,)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)


@pytest.mark.parametrize(
    ("between", "times"), [(Idle, 1), (Deaf, 1), (Passing, 1), (Keeping, 0), (Queued, 0)]
)
def test_a_hush_goes_as_far_as_the_frame_behind_it_surely_does(
    between: type[FrameProcessor], times: int
) -> None:
    async def scenario() -> None:
        near, far = Hushed(), Hushed()
        async with running(near, between(), far) as chain:
            chain.first.hush(InterruptionFrame)
            assert (near.times, far.times) == (1, times)

    run(scenario())


def test_a_processor_that_never_emits_has_no_task() -> None:
    async def scenario() -> None:
        quiet, loud = Processor(name="quiet"), Processor(name="loud")
        async with running(quiet, loud) as chain:
            chain.speak(bytes(2))
            loud.emit(TextFrame("loud"))
            await settled()
            names = [task.get_name() for task in asyncio.all_tasks()]
            assert [name for name in names if name.startswith("loud::")]
            assert not [name for name in names if name.startswith("quiet::")]
            assert chain.last.frames(TextFrame)

    run(scenario())


Step = st.sampled_from(["audio", "text", "system", "interrupt", "yield"])


@given(st.lists(Step, max_size=30), st.lists(Step, max_size=30))
@settings(max_examples=30, deadline=None)
def test_two_tasks_inside_one_processor_keep_the_order_of_each(
    one: list[str], two: list[str]
) -> None:
    """Direct mode is re-entrant: whatever is interleaved, each task's frames stay in order."""

    async def scenario() -> None:
        async with running(Queued(), Probe("inside"), Queued()) as chain:

            async def act(name: str, steps: list[str]) -> None:
                for number, step in enumerate(steps):
                    label = f"{name}{number}"
                    match step:
                        case "audio":
                            chain.hear(label.ljust(10).encode())
                        case "text":
                            await chain.down(TextFrame(label))
                        case "system":
                            frame = SystemFrame()
                            frame.metadata["label"] = label
                            await chain.down(frame)
                        case "interrupt":
                            await chain.down(InterruptionFrame())
                        case _:
                            await asyncio.sleep(0)

            await asyncio.gather(act("a", one), act("b", two))
            await settled(300)
            for name in "ab":
                heard = [f.audio.decode().strip() for f in chain.last.audio]
                mine = [int(label[1:]) for label in heard if label.startswith(name)]
                sent = one if name == "a" else two
                assert mine == [n for n, step in enumerate(sent) if step == "audio"]
                system = [
                    int(f.metadata["label"][1:])
                    for f in chain.last.frames(SystemFrame)
                    if f.metadata.get("label", "").startswith(name)
                ]
                assert system == [n for n, step in enumerate(sent) if step == "system"]
            assert not chain.errors

    run(scenario())
