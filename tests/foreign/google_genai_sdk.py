"""Google's own client: a whole call. Usage: google_genai_sdk.py URL SPEECH_16_KHZ CERTIFICATE"""

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

from google import genai
from google.genai import types

MODEL = "gemini-3.8-live"
TOOL = {
    "name": "get_weather",
    "description": "Tell the weather in a city.",
    # By default this model goes on meanwhile, and the answer is a turn of its own.
    "behavior": "BLOCKING",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
}


async def main(url: str, speech: bytes, certificate: str) -> None:
    trusted = ssl.create_default_context(cafile=certificate)
    options = types.HttpOptions(
        base_url="https://" + url.split("/")[2],
        async_client_args={"ssl": trusted, "verify": trusted},
    )
    client = genai.Client(api_key="test", http_options=options)
    config: Any = {
        "response_modalities": ["AUDIO"],
        "tools": [{"function_declarations": [TOOL]}],
        "output_audio_transcription": {},
        "input_audio_transcription": {},
    }
    audio = types.Blob(data=speech, mime_type="audio/pcm;rate=16000")
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        await session.send_realtime_input(audio=audio)
        first = await turn(session)
        assert words(first) == "Hello! What can I do for you?", first
        assert heard(first) == "hello there", first

        await session.send_realtime_input(audio=audio)
        begun = await answer_call(session)
        await session.send_realtime_input(audio=audio)
        cut = await turn(session)
        assert any(each.server_content and each.server_content.interrupted for each in cut), cut
        assert words(begun + cut).startswith("It has 18 degrees in Tokyo."), begun + cut
        assert words(await turn(session)) == "You are welcome."

        picture = types.Blob(data=b"\xff\xd8\xff\xd9", mime_type="image/jpeg")
        await session.send_realtime_input(video=picture)
        await session.send_realtime_input(text="What is this?")
        assert words(await turn(session)) == "I see what you have shown me."

        code = await close_code(session)
        assert code == 1007, code


async def answer_call(session: Any) -> list[Any]:
    """Answer the call that comes; returns when the answer to that is being spoken."""
    called, messages = False, []
    async for message in session.receive():
        messages.append(message)
        if message.tool_call:
            (call,) = message.tool_call.function_calls
            assert (call.name, call.args) == ("get_weather", {"city": "Tokyo"}), call
            response = types.FunctionResponse(id=call.id, name=call.name, response={"degrees": 18})
            await session.send_tool_response(function_responses=response)
            called = True
        elif called and "Tokyo" in words(messages):
            break
    return messages


async def close_code(session: Any) -> int | None:
    """The code of the close that comes."""
    try:
        while await turn(session):
            pass
    except genai.errors.APIError as closed:
        return closed.code
    return None


async def turn(session: Any) -> list[Any]:
    messages = [message async for message in session.receive()]
    sys.stderr.write(f"a turn of {len(messages)} messages: {words(messages)}\n")
    return messages


def heard(messages: list[Any]) -> str:
    """What the user was understood to say."""
    contents = [message.server_content for message in messages if message.server_content]
    told = [each.input_transcription for each in contents if each.input_transcription]
    return "".join(each.text or "" for each in told).strip()


def words(messages: list[Any]) -> str:
    contents = [message.server_content for message in messages if message.server_content]
    spoken = [each.output_transcription for each in contents if each.output_transcription]
    return "".join(each.text or "" for each in spoken)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), sys.argv[3]))
