"""The person at the other end of a call from the terminal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.vad import VoiceDetector
from crossfade.errors import ConnectionLost, CrossfadeError
from crossfade.transports.keyboard import keys_of_terminal
from crossfade.transports.level_meter import LevelMeter
from crossfade.transports.microphone import MicrophoneTransport
from crossfade.transports.push_to_talk import TalkKey, key_detector
from crossfade.transports.rooms import RoomCaller, daily_room, livekit_room
from crossfade.transports.sound_card import choose, devices, echo_warning, sound_library

from .live_options import LiveSettings

_TALK_KEY = " "


class Caller(Protocol):
    """Somebody who may hang up."""

    @property
    def failure(self) -> ConnectionLost | None:
        """Why the line was lost; None while it is not."""

    def hang_up(self) -> None:
        """End the call from here."""

    async def hung_up(self) -> None:
        """Wait for the end of the call."""

    def explain(self, error: CrossfadeError) -> CrossfadeError:
        """Why the call failed, as far as the line knows better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCaller:
    """A person, and how they are heard."""

    transport: BaseTransport
    detector: VoiceDetector | None = None
    """Hears when they speak; None hears it by their voice."""
    remarks: Callable[[], Sequence[str]] = tuple
    """What is to be said of the line when the call is over."""


@dataclass(slots=True)
class Meter:
    """What the terminal shows below the words: how loud the microphone is, and if it is open."""

    level: LevelMeter | None = None
    key: TalkKey | None = None

    def line(self) -> str:
        """In one line; empty where nobody speaks by the sound card."""
        if self.level is None:
            return ""
        told = f"mic {self.level.bar()}"
        if self.level.is_dead:
            return f"{told}  nothing at all: is it muted, or not allowed?"
        if self.key is None:
            return told
        return f"{told}  {'● hears you' if self.key.is_open else 'space bar: talk'}"


@contextlib.asynccontextmanager
async def live_caller(
    settings: LiveSettings, *, announce: Callable[[str], None], meter: Meter | None = None
) -> AsyncIterator[tuple[LiveCaller, Caller]]:
    """The person that the settings name, and how they hang up.

    Args:
        settings: One place.
        announce: Told in one line what the person should know.
        meter: Filled with what is to be shown.

    Raises:
        SettingsError: The place cannot be used.
        ConnectionLost: The room does not answer.
    """
    if settings.microphone:
        with _at_the_microphone(settings, announce, meter or Meter()) as person:
            yield person
        return
    if settings.livekit is not None and settings.room is not None:
        where, room = settings.livekit, livekit_room(settings.livekit, settings.room)
        caller = RoomCaller(room, "livekit", where)
    else:
        assert settings.daily is not None
        where, room = settings.daily, await daily_room(settings.daily)
        caller = RoomCaller(room, "daily", where)
    announce(f"joining the room at {where}")
    yield LiveCaller(transport=room), caller


@contextlib.contextmanager
def _at_the_microphone(
    settings: LiveSettings, announce: Callable[[str], None], meter: Meter
) -> Iterator[tuple[LiveCaller, Caller]]:
    library = sound_library()
    found = devices(library)
    hears = choose(found, "input", settings.input_device)
    plays = choose(found, "output", settings.output_device)
    key = TalkKey() if settings.push_to_talk else None
    level = LevelMeter()
    transport = MicrophoneTransport(library, hears, plays, key=key, meter=level)
    with contextlib.ExitStack() as stack:
        if key is not None:
            press = _pressing(key)
            stack.enter_context(keys_of_terminal(press))
        stack.enter_context(transport.opened())
        announce(f"microphone: {hears.name}; loudspeaker: {plays.name}; Ctrl-C hangs up")
        if key is not None:
            announce("Hold the space bar while you speak, or press it before and after.")
        elif warning := echo_warning(plays):
            announce(f"warning: {warning}")
        meter.level, meter.key = level, key
        person = LiveCaller(
            transport=transport,
            detector=None if key is None else key_detector(key),
            remarks=lambda: _remarks(transport),
        )
        yield person, transport


def _pressing(key: TalkKey) -> Callable[[str], None]:
    loop = asyncio.get_running_loop()

    def press(character: str) -> None:
        if character == _TALK_KEY:
            key.press(loop.time())

    return press


def _remarks(transport: MicrophoneTransport) -> list[str]:
    told = []
    if transport.dropped_ms:
        told.append(
            f"{transport.dropped_ms:.0f} ms of the microphone were dropped: the machine was busy"
        )
    if transport.overflows or transport.underflows:
        told.append(
            f"the sound card ran over {transport.overflows} times and dry "
            f"{transport.underflows} times"
        )
    return told


__all__ = ["Caller", "LiveCaller", "Meter", "live_caller"]
