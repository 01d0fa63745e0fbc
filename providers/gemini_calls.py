"""The tools that Gemini called, and the audio that waits while the model waits for them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.commands import Delivery
from crossfade.providers.gemini_profiles import Generation
from crossfade.providers.gemini_requests import INPUT_RATE_HZ, answer_call, append_audio
from crossfade.providers.gemini_rounds import Rounds
from crossfade.providers.gemini_schema import read_arguments
from crossfade.providers.session_ids import Ids
from crossfade.providers.wire_json import JsonObject, encode, string

# Far more than run at a time; the oldest are forgotten.
_MOST_CALLS = 256
_SECOND_BYTES = 2 * INPUT_RATE_HZ
# Of what the user says and shows meanwhile the oldest is dropped.
_MOST_HELD_BYTES = 60 * _SECOND_BYTES
_MOST_HELD_MARKS = 256


@dataclass(slots=True, kw_only=True)
class _Call:
    name: str
    blocking: bool
    """The model waits for the answer."""
    has_id: bool
    open: bool = True
    """It is to be answered."""


class Calls:
    """The calls of a session, by id.

    Args:
        generation: What the model takes.
        ids: Names for calls that come without; those are answered without.
        rounds: Told of calls and results.
    """

    def __init__(self, generation: Generation, ids: Ids, rounds: Rounds) -> None:
        self._generation = generation
        self._ids = ids
        self._rounds = rounds
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._blocking = 0

    @property
    def blocked(self) -> bool:
        """Whether the model waits for an answer. Audio sent now would end the session."""
        return self._blocking > 0

    def read(self, made: Sequence[JsonObject], tools: Sequence[ToolDeclaration]) -> list[ToolCall]:
        """Read calls as they were made; one that was made before is the same call, sent twice.

        Args:
            made: They have a name.
            tools: Those that are declared.
        """
        declared = {tool.name: tool for tool in tools}
        return [
            self._read(fields, declared.get(fields["name"]))
            for fields in made
            if string(fields, "id") not in self._calls
        ]

    def answer(self, result: ToolResult, delivery: Delivery, *, final: bool) -> list[bytes]:
        """Give the message that answers a call; none if it is not to be answered any more.

        Raises:
            SettingsError: There is no such call, the model would speak of the result anyway, or it
                waits for the whole of it.
        """
        call = self._calls.get(result.call_id)
        if call is None:
            raise SettingsError(
                f"There is no tool call {result.call_id} in this session. Answer the calls that "
                "it made; those of an earlier session are told as history."
            )
        if call.blocking and not final:
            raise SettingsError(
                f"{self._generation.profile.model} waits for the result of {call.name}, and takes "
                "it whole. Declare the tool with blocking=False, where the model has that, or "
                "leave final on."
            )
        # What was taken back must not be answered.
        if not call.open:
            return []
        scheduling = self._scheduling(call, delivery)
        answer = answer_call(
            result, call.name, with_id=call.has_id, scheduling=scheduling, final=final
        )
        if scheduling == Delivery.INTERRUPT.name:
            self._rounds.cuts()
        if final:
            self._rounds.answer(result.call_id, silent=delivery is Delivery.SILENT)
            self._settle(call)
        elif delivery is not Delivery.SILENT:
            # A part is spoken of without being asked for, too.
            self._rounds.due = True
        return [answer]

    def settle(self, call_id: str) -> bool:
        """The call is not to be answered any more; False if it was not to be."""
        self._rounds.take_back(call_id)
        return self._settle(self._calls.get(call_id))

    def _read(self, fields: JsonObject, tool: ToolDeclaration | None) -> ToolCall:
        name, call_id = string(fields, "name"), string(fields, "id")
        blocking = self._generation.blocks(declared=None if tool is None else tool.blocking)
        call = _Call(name=name, blocking=blocking, has_id=bool(call_id))
        call_id = call_id or self._ids.next("call")
        self._calls[call_id] = call
        self._rounds.call(call_id)
        if not call.blocking:
            self._rounds.calls_beside()
        self._blocking += call.blocking
        if len(self._calls) > _MOST_CALLS:
            self._settle(self._calls.popitem(last=False)[1])
        arguments: Any = fields.get("args")
        if isinstance(arguments, dict) and tool is not None:
            arguments = read_arguments(tool.parameters, arguments)
        if arguments is None or isinstance(arguments, dict):
            return ToolCall(id=call_id, name=name, arguments=arguments or {})
        return ToolCall(id=call_id, name=name, arguments={}, unparsed=encode(arguments).decode())

    def _scheduling(self, call: _Call, delivery: Delivery) -> str | None:
        """Say when the model shall speak of a result, unless it does so in any case."""
        if self._generation.delivery and not call.blocking:
            return delivery.name
        if delivery is Delivery.SILENT:
            why = (
                f"waits for the result of {call.name}, and speaks of it"
                if call.blocking
                else "cannot be told on Vertex AI to keep silent about a result"
            )
            raise SettingsError(f"{self._generation.profile.model} {why}. Use Delivery.WHEN_IDLE.")
        return None

    def _settle(self, call: _Call | None) -> bool:
        if call is None or not call.open:
            return False
        call.open = False
        self._blocking -= call.blocking
        return True


class HeldAudio:
    """What the user says while the model waits for a tool, and the marks set in it.

    Attributes:
        dropped_ms: How much was dropped, because it waited for too long.
    """

    def __init__(self) -> None:
        self.dropped_ms = 0.0
        self._parts: list[bytearray | bytes] = []
        self._bytes = 0
        self._marks = 0

    def add_audio(self, pcm: bytes) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, bytearray) and len(last) < _SECOND_BYTES:
            last += pcm
        else:
            self._parts.append(bytearray(pcm))
        self._bytes += len(pcm)
        while self._bytes > _MOST_HELD_BYTES:
            self._drop_oldest(bytearray)

    def add_marks(self, messages: Sequence[bytes]) -> None:
        """Add messages that have their place after the audio held so far."""
        self._parts += messages
        self._marks += len(messages)
        while self._marks > _MOST_HELD_MARKS:
            self._drop_oldest(bytes)

    def release(self) -> list[bytes]:
        """Give the messages that carry all of it."""
        if not self._parts:
            return []
        parts, self._parts, self._bytes, self._marks = self._parts, [], 0, 0
        return [
            append_audio(bytes(part)) if isinstance(part, bytearray) else part for part in parts
        ]

    def _drop_oldest(self, kind: type[bytearray] | type[bytes]) -> None:
        place = next(place for place, part in enumerate(self._parts) if type(part) is kind)
        if kind is bytes:
            self._marks -= 1
        else:
            dropped_bytes = len(self._parts[place])
            self._bytes -= dropped_bytes
            self.dropped_ms += dropped_bytes * 1000 / _SECOND_BYTES
        del self._parts[place]


__all__ = ["Calls", "HeldAudio"]
