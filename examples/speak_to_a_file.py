"""Ask a model the question in a sound file, and keep its spoken answer in another. No pipecat.

python -m crossfade.examples.speak_to_a_file openai:gpt-realtime-2.1 question.wav answer.wav
"""

import asyncio
import sys

import crossfade.providers as ai
from crossfade.audio.energy import rms_dbfs
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import WavWriter, read_sound

TOOL = ai.ToolDeclaration(name="get_weather", description="The weather here.", blocking=True)


async def speak(session: ai.RealtimeSession, pcm: bytearray) -> None:
    """Use `pcm` up at the speed of speech, then be silent: the model goes on listening."""
    piece = session.input_rate_hz // 50 * 2
    while True:
        await session.send_audio(bytes(pcm[:piece]) or bytes(piece))
        del pcm[:piece]
        await asyncio.sleep(0.02)


async def talk(spec: str, question: str, answer: str, url: str | None = None) -> None:
    sound = read_sound(question)
    config = ai.SessionConfig(tools=[TOOL] if ai.connect(spec, base_url=url).profile.tools else [])
    async with ai.connect(spec, config, base_url=url) as session, asyncio.TaskGroup() as tasks:
        pcm = bytearray(resample(sound.pcm, sound.rate_hz, session.input_rate_hz))
        speaking = tasks.create_task(speak(session, pcm))
        answering = False
        with WavWriter(answer, session.output_rate_hz) as recorder:
            async for event in session:
                match event:
                    case ai.ResponseStarted():  # a greeting comes before the question's end
                        answering = rms_dbfs(bytes(pcm)) < -45
                    case ai.AudioChunk(pcm=speech) if answering:
                        recorder.write(speech)
                    case ai.ToolCall(id=call_id):
                        await session.send_tool_response(call_id, {"sky": "clear", "celsius": 21})
                    case ai.ResponseDone(awaits_tools=True):  # not done: it has yet to tell
                        await session.respond()
                    case ai.ResponseDone() if answering:
                        break
        speaking.cancel()


if __name__ == "__main__":
    asyncio.run(talk(*sys.argv[1:]))
