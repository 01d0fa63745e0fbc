"""The events of one response, without any clock."""

import random

import orjson
import pybase64

from crossfade.emulators.openai.context import Context
from crossfade.emulators.openai.conversation import Conversation, Event
from crossfade.emulators.openai.identifiers import Identifiers
from crossfade.emulators.openai.response import Response
from crossfade.emulators.openai.response_settings import ResponseSettings
from crossfade.emulators.openai.usage import Tokens

READ = Context(items=[], entries=[("", Tokens(text=7, audio=5))])


def response(modality: str = "audio", *, out_of_band: bool = False) -> Response:
    identifiers = Identifiers(random.Random(0))
    settings = ResponseSettings(
        modality=modality,
        instructions="",
        tools=[],
        tool_choice="auto",
        parallel_tool_calls=True,
        max_output_tokens="inf",
        audio_output={"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"},
        out_of_band=out_of_band,
    )
    return Response(settings, Conversation(identifiers), identifiers, READ)


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def test_an_audio_delta_is_a_json_message_with_its_place() -> None:
    spoken = response()
    spoken.open_message()
    delta = orjson.loads(spoken.audio(b"\x01\x02\x03\x04").data)
    assert pybase64.b64decode(delta.pop("delta")) == b"\x01\x02\x03\x04"
    assert delta.pop("event_id").startswith("event_")
    assert delta == {
        "type": "response.output_audio.delta",
        "response_id": spoken.id,
        "item_id": spoken.items[0].id,
        "output_index": 0,
        "content_index": 0,
    }


def test_parts_and_items_name_their_content_differently() -> None:
    spoken = response()
    part = spoken.open_message()[-1]["part"]
    spoken.words("Hi")
    closed = spoken.close_item()
    assert part == {"type": "audio", "transcript": ""}
    assert closed[2]["part"] == {"type": "audio", "transcript": "Hi"}
    assert closed[-1]["item"]["content"] == [{"type": "output_audio", "transcript": "Hi"}]
    written = response("text")
    assert written.open_message()[-1]["part"] == {"type": "text", "text": ""}
    written.words("Hi")
    assert written.close_item()[-1]["item"]["content"] == [{"type": "output_text", "text": "Hi"}]


def test_cutting_closes_the_open_item_before_the_response() -> None:
    cut = response()
    cut.created()
    cut.open_call("f")
    cut.arguments('{"a')
    assert types(cut.finish("cancelled", {"reason": "turn_detected"})) == [
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert cut.finished
    assert cut.items[0].wire["status"] == "incomplete"


def test_an_answer_out_of_band_tells_nothing_of_the_conversation() -> None:
    aside = response(out_of_band=True)
    events = [*aside.created(), *aside.open_message(), *aside.finish("completed")]
    assert not [type for type in types(events) if type.startswith("conversation.")]
    assert events[0]["response"]["conversation_id"] is None


def test_an_item_deleted_while_open_is_not_done_in_the_conversation() -> None:
    identifiers = Identifiers(random.Random(0))
    talk = Conversation(identifiers)
    spoken = Response(response().settings, talk, identifiers, READ)
    spoken.open_message()
    id = spoken.items[0].id
    talk.delete(id)
    # Another may have its id by now.
    content = [{"type": "input_text", "text": "Hi"}]
    talk.create({"type": "message", "role": "user", "id": id, "content": content}, None)
    assert "conversation.item.done" not in types(spoken.finish("completed"))


def test_usage_is_of_input_and_output_and_nothing_where_nothing_was_produced() -> None:
    spoken = response()
    spoken.open_message()
    spoken.audio(bytes(48 * 101))
    usage = spoken.finish("completed")[-1]["response"]["usage"]
    assert usage["input_tokens"] == 12
    assert usage["output_token_details"] == {"text_tokens": 0, "audio_tokens": 3}
    assert response().finish("cancelled")[-1]["response"]["usage"]["total_tokens"] == 0
