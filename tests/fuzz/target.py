"""What is fuzzed: one protocol, fed with a service's messages, whole and broken."""

import gc
import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import orjson

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    Say,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import AudioChunk, Event
from crossfade.providers.gemini_live import GeminiLiveProtocol
from crossfade.providers.moshi import MoshiProtocol
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from crossfade.providers.protocol import WireProtocol
from tests.providers.replay.session_file import Kind, Step, load
from tests.providers.wires import SESSIONS

PROTOCOLS: dict[str, Callable[[], WireProtocol]] = {
    "openai": lambda: OpenAIRealtimeProtocol("gpt-realtime-2.1"),
    "gemini": lambda: GeminiLiveProtocol("gemini-3.8-live"),
    "moshi": MoshiProtocol,
}
_TOOL = ToolDeclaration(name="depth_of_lake", description="Depth of a lake in metres.")
_HISTORY: Sequence[HistoryItem] = (
    Utterance(speaker=Speaker.USER, text="How deep is Lake Thun?"),
    Picture(data=b"\xff\xd8\xff", media_type="image/jpeg"),
    ToolCall(id="call_never_made", name="depth_of_lake", arguments={"lake": "Thun"}),
    Notice(text="Your answer was cut off."),
)
_OPAQUE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


class Finding(Exception):
    """A protocol broke its word."""


def corpus(wire: str) -> Sequence[bytes]:
    """What the service sends in all sessions of this wire."""
    sessions = [load(path) for path in sorted((SESSIONS / wire).glob("*.yaml"))]
    return [_bytes(step) for steps in sessions for step in steps if _is_message(step)]


def _is_message(step: Step) -> bool:
    return not step.sent and step.kind is not Kind.CLOSE


def _bytes(step: Step) -> bytes:
    if step.kind is Kind.MESSAGE:
        return orjson.dumps(step.data)
    return step.data.encode() if isinstance(step.data, str) else bytes(step.data)


class Target:
    """One session of a wire, with a caller who does things now and then.

    Args:
        wire: Name of the wire.
        dice: Decides what the caller does.
    """

    def __init__(self, wire: str, dice: random.Random) -> None:
        self._dice = dice
        self._calls = deque(["call_never_made"], maxlen=8)
        self._items = deque(["item_never_heard"], maxlen=8)
        self.protocol = PROTOCOLS[wire]()
        profile = self.protocol.profile
        detections = [TurnDetection.CALLER] if profile.caller_turns else []
        if profile.server_vad:
            detections.append(TurnDetection.SERVER)
        tools = [_TOOL] if profile.tools else []
        config = SessionConfig(turn_detection=dice.choice(detections), tools=tools)
        self._unseeded = dice.random() < 0.5
        self.protocol.start(config, seeded=self._unseeded)
        if self._unseeded and dice.random() < 0.5:
            self._seed()

    def receive(self, message: bytes) -> list[Event]:
        """Feed one message.

        Raises:
            Finding: The protocol raised, or gave what it must not.
        """
        try:
            events = self.protocol.receive(message)
            replies = self.protocol.replies()
        except Exception as error:
            raise Finding(f"{message[:2000]!r}") from error
        for event in events:
            self._check(event, message)
        if not all(type(reply) is bytes for reply in replies):
            raise Finding(f"{replies!r} in reply to {message[:2000]!r}")
        return events

    def act(self) -> None:
        """Have the caller do something, and refuse it only in the documented way."""
        if self._unseeded:
            self._seed()
        command = self._command()
        try:
            self.protocol.send(command)
            self.protocol.append_audio(bytes(640))
        except SettingsError:
            return
        except Exception as error:
            raise Finding(f"{command!r}") from error

    def _seed(self) -> None:
        self._unseeded = False
        try:
            self.protocol.seed(_HISTORY)
        except Exception as error:
            raise Finding("the history") from error

    def _check(self, event: Event, message: bytes) -> None:
        if isinstance(event, AudioChunk):
            if not event.pcm or len(event.pcm) % 2:
                raise Finding(f"{len(event.pcm)} bytes of audio from {message[:2000]!r}")
            self._items.append(event.item_id)
        elif isinstance(event, ToolCall):
            self._calls.append(event.id)

    def _command(self) -> Command:
        played: dict[str, float] = {self._dice.choice(self._items): self._dice.random() * 100}
        result = ToolResult(call_id=self._dice.choice(self._calls), output={"metres": 260})
        return self._dice.choice(
            (
                SendText(text="And then?"),
                SendToolResult(result=result),
                Respond(),
                Say(text="One moment."),
                Interrupt(played_ms=played),
                StartTurn(),
                EndTurn(),
            )
        )


def state_bytes(root: Any) -> int:
    """Memory that hangs on an object, but for classes, modules and functions."""
    seen: set[int] = set()
    waiting = [root]
    total = 0
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, _OPAQUE):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting += gc.get_referents(thing)
    return total


__all__ = ["PROTOCOLS", "Finding", "Target", "corpus", "state_bytes"]
