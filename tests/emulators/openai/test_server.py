"""The emulator as something that is entered, used and left."""

import asyncio
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Prompt, Reply, ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario
from crossfade.emulators.backends.scripted import ScriptedDialogue
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.errors import SettingsError
from tests.clock import run
from tests.emulators.openai.wire_client import (
    GET_WEATHER,
    client_of,
    loudness_scorer,
    quiet,
    session,
    tone,
)

UTTERANCE = quiet(300) + tone(600) + quiet(600)


def test_the_time_of_day_can_be_given() -> None:
    async def main() -> None:
        timing = Timing(session_seconds=60)
        async with session(epoch_s=1_700_000_000, timing=timing) as client:
            created = client.events[0]["session"]
            assert created["expires_at"] == 1_700_000_060

    run(main())


def test_it_listens_on_a_free_port_of_loopback_and_stops_when_left() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            assert emulator.url == f"ws://127.0.0.1:{emulator.port}/v1/realtime"
            url = emulator.url
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].split("/")[0]))

    run(main())


def test_nothing_is_compressed_even_for_a_client_that_offers_it() -> None:
    async def main() -> None:
        headers = {"Authorization": "Bearer sk-test"}
        async with OpenAIEmulator() as emulator:
            url = f"{emulator.url}?model=gpt-realtime"
            async with connect(url, additional_headers=headers) as connection:
                assert connection.protocol.extensions == []

    run(main())


def test_a_client_left_behind_is_closed_with_1001() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            client = client_of(emulator)
            left = await client.__aenter__()
        with pytest.raises(ConnectionClosed):
            await left.receive()
        assert left.connection.close_code == 1001
        await client.__aexit__(None, None, None)

    run(main())


def test_a_port_in_use_is_named_with_the_cure() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(SettingsError, match=rf"port {port}: .*choose another port"):
                await OpenAIEmulator(port=port).__aenter__()

    run(main())


def test_the_built_in_call_runs_from_greeting_to_goodbye() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator(scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            await client.update(
                tools=[GET_WEATHER], audio={"input": {"transcription": {"model": "whisper-1"}}}
            )
            await client.stream(UTTERANCE)
            await client.until("response.done")
            await client.stream(UTTERANCE)
            call = (await client.until("response.done"))["response"]["output"][0]
            assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"Tokyo"}')
            output = {"type": "function_call_output", "call_id": call["call_id"]}
            result = '{"city":"Tokyo","temperature_c":18}'
            await client.send("conversation.item.create", item={**output, "output": result})
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.stream(UTTERANCE)
            cut = await client.until("response.done")
            assert cut["response"]["status"] == "cancelled"
            await client.until("response.done")
            await client.stream(UTTERANCE)
            await client.until("response.done")
            said = [
                event["transcript"] for event in client.of("response.output_audio_transcript.done")
            ]
            assert said[1].startswith("I have looked it up for you.")
            assert said[2:] == ["You're welcome.", "Goodbye!"]
            completed = "conversation.item.input_audio_transcription.completed"
            assert [event["transcript"] for event in client.of(completed)] == [
                "hello there",
                "what is the weather in Tokyo",
                "thank you, that is enough",
                "goodbye",
            ]

    run(main())


def test_what_a_client_sent_is_kept_in_order_without_the_sound() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator(scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            await client.update(instructions="Be kind.")
            await client.append(tone(20))
            await client.send("input_audio_buffer.clear", event_id="mine")
            await client.until("input_audio_buffer.cleared")
            update = {"type": "realtime", "instructions": "Be kind."}
            first, sound, last = emulator.sessions[0].received
            assert first.body == {"type": "session.update", "session": update}
            assert sound.type == "input_audio_buffer.append"
            assert sound.audio_bytes == 960
            assert "audio" not in sound.body
            assert last.body == {"type": "input_audio_buffer.clear", "event_id": "mine"}

    run(main())


def test_sessions_do_not_share_a_conversation_or_a_script() -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator(timing=Timing(speed=float("inf"))) as emulator,
            client_of(emulator) as one,
            client_of(emulator, model="gpt-realtime-2.1") as two,
        ):
            said = []
            for client in (one, two):
                await client.send("response.create")
                done = await client.until("response.done")
                said.append(done["response"]["output"][0]["content"][0]["transcript"])
            assert said[0] == said[1]
            assert [session.configuration.model for session in emulator.sessions] == [
                "gpt-realtime",
                "gpt-realtime-2.1",
            ]
            assert len({session.id for session in emulator.sessions}) == 2

    run(main())


def test_the_same_traffic_makes_the_same_events() -> None:
    async def events() -> list[object]:
        async with (
            OpenAIEmulator(scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            await client.stream(UTTERANCE)
            await client.until("rate_limits.updated")
            return [*client.events, *client.times_s]

    assert run(events()) == run(events())


def test_a_client_that_vanishes_ends_its_session_only() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            async with client_of(emulator) as client:
                await client.send("response.create")
                await client.until("response.output_audio.delta")
                client.connection.transport.abort()
            async with client_of(emulator) as client:
                await client.send("response.create")
                await client.until("response.done")
            assert [session.failure for session in emulator.sessions] == [None, None]

    run(main())


class BrokenDialogue(ScriptedDialogue):
    async def reply(self, prompt: Prompt) -> Reply:
        raise ZeroDivisionError("a bug")


class BrokenBackend(ScriptedBackend):
    def dialogue(self) -> ScriptedDialogue:
        return BrokenDialogue(Scenario(turns=()), self.render)


def test_a_bug_in_the_emulator_ends_the_session_with_1011_and_surfaces() -> None:
    async def main() -> None:
        async with OpenAIEmulator(BrokenBackend()) as emulator, client_of(emulator) as client:
            await client.send("response.create")
            assert (await client.error())["type"] == "server_error"
            with pytest.raises(ConnectionClosed):
                await client.receive()
            assert client.connection.close_code == 1011

    with pytest.raises(ExceptionGroup, match="sessions of the emulator failed") as failed:
        run(main())
    assert isinstance(failed.value.exceptions[0], ZeroDivisionError)
