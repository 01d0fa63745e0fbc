"""The base of Crossfade's processors: audio by plain calls, everything else by pipecat's way."""

from collections.abc import Callable
from typing import Any, ClassVar

from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import (
    AudioRawFrame,
    CancelFrame,
    EndFrame,
    Frame,
    FrameProcessorPauseFrame,
    FrameProcessorPauseUrgentFrame,
    FrameProcessorResumeFrame,
    FrameProcessorResumeUrgentFrame,
    InterruptionFrame,
    StartFrame,
    StopFrame,
    SystemFrame,
)
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.processors.frame_processor import (
    FrameCallback,
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)
from pipecat.utils.errors import ErrorCategory

from crossfade.errors import SoundError

from .outbox import Outbox

__all__ = ["DOWNSTREAM", "UPSTREAM", "FrameDirection", "Processor"]

DOWNSTREAM = FrameDirection.DOWNSTREAM
UPSTREAM = FrameDirection.UPSTREAM

_HEARD_BY_ALL = (
    StartFrame,
    EndFrame,
    CancelFrame,
    StopFrame,
    FrameProcessorPauseFrame,
    FrameProcessorPauseUrgentFrame,
    FrameProcessorResumeFrame,
    FrameProcessorResumeUrgentFrame,
)
_PIPECATS_OWN = (InterruptionFrame, *_HEARD_BY_ALL)
"""What pipecat itself acts upon in each processor."""
_pipecats: dict[type[Frame], bool] = {}
"""Whether frames of a kind are among them: asked twice for each frame in each processor."""
_FRAME_EVENTS = frozenset(
    f"on_{when}_{what}_frame" for when in ("before", "after") for what in ("process", "push")
)
_PUSHES = ("forward", "process_frame", "queue_frame", "push_frame")
_ACTS = frozenset({"note", *_PUSHES})

_Way = tuple[FrameProcessor, tuple["Processor", ...]]
"""Where a frame goes, and who is passed over."""


