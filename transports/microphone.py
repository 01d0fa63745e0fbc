"""The sound card of this machine as a transport: microphone in, loudspeaker out."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import StreamResampler
from crossfade.errors import ConnectionLost, CrossfadeError, SettingsError
from crossfade.frames.audio import OutputAudioRawFrame, TTSStoppedFrame
from crossfade.frames.control import Frame, InterruptionFrame
from crossfade.processors.base import DOWNSTREAM, FrameDirection
from crossfade.processors.metronome import PERIOD_MS

from .input import InputTransport
from .level_meter import LevelMeter
from .output import OutputTransport
from .push_to_talk import TalkKey
from .sound_buffers import HeardSound, PlayedSound
from .sound_card import Device, Kind

BLOCK_MS = 10
"""The card asks for, and gives, so much at once."""
STALLED_S = 5.0
"""A card that gives nothing for so long is lost, whether it tells so or not."""


class MicrophoneInput(InputTransport):
    """What the microphone hears, in frames of 20 ms.

    Args:
        heard: Filled by the card's thread.
        card_rate_hz: Its rate.
        rate_hz: Of the frames.
        key: Opens the microphone; None leaves it open.
        meter: Told of what is heard.
    """

    def __init__(
        self,
        heard: HeardSound,
        *,
        card_rate_hz: int,
        rate_hz: int,
        key: TalkKey | None,
        meter: LevelMeter,
    ) -> None:
        super().__init__(rate_hz=rate_hz)
        self._heard = heard
        self._resampler = StreamResampler(card_rate_hz, rate_hz)
        self._frame_bytes = rate_hz * PERIOD_MS // 1000 * SAMPLE_BYTES
        self._rest = b""
        self._key = key
        self._meter = meter

    def take(self) -> None:
        """Hear what has come."""
        self._rest += self._resampler.process(self._heard.take())
        while len(self._rest) >= self._frame_bytes:
            pcm, self._rest = self._rest[: self._frame_bytes], self._rest[self._frame_bytes :]
            self._meter.note(pcm)
            if self._key is not None:
                self._key.look(asyncio.get_running_loop().time())
                if not self._key.is_open:
                    pcm = bytes(len(pcm))
            self.hear(pcm)


class SpeakerOutput(OutputTransport):
    """Plays by the card's clock, and knows from it what has sounded.

    What the card has been given and what it says of when that sounds tell the position; it errs
    by a chunk of 20 ms, and by what lies behind the card without its knowing, such as a wireless
    headset.

    Args:
        played: Emptied by the card's thread.
        card_rate_hz: Its rate.
        rate_hz: Of the speech.
    """

    hears = (InterruptionFrame, TTSStoppedFrame)

    def __init__(self, played: PlayedSound, *, card_rate_hz: int, rate_hz: int) -> None:
        super().__init__(rate_hz=rate_hz)
        self._played = played
        self._card_rate_hz = card_rate_hz
        self._resampler = StreamResampler(rate_hz, card_rate_hz)
        self._written = 0
        self._counted = 0
        """Counts as heard though the card has not said so: the ends of responses."""
        self.card_time_s = asyncio.get_running_loop().time
        """The card's clock."""

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        self._written += frame.num_frames
        self._played.add(self._resampler.process(frame.audio))

    def heard_until_s(self, now_s: float) -> float:
        sounded = self._played.played(self.card_time_s()) * self._rate_hz // self._card_rate_hz
        heard = max(sounded, self._counted)
        return self.end_of_heard_s(heard - self._written + self.unheard_samples)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is DOWNSTREAM and isinstance(frame, TTSStoppedFrame):
            self._counted = self._written
            self._played.add(self._resampler.flush())
        super().note(frame, direction)
        if direction is DOWNSTREAM and isinstance(frame, InterruptionFrame):
            self.forget_unheard()
            self._played.clear()
            self._resampler.flush()
            self._written = self._counted = 0


