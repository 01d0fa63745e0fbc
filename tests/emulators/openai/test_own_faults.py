"""Faults of this wire, as a client sees them."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import State, parse_faults
from crossfade.emulators.openai import faults
from tests.clock import run
from tests.emulators.openai.wire_client import UTTERANCE, WireClient, session

NAME = "conversation.item.input_audio_transcription"
LONG = "This is a long answer that goes on for quite some time, word after word after word."
TURNS = (
    Turn(on=Trigger.SPEECH, hear="one", say=("First.",)),
    Turn(on=Trigger.SPEECH, hear="two", say=("Second.",)),
)


async def goes_on(client: WireClient) -> None:
    await client.update(instructions="Still here")
    await client.until("session.updated")


def test_a_script_names_each_of_them() -> None:
    names = [kind.model_fields["fault"].default for kind in faults.OWN_FAULTS]
    assert len(set(names)) == len(names)
    text = "faults:\n" + "".join(f"  - fault: {name}\n    turn: 1\n" for name in names)
    parsed = parse_faults(text, faults.OWN_FAULTS)
    assert [type(fault) for fault in parsed] == list(faults.OWN_FAULTS)


def test_a_session_expires_before_its_time() -> None:
    async def main() -> None:
        fault = faults.SessionExpired(at=State.SPEAKING, after_ms=100)
        async with session(Turn(on=None, say=(LONG,)), faults=[fault]) as client:
            await client.send("response.create")
            error = await client.error()
            assert error["code"] == "session_expired"
            assert error["message"] == "Your session hit the maximum duration of 60 minutes."
            with pytest.raises(ConnectionClosed):
                await client.receive()
            assert client.connection.close_code == 1001
            assert client.connection.close_reason == error["message"]

    run(main())


@pytest.mark.parametrize(
    ("fault", "type", "code", "param"),
    [
        (faults.ServerError(), "server_error", "server_error", None),
        (faults.RateLimit(), "rate_limit_error", "rate_limit_exceeded", None),
        (
            faults.ErrorEvent(code="mine", message="Mine.", param="x"),
            "invalid_request_error",
            "mine",
            "x",
        ),
        (faults.ErrorEvent(), "invalid_request_error", None, None),
    ],
)
def test_an_error_comes_and_the_session_goes_on(
    fault: Any, type: str, code: str | None, param: str | None
) -> None:
    async def main() -> None:
        async with session(faults=[fault]) as client:
            error = await client.error()
            assert error.pop("message")
            assert error == {"type": type, "code": code, "param": param, "event_id": None}
            await goes_on(client)

    run(main())


@pytest.mark.parametrize(
    "code", ["server_error", "inference_rate_limit_exceeded", "insufficient_quota"]
)
@pytest.mark.parametrize("at", [State.THINKING, State.SPEAKING])
def test_a_response_fails(code: Any, at: State) -> None:
    async def main() -> None:
        fault = faults.FailedResponse(code=code, at=at, after_ms=200)
        turns = (Turn(on=None, say=(LONG,)), Turn(on=None, say=("Fine.",)))
        async with session(*turns, faults=[fault]) as client:
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            assert done["status"] == "failed"
            assert done["status_details"]["type"] == "failed"
            error = done["status_details"]["error"]
            assert error["code"] == code
            assert error["message"]
            assert len(done["output"]) == (at is State.SPEAKING)
            assert bool(done["usage"]["total_tokens"]) is (at is State.SPEAKING)
            await client.send("response.create")
            assert (await client.until("response.done"))["response"]["status"] == "completed"

    run(main())


def test_the_next_response_fails_where_none_runs() -> None:
    async def main() -> None:
        async with session(faults=[faults.FailedResponse()]) as client:
            for status in ("failed", "completed"):
                await client.send("response.create")
                assert (await client.until("response.done"))["response"]["status"] == status

    run(main())


def test_a_filter_ends_a_response() -> None:
    async def main() -> None:
        fault = faults.IncompleteResponse(at=State.SPEAKING, after_ms=200)
        async with session(Turn(on=None, say=(LONG,)), faults=[fault]) as client:
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            assert done["status_details"] == {"type": "incomplete", "reason": "content_filter"}
            assert done["output"][0]["status"] == "incomplete"
            assert LONG.startswith(done["output"][0]["content"][0]["transcript"])

    run(main())


@pytest.mark.parametrize("cancel", [False, True])
def test_status_details_may_be_a_text(cancel: bool) -> None:
    async def main() -> None:
        fault = faults.TextStatusDetails()
        async with session(Turn(on=None, say=(LONG,)), faults=[fault]) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            if cancel:
                await client.send("response.cancel")
            done = (await client.until("response.done"))["response"]
            details = "client_cancelled" if cancel else "completed"
            assert done["status_details"] == details

    run(main())


def test_the_service_takes_the_place_of_the_clients_response() -> None:
    async def main() -> None:
        fault = faults.StolenResponse()
        async with session(faults=[fault]) as client:
            created = await client.until("response.created")
            await client.send("response.create")
            error = await client.error()
            assert error["code"] == "conversation_already_has_active_response"
            assert created["response"]["id"] in error["message"]
            assert (await client.until("response.done"))["response"]["status"] == "completed"

    run(main())


def test_a_response_is_not_created_and_done_all_the_same() -> None:
    async def main() -> None:
        async with session(faults=[faults.MissingResponseCreated()]) as client:
            await client.send("response.create")
            await client.until("response.done")
            assert not client.of("response.created")
            await client.send("response.create")
            await client.until("response.done")
            assert len(client.of("response.created")) == 1

    run(main())


def test_speech_starts_twice() -> None:
    async def main() -> None:
        async with session(faults=[faults.DuplicatedSpeechStarted()]) as client:
            await client.stream(UTTERANCE)
            await client.until("response.done")
            first, second = client.of("input_audio_buffer.speech_started")
            assert first == second
            assert len(client.of("input_audio_buffer.speech_stopped")) == 1

    run(main())


def test_deltas_trail_behind_a_cancelled_response() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,)), faults=[faults.TrailingDeltas()]) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            done = await client.until("response.done")
            await client.until("rate_limits.updated")
            types = [event["type"] for event in client.events]
            trail = client.events[types.index("response.done") + 1 : -1]
            assert [event["type"] for event in trail] == ["response.output_audio.delta"] * 3
            assert {event["response_id"] for event in trail} == {done["response"]["id"]}

    run(main())


async def two_turns(fault: Any) -> list[dict[str, Any]]:
    """What two spoken turns bring where something is wrong with the first transcript."""
    async with session(*TURNS, faults=[fault]) as client:
        await client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
        for _ in range(2):
            await client.stream(UTTERANCE)
            await client.until("response.done")
        await asyncio.sleep(20)
        await client.send("response.cancel")
        await client.error()
        return client.events


def outcomes(events: list[dict[str, Any]]) -> list[str]:
    """What came of each transcript, beside the ends of responses."""
    told = []
    for event in events:
        if event["type"] == f"{NAME}.completed":
            told.append(event["transcript"])
        elif event["type"] in (f"{NAME}.failed", "response.created", "response.done"):
            told.append(event["type"].rpartition(".")[2])
    return told


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            faults.FailedTranscription(),
            ["created", "failed", "done", "created", "two", "done"],
        ),
        (faults.EmptyTranscription(), ["created", "", "done", "created", "two", "done"]),
        (
            faults.LateTranscription(ms=10_000),
            ["created", "done", "created", "two", "done", "one"],
        ),
        (faults.EarlyTranscription(), ["one", "created", "done", "created", "two", "done"]),
        (
            faults.OutOfOrderTranscription(),
            ["created", "done", "created", "two", "one", "done"],
        ),
    ],
)
def test_a_transcript_fails_is_empty_late_early_or_out_of_order(
    fault: Any, expected: list[str]
) -> None:
    assert outcomes(run(two_turns(fault))) == expected


@pytest.mark.parametrize(
    "fault",
    [
        faults.FailedResponse(at=State.SPEAKING, after_ms=150),
        faults.OutOfOrderTranscription(),
        faults.TrailingDeltas(),
    ],
)
def test_the_same_script_makes_the_same_events(fault: Any) -> None:
    assert run(two_turns(fault)) == run(two_turns(fault))
