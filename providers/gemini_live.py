"""The wire of Gemini Live (BidiGenerateContent).

Source: https://ai.google.dev/api/live
"""

import os
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.tools import ToolResult
from crossfade.errors import ProviderFault, SettingsError
from crossfade.providers.commands import (
    Command,
    Delivery,
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import (
    Event,
    ProviderError,
    ResumptionHandle,
    SessionExpiring,
    SessionOpened,
    ToolCallCancelled,
)
from crossfade.providers.gemini_address import (
    DeveloperAPI,
    Service,
    Vertex,
    is_googles,
    vertex_for,
)
from crossfade.providers.gemini_calls import Calls, HeldAudio
from crossfade.providers.gemini_content import Content, speech_alone
from crossfade.providers.gemini_errors import as_fault, classify_close, classify_error
from crossfade.providers.gemini_hearing import Hearing
from crossfade.providers.gemini_keys import child, children, in_camel_case
from crossfade.providers.gemini_profiles import (
    GEMINI_DEFAULT_MODEL,
    GEMINI_SHUT_DOWN,
    gemini_generation,
)
from crossfade.providers.gemini_prompts import Prompts
from crossfade.providers.gemini_requests import (
    INPUT_RATE_HZ,
    append_audio,
    earlier_content,
    end_activity,
    show_image,
    start_activity,
    update_context,
)
from crossfade.providers.gemini_rounds import Rounds
from crossfade.providers.gemini_setup import (
    build_setup,
    check_setup,
    declare_tools,
    load_types,
    load_types_ahead,
    types_loaded,
)
from crossfade.providers.gemini_turns import Turns
from crossfade.providers.gemini_usage import read_usage
from crossfade.providers.malformed import malformed
from crossfade.providers.profiles import Profile, check_served
from crossfade.providers.protocol import ConnectRequest
from crossfade.providers.sayable import sayable
from crossfade.providers.session_ids import Ids
from crossfade.providers.wire_json import JsonObject, decode, encode, string

# An idle connection is cut after 150 s, without a warning: a tenth of a second of silence keeps it.
_KEEPALIVE_S = 30.0
_SILENCE = bytes(2 * INPUT_RATE_HZ // 10)
# Its pongs take up to half a minute: a line is dead when one takes twice that.
_PING_INTERVAL_S = 20.0
_PING_TIMEOUT_S = 60.0
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class GeminiLiveProtocol:
    """One session with a Gemini live model. Implements `WireProtocol`.

    Args:
        model: Name of the model, or its full path.
        service: Who serves it.
        resume: Handle of an earlier session to take up. It knows its history, so none is told;
            its connection must be closed before this one is opened.
        randomness: Source of the mark in the ids of this session.
    """

    text_frames: ClassVar[bool] = True
    keepalive_s: ClassVar[float | None] = _KEEPALIVE_S

    def __init__(
        self,
        model: str,
        *,
        service: Service | None = None,
        resume: str | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        self._model = model
        self._service = service or DeveloperAPI()
        self._generation = gemini_generation(model)
        if isinstance(self._service, Vertex):
            self._generation = self._generation.on_vertex()
        self._resume = resume
        self._opened = False
        self._ids = Ids(randomness or random.Random())
        self._hearing = Hearing(self._ids)
        self._rounds = Rounds()
        self._turns = Turns(self._ids, self._hearing, self._rounds)
        self._content = Content(self._turns, self._hearing, self._rounds)
        self._prompts = Prompts(self._generation, self._rounds)
        self._calls = Calls(self._generation, self._ids, self._rounds)
        self._held = HeldAudio()
        self._config = SessionConfig()
        self._seed_announced = False
        self._history: list[bytes] = []

    @property
    def key_variables(self) -> Sequence[str]:
        return self._service.key_variables

    @property
    def model(self) -> str:
        return self._model

    @property
    def profile(self) -> Profile:
        return self._generation.profile

    @property
    def config(self) -> SessionConfig:
        return self._config

    @property
    def dropped_audio_ms(self) -> float:
        return self._held.dropped_ms

    def preparation(self) -> Callable[[], None] | None:
        return None if types_loaded() else load_types

    def connect_request(self, base_url: str | None, api_key: str) -> ConnectRequest:
        return ConnectRequest(
            url=base_url or self._service.url(api_key),
            headers=self._service.headers(api_key),
            ping_interval_s=_PING_INTERVAL_S,
            ping_timeout_s=_PING_TIMEOUT_S,
        )

    def start(self, config: SessionConfig, *, seeded: bool = False) -> list[bytes]:
        self._seed_announced = seeded and self._resume is None and self._generation.history_config
        setup = build_setup(
            config,
            self._generation,
            self._service,
            resume=self._resume,
            announce_history=self._seed_announced,
        )
        check_setup(setup)
        self._config = config
        self._hearing.transcribe = config.transcribe
        return [encode({"setup": setup})]

    def seed(self, history: Sequence[HistoryItem]) -> list[bytes]:
        if self._resume is not None:
            return []
        announced, self._seed_announced = self._seed_announced, False
        self._history = earlier_content(sayable(history), announced=announced)
        # Nothing but the set-up may be sent before it is accepted.
        return self._take_history() if self._opened else []

    def append_audio(self, pcm: bytes) -> bytes:
        self._hearing.audio_sent = True
        if self._calls.blocked:
            self._held.add_audio(pcm)
            return b""
        return append_audio(pcm)

    def send(self, command: Command) -> list[bytes]:
        messages: list[bytes] = []
        match command:
            case SendText(text=text, respond=respond):
                self._say(text, respond=respond)
            case Respond():
                self._ask()
            case SendToolResult(result=result, final=final, delivery=delivery):
                messages = self._answer(result, delivery, final=final)
            case SendImage(data=data, media_type=media_type):
                messages = self._in_place(show_image(data, media_type))
            case Interrupt():
                # No message cuts an answer or shortens what is remembered of it.
                self._turns.cut()
            case StartTurn():
                self._hearing.begins()
                messages = self._in_place(start_activity())
            case EndTurn():
                messages = self._in_place(end_activity())
            case Update():
                messages = self._update(command)
            case Say() | RespondAside():
                raise SettingsError(f"{self._model} cannot speak outside the conversation.")
        return messages + self._due()

    def receive(self, message: str | bytes) -> list[Event]:
        fields = decode(message)
        if fields is None:
            return [malformed("a message that is no JSON object")]
        if (speech := speech_alone(fields)) is not None:
            return self._content.sound(speech)
        fields = in_camel_case(fields)
        content = child(fields, "serverContent")
        events = self._content.receive(content) if content else []
        if "usageMetadata" in fields:
            usage = read_usage(child(fields, "usageMetadata"))
            events += self._turns.spend(usage, ahead="toolCall" in fields)
        for key, read in _READERS.items():
            if key in fields:
                events += read(self, child(fields, key))
        events += self._content.end_of_turn(content)
        if self._rounds.due:
            # What is answered next is a result, whatever the microphone hears.
            self._hearing.prompted()
        return events

    def replies(self) -> list[bytes]:
        if not self._opened:
            return []
        return self._take_history() + self._due()

    def ended(self) -> list[Event]:
        # Of the turn that is being answered no more is told.
        return self._hearing.ended()

    def keepalive(self) -> list[bytes]:
        # What comes first is to be the history, if that was announced.
        if self._calls.blocked or self._seed_announced:
            return []
        return [append_audio(_SILENCE)]

    def closed(self, close_code: int, reason: str) -> ProviderError | None:
        return classify_close(
            close_code, reason, resuming=self._resume is not None, opened=self._opened
        )

    def fault(self, error: ProviderError) -> ProviderFault:
        return as_fault(error, self._model, self.key_variables)

    # To the service

    def _say(self, text: str, *, respond: bool) -> None:
        self._prompts.add(text)
        if respond:
            self._ask()

    def _ask(self) -> None:
        self._prompts.ask()
        self._prompted()

    def _answer(self, result: ToolResult, delivery: Delivery, *, final: bool) -> list[bytes]:
        answer = self._calls.answer(result, delivery, final=final)
        if answer and delivery is not Delivery.SILENT:
            self._prompts.tool_answered(final=final)
            self._prompted()
        return answer

    def _update(self, update: Update) -> list[bytes]:
        now, then = self._config, update.applied_to(self._config)
        instructions = None if then.instructions == now.instructions else then.instructions
        tools = None
        if list(then.tools) != list(now.tools):
            tools = declare_tools(then.tools, self._generation)
            check_setup({"tools": tools})
        self._config = then
        if instructions is None and tools is None:
            return []
        return [update_context(instructions, tools)]

    def _in_place(self, message: bytes) -> list[bytes]:
        """Send it with the audio around it, which may wait."""
        if not self._calls.blocked:
            return [message]
        self._held.add_marks([message])
        return []

    def _take_history(self) -> list[bytes]:
        history, self._history = self._history, []
        return history

    def _prompted(self) -> None:
        self._hearing.prompted()
        self._turns.prompted()

    def _due(self) -> list[bytes]:
        if self._calls.blocked or not self._opened:
            return []
        held = self._held.release()
        return held if self._turns.busy else held + self._prompts.due()

    # From the service

    def _on_setup_complete(self, fields: JsonObject) -> list[Event]:
        if self._opened:
            return []
        self._opened = True
        return [SessionOpened(session_id=string(fields, "sessionId"), model=self._model)]

    def _on_error(self, fields: JsonObject) -> list[Event]:
        return [classify_error(fields)]

    def _on_tool_call(self, fields: JsonObject) -> list[Event]:
        made = [call for call in children(fields, "functionCalls") if string(call, "name")]
        if not made:
            return [malformed("a call of no tool")]
        if not self._turns.running:
            self._rounds.response_begins()
        calls = self._calls.read(made, self._config.tools)
        return self._turns.calls(calls) if calls else []

    def _on_cancellation(self, fields: JsonObject) -> list[Event]:
        ids = fields.get("ids")
        if not isinstance(ids, list):
            return []
        return [
            ToolCallCancelled(call_id=call_id)
            for call_id in ids
            if isinstance(call_id, str) and self._calls.settle(call_id)
        ]

    def _on_go_away(self, fields: JsonObject) -> list[Event]:
        duration = _DURATION.fullmatch(string(fields, "timeLeft"))
        return [SessionExpiring(in_s=None if duration is None else float(duration[1]))]

    def _on_handle(self, fields: JsonObject) -> list[Event]:
        handle = string(fields, "newHandle")
        resumable = fields.get("resumable") is True and bool(handle)
        return [ResumptionHandle(handle=handle if resumable else "", resumable=resumable)]


_READERS: Mapping[str, Callable[[GeminiLiveProtocol, JsonObject], list[Event]]] = {
    "setupComplete": GeminiLiveProtocol._on_setup_complete,
    "error": GeminiLiveProtocol._on_error,
    "toolCall": GeminiLiveProtocol._on_tool_call,
    "toolCallCancellation": GeminiLiveProtocol._on_cancellation,
    "sessionResumptionUpdate": GeminiLiveProtocol._on_handle,
    "goAway": GeminiLiveProtocol._on_go_away,
}


def gemini_protocol(
    model: str,
    dialect: str | None = None,
    base_url: str | None = None,
    resume: str | None = None,
) -> GeminiLiveProtocol:
    """Make the protocol for a model; an empty name is the default one.

    Args:
        model: Its name. A path (`projects/…`) says that Vertex AI serves it.
        dialect: "vertex", for Vertex AI in the project and location of GOOGLE_CLOUD_PROJECT and
            GOOGLE_CLOUD_LOCATION; else the Gemini API.
        base_url: The endpoint, if it is not Google's.
        resume: Handle of an earlier session to take up.

    Raises:
        SettingsError: The dialect is none of these, the model was shut down, or the project is
            not said.
    """
    if dialect not in (None, "vertex"):
        raise SettingsError(f'Gemini has no dialect "{dialect}". There is: vertex.')
    model = model or GEMINI_DEFAULT_MODEL
    name = model.rpartition("/")[2]
    check_served(name, GEMINI_SHUT_DOWN, maker="Google", own_host=is_googles(base_url))
    load_types_ahead()
    vertex = dialect == "vertex" or model.startswith("projects/")
    service = vertex_for(model, os.environ) if vertex else None
    return GeminiLiveProtocol(model, service=service, resume=resume)


__all__ = ["GeminiLiveProtocol", "gemini_protocol"]
