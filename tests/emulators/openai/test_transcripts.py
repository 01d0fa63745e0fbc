"""Transcripts of the user, as the client asked for them."""

from typing import Any

import pytest

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.openai import OpenAIEmulator
from tests.clock import run
from tests.emulators.openai.wire_client import (
    UTTERANCE,
    WireClient,
    client_of,
    loudness_scorer,
    quiet,
    session,
    tone,
)

NAME = "conversation.item.input_audio_transcription"
HELLO = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))


async def transcript(client: WireClient, model: str, **options: Any) -> dict[str, Any]:
    await client.update(audio={"input": {"transcription": {"model": model}}}, **options)
    await client.stream(UTTERANCE)
    return await client.until(f"{NAME}.completed")


def test_log_probabilities_come_where_they_are_included() -> None:
    async def main() -> None:
        async with session(HELLO) as client:
            include = ["item.input_audio_transcription.logprobs"]
            completed = await transcript(client, "gpt-4o-transcribe", include=include)
            tokens = [entry["token"] for entry in completed["logprobs"]]
            assert tokens == [" good", " morning"]
            delta = client.of(f"{NAME}.delta")[0]["logprobs"]
            assert delta == [{"token": " good", "logprob": -0.01, "bytes": list(b" good")}]

    run(main())


def test_a_model_that_tells_speakers_apart_gives_segments() -> None:
    async def main() -> None:
        async with session(HELLO) as client:
            completed = await transcript(client, "gpt-4o-transcribe-diarize")
            (segment,) = client.of(f"{NAME}.segment")
            assert (segment["speaker"], segment["text"], segment["start"]) == (
                "A",
                "good morning",
                0,
            )
            assert segment["end"] == pytest.approx(0.9, abs=0.1)
            assert "logprobs" not in completed

    run(main())


@pytest.mark.parametrize(
    ("model", "kind"),
    [("gpt-realtime-whisper", "duration"), ("gpt-4o-mini-transcribe", "tokens")],
)
def test_transcripts_are_billed_by_tokens_or_by_seconds(model: str, kind: str) -> None:
    async def main() -> None:
        async with session(HELLO) as client:
            usage = (await transcript(client, model))["usage"]
            assert usage["type"] == kind
            if kind == "tokens":
                assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
                assert usage["input_token_details"]["audio_tokens"] == usage["input_tokens"]

    run(main())


def test_noise_reduction_is_kept_and_its_strength_stays() -> None:
    async def main() -> None:
        async with session() as client:
            for wanted in ({"type": "near_field", "strength": 0.5}, {"type": "far_field"}):
                await client.update(audio={"input": {"noise_reduction": wanted}})
                updated = (await client.until("session.updated"))["session"]
            assert updated["audio"]["input"]["noise_reduction"] == {
                "type": "far_field",
                "strength": 0.5,
            }

    run(main())


def test_a_transcription_session_writes_down_and_answers_nothing() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator(scorer=loudness_scorer) as emulator,
            client_of(emulator, query="?intent=transcription") as client,
        ):
            created = dict(client.events[0]["session"])
            assert created.pop("id").startswith("sess_")
            assert created.pop("expires_at") > 0
            assert created == {
                "type": "transcription",
                "object": "realtime.transcription_session",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": None,
                        "noise_reduction": None,
                        "turn_detection": {
                            "type": "server_vad",
                            "threshold": 0.5,
                            "prefix_padding_ms": 300,
                            "silence_duration_ms": 200,
                        },
                    }
                },
                "include": None,
            }
            heard = {"transcription": {"model": "gpt-4o-mini-transcribe"}}
            update = {"type": "transcription", "audio": {"input": heard}}
            await client.send("session.update", session=update)
            await client.stream(tone(600) + quiet(700))
            completed = await client.until(f"{NAME}.completed")
            assert completed["transcript"] == "hello there"
            await client.send("response.create")
            assert (await client.error())["code"] == "invalid_value"
            assert client.order(after="session.updated") == [
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
                f"{NAME}.delta",
                f"{NAME}.completed",
                "error",
            ]
            await client.send("session.update", session={"type": "realtime"})
            assert "to a transcription session is not allowed" in (await client.error())["message"]
            detection = {"turn_detection": {"type": "semantic_vad"}}
            update = {"type": "transcription", "audio": {"input": detection}}
            await client.send("session.update", session=update)
            await client.until("session.updated")

    run(main())
