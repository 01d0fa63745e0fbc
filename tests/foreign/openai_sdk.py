"""OpenAI's own client: a whole call. Usage: openai_sdk.py URL SPEECH_24_KHZ"""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import openai
from websockets.exceptions import ConnectionClosed

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
# One red pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


async def main(url: str, speech: bytes) -> None:
    utterance = base64.b64encode(speech).decode()
    base_url = url.replace("ws", "http", 1).removesuffix("/realtime")
    client = openai.AsyncOpenAI(api_key="sk-test", base_url=base_url)
    connection: Any
    async with client.realtime.connect(model="gpt-realtime") as connection:
        # By the default a pause between two words may end a turn.
        turns = {"type": "server_vad", "silence_duration_ms": 600}
        audio = {"input": {"turn_detection": turns, "transcription": {"model": "whisper-1"}}}
        session = {"type": "realtime", "tools": [TOOL], "audio": audio}
        await connection.session.update(session=session)
        await connection.input_audio_buffer.append(audio=utterance)
        greeting = await answer(connection)
        assert greeting.status == "completed", greeting
        assert greeting.output[0].content[0].transcript == "Hello! What can I do for you?", greeting

        await connection.input_audio_buffer.append(audio=utterance)
        call = (await answer(connection)).output[0]
        assert (call.type, call.name, call.arguments) == (
            "function_call",
            "get_weather",
            '{"city":"Tokyo"}',
        ), call

        output = {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": '{"degrees": 18}',
        }
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        said = ""
        while "Tokyo" not in said:
            said += (await until(connection, "response.output_audio_transcript.delta")).delta
        await connection.input_audio_buffer.append(audio=utterance)
        cut = await answer(connection)
        assert (cut.status, cut.status_details.reason) == ("cancelled", "turn_detected"), cut
        (spoken,) = cut.output
        assert spoken.content[0].transcript.startswith("It has 18 degrees in Tokyo."), spoken
        await connection.conversation.item.truncate(
            item_id=spoken.id, content_index=0, audio_end_ms=100
        )
        assert (await answer(connection)).status == "completed"

        picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
        asked = {"type": "input_text", "text": "What is this?"}
        item = {"type": "message", "role": "user", "content": [picture, asked]}
        await connection.conversation.item.create(item=item)
        await connection.response.create()
        (seen,) = (await answer(connection)).output
        assert seen.content[0].transcript == "I see what you have shown me.", seen

        expiry = await until(connection, "error")
        assert expiry.error.code == "session_expired", expiry
        code = await close_code(connection)
        assert code == 1001, code


async def until(connection: Any, type: str) -> Any:
    while True:
        event = await connection.recv()
        assert event.type != "error" or type == "error", event
        if event.type == type:
            return event


async def close_code(connection: Any) -> int | None:
    """The code of the close that comes."""
    try:
        await until(connection, "nothing more")
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    return None


async def answer(connection: Any) -> Any:
    return (await until(connection, "response.done")).response


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
