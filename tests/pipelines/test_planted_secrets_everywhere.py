"""Nothing that a cascade, a call on Moshi's wire or a server leaves behind holds a secret: no file,
no log, and nothing on the terminal."""

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from rich.console import Console

from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.twilio import TwilioEmulator
from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture import CAPTURE
from crossfade.observability.capture_file import read_capture
from crossfade.observability.divergence import compare
from crossfade.observability.report import write_report
from crossfade.observability.run import read_run
from crossfade.pipelines.cascaded_call import Services, cascaded_call
from crossfade.pipelines.console import CallConsole
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.replay_call import replay_call
from crossfade.pipelines.replay_chain import setup_of
from crossfade.pipelines.serve_settings import (
    SECRET_VARIABLE,
    TOKEN_VARIABLE,
    TWILIO_SID_VARIABLE,
    TWILIO_TOKEN_VARIABLE,
)
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from crossfade.transports.websocket_client import CallClient
from tests.clock import run
from tests.pipelines.calls import MODEL
from tests.pipelines.captures import question as script
from tests.pipelines.phones import asked, hears, post, webhook
from tests.pipelines.serving import Caller, question, scripted, serving
from tests.pipelines.test_planted_secrets import IN_RESULT, SECRETS, commanded, found, order
from tests.processors.speech_node.fakes import Brain, Calls, Line, PacedVoice, Recogniser, made_by

