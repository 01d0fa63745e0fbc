"""Responses that are cut off, truncated, limited, counted or out of band."""

import asyncio

import pytest

from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.openai import Timing
from tests.clock import run
from tests.emulators.openai.wire_client import (
    ANSWER_END,
    BYTES_PER_MS,
    UTTERANCE,
    quiet,
    session,
    tone,
)

LONG = "This is a long answer that goes on for quite some time, word after word after word."


def test_speaking_while_an_answer_is_generated_cuts_it_off() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,)), Turn(on=None, say=("Yes?",))) as client:
            await client.say("Tell me more")
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.stream(UTTERANCE)
            done = await client.until("response.done")
            order = client.order(after="input_audio_buffer.speech_started")
            assert order[: len(ANSWER_END)] == ANSWER_END
            assert done["response"]["status"] == "cancelled"
            assert done["response"]["status_details"] == {
                "type": "cancelled",
                "reason": "turn_detected",
            }
            (item,) = done["response"]["output"]
            assert item["status"] == "incomplete"
            assert LONG.startswith(item["content"][0]["transcript"])
            assert done["response"]["usage"]["output_tokens"] > 0
            # And the interruption is answered.
            answer = await client.until("response.done")
            assert answer["response"]["output"][0]["content"][0]["transcript"] == "Yes?"

    run(main())


def test_speaking_after_an_answer_was_generated_cancels_nothing() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,)), Turn(on=None, say=("Yes?",))) as client:
            await client.say("Tell me more")
            await client.send("response.create")
            await client.until("response.done")
            await client.stream(UTTERANCE)
            await client.until("response.done")
            statuses = [event["response"]["status"] for event in client.of("response.done")]
            assert statuses == ["completed", "completed"]
            await client.send("response.cancel")
            assert (await client.error())["code"] == "response_cancel_not_active"

    run(main())


def test_speech_before_the_first_output_leaves_an_empty_unbilled_response() -> None:
    async def main() -> None:
        timing = Timing(think_ms=1000)
        turns = (Turn(on=None, say=("First.",)), Turn(on=None, say=("Second.",)))
        async with session(*turns, timing=timing) as client:
            await client.stream(tone(600) + quiet(400) + UTTERANCE)
            cut = (await client.until("response.done"))["response"]
            assert (cut["status"], cut["output"], cut["usage"]["total_tokens"]) == (
                "cancelled",
                [],
                0,
            )
            # Nobody heard the first answer, so it is still the next one.
            answer = (await client.until("response.done"))["response"]
            assert answer["output"][0]["content"][0]["transcript"] == "First."

    run(main())


def test_interrupt_response_off_lets_the_answer_go_on() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,))) as client:
            detection = {"type": "server_vad", "interrupt_response": False}
            await client.update(audio={"input": {"turn_detection": detection}})
            await client.say("Tell me more")
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.stream(tone(300) + quiet(300))
            # The answer to the turn cannot begin beside the other.
            refused = await client.error()
            assert refused["code"] == "conversation_already_has_active_response"
            done = await client.until("response.done")
            assert done["response"]["status"] == "completed"

    run(main())


def test_a_client_ends_a_response_by_response_cancel() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,))) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            done = await client.until("response.done")
            assert done["response"]["status_details"]["reason"] == "client_cancelled"
            order = client.order(after="response.created")
            assert order[-len(ANSWER_END) :] == ANSWER_END

    run(main())


def test_no_delta_follows_the_end_of_a_cut_response() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,))) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            await client.until("rate_limits.updated")
            await asyncio.sleep(30)
            await client.send("response.cancel")
            await client.error()
            order = client.order(after="response.done")
            assert order == ["rate_limits.updated", "error"]

    run(main())