class MicrophoneTransport(BaseTransport):
    """A call by the sound card. Enter it to open the card.

    Args:
        library: The module `sounddevice`, or what behaves like it.
        microphone: What hears.
        loudspeaker: What plays.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        key: Opens the microphone; None leaves it open.
        meter: Told how loud the microphone is.

    Both devices run at rates of their own, and are converted.
    """

    def __init__(
        self,
        library: Any,
        microphone: Device,
        loudspeaker: Device,
        *,
        in_rate_hz: int = 16000,
        out_rate_hz: int = 24000,
        key: TalkKey | None = None,
        meter: LevelMeter | None = None,
    ) -> None:
        super().__init__()
        self._library = library
        self._microphone, self._loudspeaker = microphone, loudspeaker
        self._loop = asyncio.get_running_loop()
        self._heard = HeardSound(microphone.rate_hz)
        self._played = PlayedSound(loudspeaker.rate_hz)
        self._input = MicrophoneInput(
            self._heard,
            card_rate_hz=microphone.rate_hz,
            rate_hz=in_rate_hz,
            key=key,
            meter=meter or LevelMeter(),
        )
        self._output = SpeakerOutput(
            self._played, card_rate_hz=loudspeaker.rate_hz, rate_hz=out_rate_hz
        )
        self._channels: dict[Kind, int] = {}
        self._speaker: Any = None
        self._clock_s = 0.0
        self._closing = False
        self._blocks = 0
        """That the microphone gave."""
        self._over = asyncio.Event()
        self.failure: ConnectionLost | None = None
        """Why the card was lost; None while it is not."""
        self.overflows = 0
        """How often the card itself lost what the microphone heard."""
        self.underflows = 0
        """How often it had nothing to play, and crackled."""

    def input(self) -> FrameProcessor:
        return self._input

    def output(self) -> FrameProcessor:
        return self._output

    @property
    def dropped_ms(self) -> float:
        """Of the microphone, because the loop was too slow to take it."""
        return self._heard.dropped_samples * 1000 / self._microphone.rate_hz

    @contextlib.contextmanager
    def opened(self) -> Iterator["MicrophoneTransport"]:
        """Hear and play for as long as the block runs.

        Raises:
            SettingsError: A device cannot be used.
        """
        library = self._library
        with contextlib.ExitStack() as stack:
            hearing = self._open(library.RawInputStream, self._hear, self._microphone, "input")
            stack.callback(hearing.close)
            self._speaker = self._open(
                library.RawOutputStream, self._play, self._loudspeaker, "output"
            )
            stack.callback(self._speaker.close)
            stack.callback(self._close)
            self._output.card_time_s = self._card_time_s
            self._start(self._speaker, self._loudspeaker)
            self._start(hearing, self._microphone)
            yield self

    def hang_up(self) -> None:
        """The caller has had enough."""
        self._over.set()

    async def hung_up(self) -> None:
        """Wait until the caller hangs up, or the card is lost."""
        blocks = -1
        while not self._over.is_set():
            if self._blocks == blocks:
                self._lose()
            blocks = self._blocks
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STALLED_S):
                    await self._over.wait()

    def explain(self, error: CrossfadeError) -> CrossfadeError:
        """Why the call failed: the card has no part in it, unless it is lost."""
        return self.failure or error

    # The card's side: its thread calls

    def _hear(self, data: Any, frames: int, time: Any, status: Any) -> None:
        self._blocks += 1
        self.overflows += bool(status.input_overflow)
        if self._heard.put(mixed_down(bytes(data), self._channels["input"])):
            self._soon(self._input.take)

    def _play(self, data: Any, frames: int, time: Any, status: Any) -> None:
        self.underflows += bool(status.output_underflow)
        # Some drivers do not tell when a block sounds; then it is its turn after those before.
        sounds_at_s = time.outputBufferDacTime or self._speaker.time + self._speaker.latency
        pcm = self._played.fill(frames, sounds_at_s)
        data[:] = spread(pcm, self._channels["output"])

    def _ended(self) -> None:
        self._soon(self._lose)

    def _soon(self, do: Any) -> None:
        # The loop may be closed already when the card's thread comes to its last block.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(do)

    # The loop's side

    def _lose(self) -> None:
        if not self._closing and self.failure is None:
            self.failure = ConnectionLost(
                f"the sound card stopped ({self._microphone.name} and {self._loudspeaker.name}); "
                "was it disconnected?"
            )
            self._over.set()

    def _close(self) -> None:
        self._closing = True

    def _card_time_s(self) -> float:
        """The card's clock; that of a card which is gone may be, too, and stands then."""
        with contextlib.suppress(self._library.PortAudioError):
            self._clock_s = float(self._speaker.time)
        return self._clock_s

    def _open(self, stream: Any, callback: Any, device: Device, kind: Kind) -> Any:
        """In mono, or in stereo if the card has nothing else."""
        most = device.inputs if kind == "input" else device.outputs
        for channels in sorted({1, min(2, most)}):
            self._channels[kind] = channels
            try:
                return stream(
                    device=device.number,
                    samplerate=device.rate_hz,
                    blocksize=device.rate_hz * BLOCK_MS // 1000,
                    channels=channels,
                    dtype="int16",
                    latency="low",
                    callback=callback,
                    finished_callback=self._ended,
                )
            except self._library.PortAudioError as error:
                failure = error
        raise self._unusable(device, failure) from failure

    def _start(self, stream: Any, device: Device) -> None:
        try:
            stream.start()
        except self._library.PortAudioError as error:
            raise self._unusable(device, error) from error

    @staticmethod
    def _unusable(device: Device, error: Exception) -> SettingsError:
        return SettingsError(
            f"the sound card {device} cannot be used: {error}; choose another one of those that "
            "--list-devices shows"
        )


def mixed_down(pcm: bytes, channels: int) -> bytes:
    """The mean of all channels, s16le."""
    if channels == 1:
        return pcm
    samples = np.frombuffer(pcm, "<i2").reshape(-1, channels)
    mixed: bytes = samples.mean(axis=1).astype("<i2").tobytes()
    return mixed


def spread(pcm: bytes, channels: int) -> bytes:
    """The same on all channels, s16le."""
    if channels == 1:
        return pcm
    both: bytes = np.frombuffer(pcm, "<i2").repeat(channels).tobytes()
    return both


__all__ = ["BLOCK_MS", "STALLED_S", "MicrophoneInput", "MicrophoneTransport", "SpeakerOutput"]
