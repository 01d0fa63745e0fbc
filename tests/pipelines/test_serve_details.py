"""What clients that ask are told of their call, and what they may send beside sound."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any, cast

import pytest

from crossfade.conversation.ledger import Conversation
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost
from crossfade.observability.call import CallRecord
from crossfade.observability.live_events import Failed, ToolAnswered, ToolCalled
from crossfade.pipelines.serve_details import CallDetails
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving

SCENARIO = """
turns:
  - on: speech
    hear: what's the weather in Tokyo
    call: [{name: get_weather, arguments: {city: Tokyo}}]
  - on: tool_results
    say: It is {temperature_c} degrees in Tokyo, and so it will stay until the end of the week.
  - on: speech
    hear: thank you
    say: You are welcome.
  - on: text
    say: You wrote to me.
  - on: text
    say: You pressed keys.
"""
DETAILS = {"tool", "latency", "cost", "state", "heard", "session", "node", "problem"}
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0 picture").decode()


def test_a_call_with_details(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            CallClient(
                [server.url], details=True, on_sound=caller.hear, on_message=caller.note
            ) as c,
        ):
            await c.attached()
            await asyncio.sleep(0.1)
            (session,) = caller.of("session")
            assert session["text"] == "openai:gpt-realtime-2.1"
            assert caller.of("node")[0]["choices"] == ["openai:gpt-realtime-2.1"]
            c.speak(question())
            await asyncio.sleep(6)
            assert [m["user_speaking"] for m in caller.of("state")] == [True, False]
            called, answered = caller.of("tool")
            assert (called["state"], called["arguments"]) == ("called", {"city": "Tokyo"})
            assert (answered["state"], answered["name"]) == ("answered", "get_weather")
            assert answered["call_id"] == called["call_id"]
            assert answered["took_ms"] == pytest.approx(1500, abs=100)
            assert answered["result"]["city"] == "Tokyo"
            assert caller.of("latency")[0]["voice_to_voice_ms"] > 100
            # The caller interrupts: what was heard is told.
            c.speak(question())
            await asyncio.sleep(8)
            cut = [m for m in caller.of("heard") if m["interrupted"]]
            assert cut
            assert cut[0]["text"]
            assert "week" not in cut[0]["text"]
            whole = caller.of("heard")[-1]
            assert (whole["text"], whole["interrupted"]) == ("You are welcome.", False)
            cost = caller.of("cost")[-1]
            assert cost["turn"].startswith("$0.")
            assert cost["call"].startswith("$0.")

    run(scenario())


@pytest.mark.parametrize(("asked", "allowed"), [(False, True), (True, False)])
def test_nothing_of_it_is_told_to_others(tmp_path: Path, asked: bool, allowed: bool) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator, details=allowed) as server,
            CallClient([server.url], details=asked, on_message=caller.note) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(6)
            assert caller.of("transcript")
            assert not DETAILS & {str(m["type"]) for m in caller.messages}

    run(scenario())


def test_words_keys_and_pictures_reach_the_agent(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            CallClient([server.url], details=True, on_message=caller.note) as c,
        ):
            await c.attached()
            picture = {"type": "image", "source": "camera", "mime": "image/jpeg", "data": JPEG}
            await c.send_raw(json.dumps(picture))
            await c.send_raw('{"type": "text", "text": "what do you see"}')
            await asyncio.sleep(2)
            assert caller.words == "You wrote to me."
            for key in "42#":
                await c.send_raw(json.dumps({"type": "key", "key": key}))
            await asyncio.sleep(2)
            assert caller.words.endswith("You pressed keys.")
            await c.send_raw('{"type": "node", "name": "another"}')
            await asyncio.sleep(0.5)
            assert "one speech node" in caller.of("problem")[-1]["message"]
            await c.hang_up()
        (folder,) = (tmp_path / "runs").iterdir()
        kept = (folder / "transcript.json").read_text()
        assert "what do you see" in kept
        assert "keypad: 42#" in kept
        assert "image/jpeg" in kept

    run(scenario())


def test_what_no_client_could_keep_is_in_the_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            CallClient([server.url], keep_s=0.5) as c,
        ):
            await c.attached()
            c.urls[:] = ["ws://127.0.0.1:9/ws"]
            c.cut_line()
            await asyncio.sleep(3)
            c.urls[:] = [server.url]
            await asyncio.sleep(2)
            await c.hang_up()
        (folder,) = (tmp_path / "runs").iterdir()
        (lost,) = json.loads((folder / "summary.json").read_text())["dropped"].values()
        # Frames of 20 ms.
        assert 100 < lost < 200

    run(scenario())


def test_who_writes_without_end_is_sent_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            CallClient([server.url]) as c,
        ):
            await c.attached()
            for _ in range(121):
                await c.send_raw('{"type": "key", "key": "1"}')
            with pytest.raises(ConnectionLost) as lost:
                await c.over()
            assert lost.value.close_code == CloseCode.MALFORMED

    run(scenario())


def test_no_secret_is_told() -> None:
    told: list[bytes] = []
    listeners: list[Any] = []

    class Record:
        subscribe = staticmethod(listeners.append)

    CallDetails(
        told.append,
        cast(CallRecord, Record()),
        Conversation(),
        provider="openai:x",
        secrets=frozenset({"pin"}),
    )
    (tell,) = listeners
    tell(ToolCalled(at_s=0, call_id="1", name="pay", arguments={"pin": "1234", "to": "Ann"}))
    result = {"api_key": "0123456789abcdef", "note": "Bearer abcdefghijkl"}
    tell(ToolAnswered(at_s=1, call_id="1", name="pay", result=result, is_error=False))
    tell(Failed(at_s=2, message="refused: sk-abcdefghijklmnop is not a key"))
    text = b"".join(told).decode()
    assert "Ann" in text
    for secret in ("1234", "0123456789abcdef", "abcdefghijkl"):
        assert secret not in text
    tell(ToolAnswered(at_s=3, call_id="2", name="pay", result="x" * 10_000, is_error=True))
    assert len(told[-1]) < 5000
