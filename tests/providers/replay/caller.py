"""The caller of a recorded session: asks ours for what the recorded client did."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolDeclaration
from crossfade.providers import RealtimeSession, SessionConfig
from crossfade.providers.config import Modality
from tests.providers.replay.matching import camel
from tests.providers.replay.session_file import Step

Act = Callable[[RealtimeSession], Awaitable[None]]
Message = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Caller:
    """What to ask of a session, and when."""

    model: str = ""
    config: SessionConfig = field(default_factory=SessionConfig)
    history: list[HistoryItem] = field(default_factory=list)
    acts: dict[int, list[Act]] = field(default_factory=dict)
    """What to do once all steps before this one are done."""

    def then(self, index: int, *acts: Act) -> None:
        self.acts.setdefault(index, []).extend(acts)


def caller_of(steps: Sequence[Step]) -> Caller:
    """Read what the client did in a recording of OpenAI's or Gemini's wire."""
    caller = Caller()
    sent = [(index, step.data) for index, step in enumerate(steps) if step.sent]
    if "setup" in sent[0][1]:
        for index, message in sent:
            _read_gemini(caller, index, camel(message))
        return caller
    caller.model = steps[0].data["session"]["model"]
    answered = False
    for position, (index, message) in enumerate(sent):
        asks = message["type"] == "response.create"
        # A text that is answered at once is one act of ours.
        if not (asks and answered):
            following = sent[position + 1][1]["type"] if position + 1 < len(sent) else ""
            _read_openai(caller, index, message, answered=following == "response.create")
        answered = message.get("item", {}).get("type") == "message"
    return caller


def _read_openai(caller: Caller, index: int, message: Message, *, answered: bool) -> None:
    item = message.get("item", {})
    match message["type"], item.get("type"):
        case "session.update", _:
            session = message["session"]
            caller.config = SessionConfig(
                instructions=session["instructions"],
                modality=Modality(session["output_modalities"][0]),
                tools=[
                    ToolDeclaration(**{name: tool[name] for name in _TOOL_FIELDS})
                    for tool in session.get("tools", ())
                ],
            )
        case "input_audio_buffer.append", _:
            caller.then(index, speak)
        case "conversation.item.create", "function_call_output":
            caller.then(index, _result(item["call_id"], item["output"]))
        case "conversation.item.create", _:
            text = item["content"][0]["text"]
            if answered:
                caller.then(index, _text(text))
            else:
                caller.history.append(_utterance(item["role"], text))
        case "response.create", _:
            caller.then(index, _respond)


_TOOL_FIELDS = ("name", "description", "parameters")


def _read_gemini(caller: Caller, index: int, message: Message) -> None:
    ((kind, content),) = message.items()
    match kind:
        case "setup":
            caller.model = content["model"].removeprefix("models/")
            parts = content.get("systemInstruction", {}).get("parts", [])
            caller.config = SessionConfig(
                instructions="".join(part["text"] for part in parts),
                tools=[
                    ToolDeclaration(
                        name=tool["name"],
                        description=tool["description"],
                        parameters=_json_schema(tool["parameters"]),
                    )
                    for tools in content.get("tools", ())
                    for tool in tools["functionDeclarations"]
                ],
            )
        case "realtimeInput":
            caller.then(index, speak)
        case "clientContent":
            turns = [(turn["role"], turn["parts"][0]["text"]) for turn in content["turns"]]
            if content["turnComplete"]:
                caller.then(index, *(_text(text) for _, text in turns))
            else:
                caller.history += [_utterance(role, text) for role, text in turns]
        case "toolResponse":
            for answer in content["functionResponses"]:
                caller.then(index, _result(answer["id"], answer["response"]["output"]))
            caller.then(index, _respond)


def _json_schema(schema: Message) -> Message:
    """What the declaration was made of: Gemini's types are in capitals, and may be nullable."""
    kind: Any = schema["type"].lower()
    plain: Message = {"type": [kind, "null"] if schema.get("nullable") else kind}
    if "properties" in schema:
        plain["properties"] = {
            name: _json_schema(inner) for name, inner in schema["properties"].items()
        }
        plain["required"] = schema["required"]
    return plain


def _utterance(role: str, text: str) -> Utterance:
    return Utterance(speaker=Speaker.USER if role == "user" else Speaker.AGENT, text=text)


async def speak(session: RealtimeSession) -> None:
    """Send 20 ms of sound."""
    await session.send_audio(b"\x10\x01" * (session.input_rate_hz // 50))


async def _respond(session: RealtimeSession) -> None:
    await session.respond()


def _text(text: str) -> Act:
    return lambda session: session.send_text(text)


def _result(call_id: str, output: Any) -> Act:
    return lambda session: session.send_tool_response(call_id, output)


__all__ = ["Caller", "caller_of", "speak"]
