"""Play a question from a sound file to a model, and keep its spoken answer in another. No pipecat.

python -m crossfade.examples.speak_to_a_file openai:gpt-realtime-2.1 question.wav answer.wav
"""

import argparse
import asyncio

from crossfade.audio.pcm import silence
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import WavWriter, read_sound
from crossfade.providers import RealtimeSession, SessionConfig, ToolDeclaration, connect
from crossfade.providers.events import AudioChunk, ResponseDone, ToolCall

TOOL = ToolDeclaration(name="get_weather", description="The weather, wherever the user is.")


async def play(session: RealtimeSession, path: str) -> None:
    """Speak at the speed of speech, then be silent for as long as the model may listen."""
    sound = read_sound(path)
    pcm = resample(sound.pcm, sound.rate_hz, session.input_rate_hz)
    pause = silence(20, session.input_rate_hz)
    for at in range(0, len(pcm), len(pause)):
        await session.send_audio(pcm[at : at + len(pause)])
        await asyncio.sleep(0.02)
    while True:
        await session.send_audio(pause)
        await asyncio.sleep(0.02)


async def talk(spec: str, question: str, answer: str, base_url: str | None = None) -> None:
    """Ask once, and listen until the model has no more to say."""
    model = connect(spec, base_url=base_url).profile
    config = SessionConfig(tools=[TOOL] if model.tools else [])
    async with connect(spec, config, base_url=base_url) as session:
        playing = asyncio.create_task(play(session, question))
        with WavWriter(answer, session.output_rate_hz) as recorder:
            called = False
            async for event in session:
                match event:
                    case AudioChunk(pcm=pcm):
                        recorder.write(pcm)
                    case ToolCall(id=call_id):
                        called = True
                        await session.send_tool_response(call_id, {"sky": "clear", "celsius": 21})
                    case ResponseDone() if called:
                        called = False
                        await session.respond()
                    case ResponseDone():
                        break
        playing.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", help="openai:MODEL, gemini:MODEL or moshi:")
    parser.add_argument("question", help="a sound file")
    parser.add_argument("answer", help="the WAV file to write")
    parser.add_argument("--base-url", help="the whole endpoint, such as that of an emulator")
    asyncio.run(talk(**vars(parser.parse_args())))
