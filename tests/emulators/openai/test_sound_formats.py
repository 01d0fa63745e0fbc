"""Sessions in G.711, in and out."""

import base64

import pytest

from crossfade.audio.g711 import (
    decode_a_law,
    decode_mu_law,
    encode_a_law,
    encode_mu_law,
)
from crossfade.audio.resample import resample
from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from tests.clock import run
from tests.emulators.openai.wire_client import quiet, session, tone

LAWS = [("audio/pcmu", encode_mu_law, decode_mu_law), ("audio/pcma", encode_a_law, decode_a_law)]


def telephone(pcm: bytes) -> bytes:
    return resample(pcm, 24_000, 8000)


@pytest.mark.parametrize(("law", "encode", "decode"), LAWS)
def test_a_spoken_turn_in_g711(law: str, encode: object, decode: object) -> None:
    assert callable(encode)
    assert callable(decode)

    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="hello", say=("Hello there.",))
        async with session(turn) as client:
            format = {"type": law}
            await client.update(
                audio={
                    "input": {"format": format, "transcription": {"model": "whisper-1"}},
                    "output": {"format": format},
                }
            )
            updated = (await client.until("session.updated"))["session"]["audio"]
            assert (updated["input"]["format"], updated["output"]["format"]) == (format, format)
            await client.append(encode(telephone(quiet(1000) + tone(600) + quiet(700))))
            started = await client.until("input_audio_buffer.speech_started")
            assert started["audio_start_ms"] == pytest.approx(700, abs=40)
            stopped = await client.until("input_audio_buffer.speech_stopped")
            assert stopped["audio_end_ms"] == pytest.approx(1800, abs=64)
            done = (await client.until("response.done"))["response"]
            said = done["output"][0]["id"]
            sound = client.sound(said)
            assert done["usage"]["output_token_details"]["audio_tokens"] == -(-len(sound) // 400)
            loudest = max(
                abs(int.from_bytes(pair, "little", signed=True)) for pair in pairs(decode(sound))
            )
            assert loudest > 1000
            await client.send("conversation.item.retrieve", item_id=said)
            kept = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
            assert base64.b64decode(kept["audio"]) == sound
            await client.send(
                "conversation.item.truncate", item_id=said, content_index=0, audio_end_ms=500
            )
            await client.until("conversation.item.truncated")
            await client.send("conversation.item.retrieve", item_id=started["item_id"])
            heard = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
            heard_ms = len(base64.b64decode(heard["audio"])) / 8
            assert heard_ms == stopped["audio_end_ms"] - started["audio_start_ms"]

    run(main())


def pairs(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + 2] for at in range(0, len(pcm), 2)]


def test_positions_go_on_where_the_format_changes() -> None:
    async def main() -> None:
        async with session() as client:
            await client.update(audio={"input": {"turn_detection": None}})
            await client.append(quiet(1000))
            await client.update(audio={"input": {"format": {"type": "audio/pcmu"}}})
            await client.append(encode_mu_law(telephone(quiet(500))))
            await client.send("input_audio_buffer.commit")
            id = (await client.until("input_audio_buffer.committed"))["item_id"]
            await client.send("conversation.item.retrieve", item_id=id)
            item = (await client.until("conversation.item.retrieved"))["item"]
            assert len(base64.b64decode(item["content"][0]["audio"])) == 1500 * 8

    run(main())


def test_a_hundred_ms_of_g711_can_be_committed() -> None:
    async def main() -> None:
        async with session() as client:
            format = {"type": "audio/pcma"}
            await client.update(audio={"input": {"turn_detection": None, "format": format}})
            await client.append(bytes(799))
            await client.send("input_audio_buffer.commit")
            assert "only has 99.88ms" in (await client.error())["message"]
            await client.append(bytes(1))
            await client.send("input_audio_buffer.commit")
            await client.until("input_audio_buffer.committed")

    run(main())