KEY = "sk-proj-planted0123456789abcdef"
SERVER = {
    "the provider's key": KEY,
    "the secret of the tokens": "planted-secret-of-the-resume-tokens-0123456789",
    "the access token": "planted-access-token-0123456789abcdef",
    "the secret of the webhook": "planted-auth-token-of-twilio",
    "a secret argument": SECRETS["a secret argument"],
    IN_RESULT: SECRETS[IN_RESULT],
}
PIN = SECRETS["a secret argument"]
BUYS = f"""
otherwise: I have nothing more to say.
turns:
  - on: speech
    hear: marzipan please
    call: [{{name: order, arguments: {{city: Xanadu, pin: {PIN}}}}}]
  - on: tool_results
    say: It comes from {{city}}.
"""


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Path]:
    """All that is logged, in files among the others: our own log at its lowest level, and that of
    pipecat and the other libraries from INFO on. At DEBUG they log what they are told."""
    path = tmp_path / "everything.log"
    sink = logger.add(path, level=0, filter={"": "INFO", "crossfade": "TRACE"})
    handler = logging.FileHandler(path.with_suffix(".stdlib.log"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield path
    root.setLevel(before)
    root.removeHandler(handler)
    handler.close()
    # A command that ran meanwhile has removed it.
    with contextlib.suppress(ValueError):
        logger.remove(sink)


@contextlib.contextmanager
def shown(folder: Path, record: CallRecord) -> Iterator[None]:
    """What the terminal shows of a call, in a file among the others."""
    console = Console(file=io.StringIO(), width=200)
    with CallConsole(console) as live:
        record.subscribe(live)
        yield
    assert isinstance(console.file, io.StringIO)
    (folder / "console.txt").write_text(console.file.getvalue())


async def cascade(folder: Path) -> None:
    """A call with secrets in the prompt, in what a tool is asked and in what it answers."""
    secret = {"city": "Xanadu", "pin": SECRETS["a secret argument"]}
    lines: list[Line] = ["Gladly.", Calls((("order", secret),)), "It comes from Xanadu."]
    caller = ScriptedCaller(script())
    record = CallRecord.open(folder, capture=True)
    services = Services(
        stt=EmbeddedSTT(Recogniser("marzipan please", "and more of it")),
        llm=EmbeddedLLM(made_by(Brain(lines))),
        tts=EmbeddedTTS(PacedVoice(speed=20)),
    )
    with shown(folder, record):
        call = cascaded_call(
            services,
            transport=caller,
            record=record,
            instructions=f"Never say {SECRETS['a key in the prompt']}.",
            tools=[order],
        )
        await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
    write_report(read_run(folder))


def test_a_cascade_leaves_no_secret_behind(tmp_path: Path, logged: Path) -> None:
    run(cascade(tmp_path))
    (tmp_path / "tail.txt").write_text(commanded("tail", str(tmp_path), "--full", "-n", "9999"))
    again = tmp_path / "again"
    (tmp_path / "replay.txt").write_text(
        commanded("replay", str(tmp_path), "--keep", str(again), "--instructions", "Sing.")
    )
    assert found(tmp_path, SECRETS) == []
    for name in ("capture.jsonl", "transcript.json", "console.txt", "report.html"):
        assert "Xanadu" in (tmp_path / name).read_text(), name
    assert (again / CAPTURE).is_file()


@tool(timeout_ms=5000)
async def api_key(token: str, password: str = SECRETS["a token in a tool's result"]) -> str:
    """Named as secrets are."""
    return token


def test_what_is_named_like_a_secret_is_declared_in_a_capture_and_holds_none(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        caller = ScriptedCaller(script())
        async with OpenAIEmulator() as emulator:
            record = CallRecord.open(tmp_path / "first", capture=True)
            async with native_call(
                MODEL,
                transport=caller,
                record=record,
                config=SessionConfig(),
                tools=[api_key],
                base_url=emulator.url,
                api_key=KEY,
            ) as call:
                await asyncio.wait_for(call.run(until=caller.hung_up()), 120)

    run(scenario())
    captured = read_capture(tmp_path / "first")
    setup_of(captured)
    declared = captured.settings["tools"]["api_key"]
    assert set(json.loads(declared["parameters"])["properties"]) == {"token", "password"}
    assert compare(captured, run(replay_call(captured, tmp_path / "second"))) == []
    assert found(tmp_path, {**SECRETS, "the key": KEY}) == []


def test_a_call_on_moshi_s_wire_leaves_no_secret_behind(tmp_path: Path, logged: Path) -> None:
    async def scenario() -> None:
        caller = ScriptedCaller(script())
        async with MoshiEmulator() as emulator:
            record = CallRecord.open(tmp_path, capture=True)
            separator = "&" if "?" in emulator.url else "?"
            with shown(tmp_path, record), contextlib.suppress(CrossfadeError):
                async with native_call(
                    "moshi:moshiko",
                    transport=caller,
                    record=record,
                    config=SessionConfig(),
                    base_url=f"{emulator.url}{separator}auth_id={KEY}",
                    api_key=KEY,
                ) as call:
                    await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
            record.close({})
        write_report(read_run(tmp_path))

    run(scenario())
    assert found(tmp_path, {"the key": KEY}) == []


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, what in (
        (SECRET_VARIABLE, "the secret of the tokens"),
        (TOKEN_VARIABLE, "the access token"),
        (TWILIO_TOKEN_VARIABLE, "the secret of the webhook"),
    ):
        monkeypatch.setenv(variable, SERVER[what])
    monkeypatch.delenv(TWILIO_SID_VARIABLE, raising=False)


@pytest.mark.usefixtures("secretive")
def test_a_server_leaves_no_secret_behind(tmp_path: Path, logged: Path) -> None:
    """Neither in a call by WebSocket, which is resumed, nor by phone, nor where it refuses."""
    tokens: dict[str, str] = {}

    async def call(url: str, **options: Any) -> None:
        caller = Caller()
        async with CallClient(
            [url],
            access=SERVER["the access token"],
            on_sound=caller.hear,
            on_message=caller.note,
            **options,
        ) as client:
            await client.attached()
            client.speak(question())
            if not options:
                await caller.hears_sound()
            await asyncio.sleep(3)
            assert client.token is not None
            tokens[f"resume token {len(tokens)}"] = client.token
            if not options:
                return
            await client.hang_up()

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, BUYS)) as emulator,
            serving(
                tmp_path,
                emulator,
                api_key=KEY,
                store=str(tmp_path / "calls.db"),
                tools=[order],
                capture=True,
            ) as server,
        ):
            await call(server.url)
            await call(server.url, token=tokens["resume token 0"], details=True)
            async with (
                TwilioEmulator(auth_token=SERVER["the secret of the webhook"]) as twilio,
                twilio.call(webhook(server)) as phone,
            ):
                await phone.connected()
                phone.speak(asked())
                await phone.spoken()
                await hears(phone)
                await phone.hang_up()
            form = {"CallSid": "CA1", "CallStatus": "in-progress"}
            await post(webhook(server), form, auth_token="planted-wrong")
            told.extend(server.told)

    told: list[str] = []
    run(scenario())
    # What the emulated provider says is its script, and no output of ours.
    (tmp_path / "scenario.yaml").unlink()
    (tmp_path / "announced.txt").write_text("\n".join(told))
    listed = commanded("calls", "list", "--store", str(tmp_path / "calls.db"))
    (tmp_path / "calls.txt").write_text(listed)
    assert len(tokens) == 2
    wanted = {what: text for what, text in SERVER.items() if what != IN_RESULT}
    assert found(tmp_path, {**wanted, **tokens}) == []
    # The store has what the model was told, as it was told: with it another server goes on.
    told_model = found(tmp_path, {"a result": SERVER[IN_RESULT]})
    assert {line.partition(":")[0] for line in told_model} <= {"calls.db", "calls.db-wal"}
    assert len(list(tmp_path.rglob("events.jsonl"))) >= 2
    assert any("Xanadu" in path.read_text() for path in tmp_path.rglob("transcript.json"))