class Processor(FrameProcessor):
    """A pipecat processor in direct mode whose audio takes no queue, task, hook or observer.

    Audio flows downstream only and is handed to the next of our processors by a plain call. All
    other frames take pipecat's ordinary way, without its hooks where nobody has any, and without a
    line in the log at level TRACE. A stock processor may stand anywhere in the chain; towards it
    audio goes through a bounded outbox, which keeps the order of all frames.

    Direct mode is re-entrant: the receive loop, the transport and the tool tasks all run inside
    the same processors. Hence the contract of a subclass:

    - `handle_audio` is synchronous. It neither awaits nor blocks; I/O goes to a bounded queue with
      a task of its own; frames it causes go through `emit`. What it raises becomes an ErrorFrame
      of this processor and never reaches the caller; a run of failures is reported once.
    - `note` is synchronous and runs first, before anything is awaited: all state that a control
      frame changes is changed there, such as closing the gate of a response.
    - `forward` then awaits what it must and pushes the frame on.
    - Audio before Start and after End or Cancel is dropped and counted in `dropped_audio`.
    - `hears` names the control frames that `note` and `forward` act upon. All others go past: a
      word of the agent's answer, or an interruption, is acted upon by few of those that it passes.
      What begins, ends or pauses a chain is heard by all. A subclass that overrides either function
      and does not say what it hears, hears everything. Nothing goes past what waits in an outbox.
    - `hush` stops what is played at once, by a plain call of `fall_silent` on those that follow;
      the frame that says why goes from one to the next behind it. The call goes no further than
      that frame surely does: past who does not hear it, pushes frames as this class does, or names
      it in `passes_on`.
    - Only the public `next` and `previous` are used to find a neighbour, once a start. A processor
      of ours that leaves `handle_audio` alone is passed over by audio.

    Observers see all frames but audio, where each is pushed first and wherever it is heard. To have
    them see audio, too, set `observe_audio` before the start, on the class or on one processor:
    what that one pushes then takes pipecat's ordinary way, through the outbox, and costs what that
    costs.
    """

    observe_audio = False
    hears: ClassVar[tuple[type[Frame], ...] | None] = ()
    passes_on: ClassVar[tuple[type[Frame], ...]] = ()
    _only_pushes: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._only_pushes = all(getattr(cls, act) is getattr(Processor, act) for act in _PUSHES)
        for each in cls.__mro__:
            if "hears" in vars(each):
                break
            if not _ACTS.isdisjoint(vars(each)):
                cls.hears = None
                break

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name=name, enable_direct_mode=True)
        self.dropped_audio = 0
        """Audio frames that came before Start or after End or Cancel."""
        self._open = False
        self._failing = False
        self._outbox = Outbox(self._deliver)
        self._feeds_ours: bool | None = None
        self.push_audio: Callable[[AudioRawFrame], None] = self._find_way
        """Hands an audio frame to the next processor."""
        self._ways_down: dict[type[Frame], _Way | None] = {}
        self._ways_up: dict[type[Frame], _Way | None] = {}
        # A class of the application's between ours and pipecat's is to have all frames, too.
        self._watched = _behind_ours(type(self)) is not FrameProcessor
        # Taken from the set-up once: each look at it is a call.
        self._chain_clock: BaseClock | None = None
        self._chain_observer: BaseObserver | None = None

    # What a subclass overrides

    def handle_audio(self, frame: AudioRawFrame) -> None:
        """Take one audio frame; the default hands it on."""
        self.push_audio(frame)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        """Change state for a control frame, before anything is awaited."""

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        """Act on a control frame and push it on; the default only pushes."""
        await self.push_frame(frame, direction)

    def fall_silent(self) -> None:
        """Write no sound before a frame comes that interrupts, holds or resumes what is played."""

    # What a subclass calls

    def emit(self, frame: Frame, direction: FrameDirection = DOWNSTREAM) -> None:
        """Push a control frame from a synchronous handler, in the order of the calls."""
        self._outbox.put(frame, direction)

    def hush(self, kind: type[Frame]) -> None:
        """Have those that follow fall silent, ahead of a frame of this kind that is pushed next."""
        there = self.next
        while isinstance(there, Processor):
            there.fall_silent()
            if not there._lets_pass(kind):
                return
            there = there.next

    @property
    def emitting(self) -> bool:
        """Whether emitted frames still wait, which audio pushed now would overtake."""
        return self._outbox.waiting and self.feeds_ours and not self.observe_audio

    @property
    def feeds_ours(self) -> bool:
        """Whether the next processor is one of ours."""
        if self._feeds_ours is None:
            self._feeds_ours = isinstance(self.next, Processor)
        return self._feeds_ours

    def expect(self, frame: AudioRawFrame, rate_hz: int, channels: int = 1) -> None:
        """Refuse audio of another rate or channel count.

        Raises:
            SoundError: Naming this processor, what came and what was expected.
        """
        if frame.sample_rate != rate_hz or frame.num_channels != channels:
            raise SoundError(
                f"{self.name} takes {rate_hz} Hz with {channels} channel(s), but got "
                f"{frame.sample_rate} Hz with {frame.num_channels}; put a Resampler before it, "
                "or give the transport that rate"
            )

    # The engine's side

    @property
    def overrun(self) -> int:
        """Microphone frames that were dropped because the processor behind was too slow."""
        return self._outbox.dropped_audio

    @property
    def open(self) -> bool:
        """Whether the chain runs: after Start, before End and Cancel."""
        return self._open

    def receive_audio(self, frame: AudioRawFrame) -> None:
        """Take audio from the processor before: never raises, never waits."""
        if not self._open:
            self.dropped_audio += 1
            return
        try:
            self.handle_audio(frame)
        except Exception as error:
            if not self._failing:
                self._failing = True
                self._outbox.report(error)
        else:
            self._failing = False

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        self._chain_clock, self._chain_observer = setup.clock, setup.observer
        self._outbox.start(lambda: self.create_task(self._outbox.run(), f"{self.name}::outbox"))

    async def cleanup(self) -> None:
        await super().cleanup()
        if task := self._outbox.stop():
            await self.cancel_task(task)

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        if isinstance(frame, AudioRawFrame) and direction is DOWNSTREAM and callback is None:
            self.receive_audio(frame)
            return
        if callback is not None or not self._open:
            await super().queue_frame(frame, direction, callback)
            return
        kind = type(frame)
        ways = self._ways_down if direction is DOWNSTREAM else self._ways_up
        if kind not in ways:
            ways[kind] = self._way_past(kind, direction)
        way = ways[kind]
        if way is not None and all(passed.gives_way for passed in way[1]):
            await way[0].queue_frame(frame, direction)
        elif self._watched or _is_pipecats(kind):
            await super().queue_frame(frame, direction)
        else:
            try:
                await self.process_frame(frame, direction)
            except Exception as error:
                await self._tell_error("Error processing frame", error)

    def add_event_handler(self, event_name: str, handler: Any) -> None:
        # Who asks about this processor's frames is told of all.
        self._watched = self._watched or event_name in _FRAME_EVENTS
        super().add_event_handler(event_name, handler)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        pipecats = _is_pipecats(type(frame))
        if pipecats and isinstance(frame, EndFrame | CancelFrame):
            self._open = False
        try:
            self.note(frame, direction)
        except Exception as error:
            self._outbox.report(error)
        if pipecats or self._watched:
            await super().process_frame(frame, direction)
        elif (clock := self._chain_clock) and (observer := self._chain_observer):
            processed = FrameProcessed(self, frame, direction, clock.get_time())
            await observer.on_process_frame(processed)
        if pipecats and isinstance(frame, StartFrame):
            self._feeds_ours, self.push_audio = None, self._find_way
            self._ways_down.clear()
            self._ways_up.clear()
            self._open = True
        await self.forward(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = DOWNSTREAM) -> None:
        """Push a frame, behind what waits in the outbox; system frames overtake it."""
        if self._outbox.waiting:
            if isinstance(frame, InterruptionFrame):
                self._outbox.interrupt()
            elif not isinstance(frame, SystemFrame):
                self._outbox.put(frame, direction)
                return
        await self._hand_on(frame, direction)

    async def _hand_on(self, frame: Frame, direction: FrameDirection) -> None:
        """Push a frame as pipecat does, but for the hooks, where nobody has any."""
        clock = self._chain_clock
        if self._watched or clock is None:
            await super().push_frame(frame, direction)
            return
        there = self.next if direction is DOWNSTREAM else self.previous
        if there is None:
            return
        try:
            if (observer := self._chain_observer) is not None:
                pushed = FramePushed(self, there, frame, direction, clock.get_time())
                await observer.on_push_frame(pushed)
            await there.queue_frame(frame, direction)
        except Exception as error:
            await self._tell_error("Uncaught exception", error)

    async def _tell_error(self, what: str, error: Exception) -> None:
        # Whose fault it is, is not known: those behind run within the call.
        unknown = ErrorCategory.UNKNOWN
        await self.push_error(f"{what}: {error}", exception=error, category=unknown)

    def _find_way(self, frame: AudioRawFrame) -> None:
        """Take the first audio, and find out where all of it goes: asking each time costs more
        than the call does."""
        neighbour = self.next
        if neighbour is None:
            self.push_audio = _nowhere
        elif self.observe_audio or not isinstance(neighbour, Processor):
            self.push_audio = self._put_audio
        else:
            while isinstance(neighbour.next, Processor) and neighbour.passes_audio:
                neighbour = neighbour.next
            self.push_audio = neighbour.receive_audio
        self.push_audio(frame)

    @property
    def passes_audio(self) -> bool:
        """Whether audio only passes."""
        own = type(self).handle_audio is not Processor.handle_audio
        return not own and not self.observe_audio

    @property
    def gives_way(self) -> bool:
        """Whether a frame that is not heard here may go past: nothing waits before it."""
        return self._open and not self._watched and not self._outbox.waiting

    def _hears(self, kind: type[Frame]) -> bool:
        return self.hears is None or issubclass(kind, (*self.hears, *_HEARD_BY_ALL))

    def _lets_pass(self, kind: type[Frame]) -> bool:
        """Whether a frame of this kind surely gets to who is next."""
        return self._only_pushes or issubclass(kind, self.passes_on) or not self._hears(kind)

    def _way_past(self, kind: type[Frame], direction: FrameDirection) -> _Way | None:
        """Where a frame goes that is not heard here; None if it is."""
        passed: list[Processor] = []
        there: FrameProcessor | None = self
        while isinstance(there, Processor) and not there._hears(kind):
            passed.append(there)
            there = there.next if direction is DOWNSTREAM else there.previous
        return (there, tuple(passed)) if passed and there is not None else None

    def _put_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, Frame):
            self._outbox.put(frame, DOWNSTREAM)

    async def _deliver(self, item: Frame | Exception, direction: FrameDirection) -> None:
        if isinstance(item, Exception):
            await self.push_error(f"{self.name}: {item}", exception=item)
        else:
            await self._hand_on(item, direction)


def _behind_ours(kind: type[Processor]) -> type:
    order = kind.__mro__
    return order[order.index(Processor) + 1]


def _is_pipecats(kind: type[Frame]) -> bool:
    known = _pipecats.get(kind)
    if known is None:
        known = _pipecats[kind] = issubclass(kind, _PIPECATS_OWN)
    return known


def _nowhere(frame: AudioRawFrame) -> None:
    """The end of a chain."""
