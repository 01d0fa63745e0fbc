"""A sound card that is not there, at the public API of `sounddevice`, on the running loop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from crossfade.audio.pcm import SAMPLE_BYTES

OFFSET_S = 5000.0
"""Its clock is not the loop's."""
LATENCY_S = 0.012
"""From the callback to the ear."""


class PortAudioError(Exception):
    """As the library's."""


def device(name: str, *, inputs: int = 0, outputs: int = 0, rate_hz: float = 48000.0) -> Any:
    """An entry of `query_devices`."""
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": rate_hz,
    }


LAPTOP = (
    device("Built-in Microphone", inputs=1),
    device("Built-in Speakers", outputs=2),
    device("USB Headset", inputs=1, outputs=2, rate_hz=44100.0),
)


@dataclass
class SoundCards:
    """Stands in for the module. Whoever opens a stream hears what `say` was given, and what they
    play is in `sounded`.

    `drift` is how much faster the card's clock goes than the loop's.
    """

    found: Sequence[Any] = LAPTOP
    drift: float = 0.0
    tells_when: bool = True
    """Whether a block's time is told."""
    refuses: Callable[[Mapping[str, Any]], str | None] = lambda settings: None
    """Why a stream is not opened."""
    sounded: list[tuple[float, bytes]] = field(default_factory=list)
    """What was played, in blocks, with the card's time at which each begins to sound."""
    opened: list["Stream"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.PortAudioError = PortAudioError
        self.default = SimpleNamespace(device=(0, 1))
        self._said = bytearray()
        self.gone = False

    def query_devices(self) -> Sequence[Any]:
        return self.found

    def RawInputStream(self, **settings: Any) -> "Stream":
        return self._open("input", settings)

    def RawOutputStream(self, **settings: Any) -> "Stream":
        return self._open("output", settings)

    @property
    def time_s(self) -> float:
        return asyncio.get_running_loop().time() * (1 + self.drift) + OFFSET_S

    def say(self, pcm: bytes) -> None:
        """Speak into the microphone, s16le at its rate and channels."""
        self._said += pcm

    def heard(self, length_bytes: int) -> bytes:
        """The next of it, or silence."""
        pcm = bytes(self._said[:length_bytes])
        del self._said[:length_bytes]
        return pcm.ljust(length_bytes, b"\0")

    def played(self) -> bytes:
        """All that was played."""
        return b"".join(pcm for _, pcm in self.sounded)

    def disconnect(self) -> None:
        """The card is pulled out."""
        self.gone = True
        for stream in self.opened:
            stream.stop()

    def freeze(self) -> None:
        """The card's thread calls no more, and tells nothing."""
        for stream in self.opened:
            stream.freeze()

    def _open(self, kind: str, settings: Mapping[str, Any]) -> "Stream":
        if (why := self.refuses({"kind": kind, **settings})) is not None:
            raise PortAudioError(why)
        stream = Stream(self, kind, settings)
        self.opened.append(stream)
        return stream


class Stream:
    """Calls back each block, as the card's thread does."""

    latency = LATENCY_S

    def __init__(self, card: SoundCards, kind: str, settings: Mapping[str, Any]) -> None:
        self._card, self._kind = card, kind
        self.settings = settings
        self._samples = settings["blocksize"]
        self._bytes = self._samples * settings["channels"] * SAMPLE_BYTES
        self._block_s = self._samples / settings["samplerate"] / (1 + card.drift)
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def time(self) -> float:
        # Some drivers have no time of a device that is not there.
        if self._card.gone:
            raise PortAudioError("Error getting stream time")
        return self._card.time_s

    def start(self) -> None:
        self._due_s = asyncio.get_running_loop().time()
        self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.settings["finished_callback"]()

    def close(self) -> None:
        self.stop()

    def freeze(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self._due_s += self._block_s
        self._timer = asyncio.get_running_loop().call_at(self._due_s, self._block)

    def _block(self) -> None:
        self._arm()
        status = SimpleNamespace(input_overflow=False, output_underflow=False)
        now_s = self._card.time_s
        when = now_s + LATENCY_S
        told = when if self._card.tells_when else 0.0
        time = SimpleNamespace(
            currentTime=now_s, inputBufferAdcTime=now_s, outputBufferDacTime=told
        )
        if self._kind == "input":
            data = self._card.heard(self._bytes)
            self.settings["callback"](memoryview(data), self._samples, time, status)
            return
        buffer = bytearray(self._bytes)
        self.settings["callback"](memoryview(buffer), self._samples, time, status)
        self._card.sounded.append((when, bytes(buffer)))