def test_truncating_cuts_the_sound_drops_the_transcript_and_lowers_the_next_bill() -> None:
    async def input_tokens(audio_end_ms: int | None) -> int:
        async with session(Turn(on=None, say=(LONG,)), Turn(on=None, say=("Yes?",))) as client:
            await client.send("response.create")
            done = await client.until("response.done")
            id = done["response"]["output"][0]["id"]
            if audio_end_ms is not None:
                cut = {"item_id": id, "content_index": 0, "audio_end_ms": audio_end_ms}
                await client.send("conversation.item.truncate", **cut)
                truncated = await client.until("conversation.item.truncated")
                del truncated["type"], truncated["event_id"]
                assert truncated == cut
                await client.send("conversation.item.retrieve", item_id=id)
                item = (await client.until("conversation.item.retrieved"))["item"]
                assert item["content"][0]["transcript"] is None
                assert len(item["content"][0]["audio"]) == audio_end_ms * BYTES_PER_MS * 4 // 3
            await client.send("response.create")
            usage = (await client.until("response.done"))["response"]["usage"]
            return int(usage["input_token_details"]["audio_tokens"])

    assert run(input_tokens(1000)) == 20
    assert run(input_tokens(None)) > 100


def test_usage_counts_the_whole_conversation_by_the_published_rates() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=("Hello there.",))) as client:
            await client.update(instructions="x" * 40, audio={"input": {"turn_detection": None}})
            await client.append(tone(1000))
            await client.send("input_audio_buffer.commit")
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            sound_ms = len(client.sound(done["output"][0]["id"])) / BYTES_PER_MS
            usage = done["usage"]
            assert usage["input_token_details"]["audio_tokens"] == 10
            assert usage["input_token_details"]["text_tokens"] == 10
            assert usage["output_token_details"]["audio_tokens"] == -(-sound_ms // 50)
            assert usage["output_token_details"]["text_tokens"] == 3
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
            assert client.of("response.created")[0]["response"]["usage"] is None

    run(main())


def test_max_output_tokens_makes_a_response_incomplete() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,))) as client:
            await client.send("response.create", response={"max_output_tokens": 20})
            done = (await client.until("response.done"))["response"]
            assert done["status"] == "incomplete"
            assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
            assert done["output"][0]["status"] == "incomplete"
            assert 20 <= done["usage"]["output_tokens"] < 40

    run(main())


def test_a_response_out_of_band_runs_beside_the_conversation_and_leaves_no_item() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,))) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            aside = {
                "conversation": "none",
                "input": [],
                "instructions": 'Say exactly: "One moment."',
                "metadata": {"purpose": "acknowledge"},
            }
            await client.send("response.create", response=aside)
            created = (await client.until("response.created"))["response"]
            assert (created["conversation_id"], created["metadata"]) == (
                None,
                {"purpose": "acknowledge"},
            )
            first = (await client.until("response.done"))["response"]
            assert first["id"] == created["id"]
            assert first["metadata"] == {"purpose": "acknowledge"}
            assert first["output"][0]["content"][0]["transcript"] == "One moment."
            second = (await client.until("response.done"))["response"]
            assert second["output"][0]["content"][0]["transcript"] == LONG
            in_conversation = {e["item"]["id"] for e in client.of("conversation.item.added")}
            assert in_conversation == {second["output"][0]["id"]}

    run(main())


def test_speech_is_generated_at_the_speed_asked_for() -> None:
    async def seconds(speed: float) -> float:
        async with session(timing=Timing(speed=speed)) as client:
            await client.send("response.create")
            await client.until("response.content_part.added")
            started_s = client.times_s[-1]
            done = await client.until("response.done")
            length_s = len(client.sound(done["response"]["output"][0]["id"])) / 48_000
            return (client.times_s[-1] - started_s) / length_s

    assert run(seconds(4)) == pytest.approx(1 / 4, rel=0.05)
    assert run(seconds(float("inf"))) == pytest.approx(0, abs=1e-6)


def test_a_failing_script_fails_the_response_and_not_the_session() -> None:
    async def main() -> None:
        turns = (Turn(on=None, say=("It is {warmth}.",)), Turn(on=None, say=("Fine.",)))
        async with session(*turns) as client:
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            assert done["status"] == "failed"
            assert "{warmth}" in done["status_details"]["error"]["message"]
            await client.send("response.create")
            assert (await client.until("response.done"))["response"]["status"] == "completed"

    run(main())
