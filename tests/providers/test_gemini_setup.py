import sys
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError
from crossfade.providers import connect, gemini_setup
from crossfade.providers.commands import Update
from crossfade.providers.config import Eagerness, Reasoning, SessionConfig, TurnDetection
from crossfade.providers.gemini_address import Vertex
from crossfade.providers.gemini_setup import check_setup, load_types
from tests.clock import run
from tests.providers.gemini_messages import FLASH, LIVE, NATIVE, THINKING, Wire

MODELS = (LIVE, THINKING, FLASH, NATIVE)
TOOL = ToolDeclaration(
    name="depth",
    description="Depth of a lake.",
    parameters={"type": "object", "properties": {"lake": {"type": "string"}}},
)


def tool(blocking: bool | None) -> ToolDeclaration:
    return ToolDeclaration(name="depth", description="Depth of a lake.", blocking=blocking)


def generation_config(model: str, config: SessionConfig) -> dict[str, Any]:
    settings = Wire(model, config).setup["generationConfig"]
    assert isinstance(settings, dict)
    return settings


def test_the_setup_says_what_was_asked_for() -> None:
    config = SessionConfig(
        instructions="Be brief.",
        voice="warm",
        languages=["de-DE", "en-GB"],
        threshold=0.3,
        prefix_ms=200,
        silence_ms=700,
        interruptible=False,
        max_output_tokens=300,
        tools=[TOOL],
    )
    assert Wire(LIVE, config).setup == {
        "model": "models/gemini-3.8-live",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Sulafat"}}},
            "maxOutputTokens": 300,
        },
        "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "depth",
                        "description": "Depth of a lake.",
                        "parameters": {
                            "type": "OBJECT",
                            "properties": {"lake": {"type": "STRING"}},
                        },
                    }
                ]
            }
        ],
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "silenceDurationMs": 700,
                "prefixPaddingMs": 200,
                "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
            },
            "activityHandling": "NO_INTERRUPTION",
        },
        "inputAudioTranscription": {"languageCodes": ["de-DE", "en-GB"]},
        "outputAudioTranscription": {},
        "sessionResumption": {},
        "contextWindowCompression": {"slidingWindow": {}},
    }


def test_what_is_not_wanted_is_left_out() -> None:
    setup = Wire(LIVE, SessionConfig(transcribe=False, compress_context=False)).setup
    left_out = {
        "inputAudioTranscription",
        "contextWindowCompression",
        "tools",
        "systemInstruction",
        "proactivity",
        "historyConfig",
    }
    assert left_out.isdisjoint(setup)
    assert setup["generationConfig"] == {"responseModalities": ["AUDIO"]}


def test_a_high_threshold_asks_for_clear_speech() -> None:
    setup = Wire(LIVE, SessionConfig(threshold=0.8)).setup
    detection = setup["realtimeInputConfig"]["automaticActivityDetection"]
    assert detection["startOfSpeechSensitivity"] == "START_SENSITIVITY_LOW"


@pytest.mark.parametrize(
    ("eagerness", "sensitivity"),
    [
        (Eagerness.LOW, "END_SENSITIVITY_LOW"),
        (Eagerness.AUTO, None),
        (Eagerness.HIGH, "END_SENSITIVITY_HIGH"),
    ],
)
def test_eagerness_is_how_soon_speech_is_over(eagerness: Eagerness, sensitivity: str) -> None:
    setup = Wire(LIVE, SessionConfig(eagerness=eagerness)).setup
    detection = setup["realtimeInputConfig"]["automaticActivityDetection"]
    assert detection.get("endOfSpeechSensitivity") == sensitivity


def test_the_caller_may_mark_the_turns() -> None:
    setup = Wire(LIVE, SessionConfig(turn_detection=TurnDetection.CALLER)).setup
    assert setup["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}


def test_a_voice_of_geminis_own_passes_by() -> None:
    settings = generation_config(LIVE, SessionConfig(voice="Kore"))
    assert settings["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"] == "Kore"


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking"),
    [
        (NATIVE, Reasoning.OFF, {"thinkingBudget": 0}),
        (NATIVE, Reasoning.HIGH, {"thinkingBudget": 24576}),
        (FLASH, Reasoning.MINIMAL, {"thinkingLevel": "MINIMAL"}),
        (FLASH, None, None),
        (THINKING, None, {"thinkingLevel": "LOW"}),
        (THINKING, Reasoning.MEDIUM, {"thinkingLevel": "MEDIUM"}),
        (LIVE, None, None),
        (NATIVE, None, None),
    ],
)
def test_each_generation_is_told_to_think_in_its_own_words(
    model: str, reasoning: Reasoning | None, thinking: object
) -> None:
    settings = generation_config(model, SessionConfig(reasoning=reasoning))
    assert settings.get("thinkingConfig") == thinking


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [(THINKING, Reasoning.MINIMAL), (THINKING, Reasoning.OFF), (FLASH, Reasoning.OFF)],
)
def test_a_model_that_cannot_think_so_little_is_refused(model: str, reasoning: Reasoning) -> None:
    with pytest.raises(SettingsError, match="at least"):
        Wire(model, SessionConfig(reasoning=reasoning))


def test_a_model_that_does_not_think_is_refused_thoughts() -> None:
    with pytest.raises(SettingsError, match="by itself"):
        Wire(LIVE, SessionConfig(reasoning=Reasoning.HIGH))


@pytest.mark.parametrize(
    ("model", "blocking", "behavior"),
    [
        (LIVE, None, None),
        (LIVE, True, "BLOCKING"),
        (LIVE, False, "NON_BLOCKING"),
        (NATIVE, None, None),
        (NATIVE, False, "NON_BLOCKING"),
        (FLASH, False, None),
        (THINKING, True, None),
    ],
)
def test_behavior_is_declared_where_the_model_has_both(
    model: str, blocking: bool | None, behavior: str | None
) -> None:
    setup = Wire(model, SessionConfig(tools=[tool(blocking)])).setup
    (declaration,) = setup["tools"][0]["functionDeclarations"]
    assert declaration.get("behavior") == behavior


def test_vertex_is_told_the_whole_path_and_no_behavior() -> None:
    vertex = Vertex(project="p", location="us-central1")
    setup = Wire(LIVE, SessionConfig(tools=[tool(False)]), service=vertex).setup
    path = "projects/p/locations/us-central1/publishers/google/models/gemini-3.8-live"
    assert setup["model"] == path
    assert "behavior" not in setup["tools"][0]["functionDeclarations"][0]


def test_a_tool_without_parameters_has_none_on_the_wire() -> None:
    setup = Wire(LIVE, SessionConfig(tools=[tool(None)])).setup
    (declaration,) = setup["tools"][0]["functionDeclarations"]
    assert declaration == {"name": "depth", "description": "Depth of a lake."}


def test_a_handle_takes_an_earlier_session_up_and_no_history_is_told() -> None:
    history = (Utterance(speaker=Speaker.USER, text="Hello"),)
    wire = Wire(LIVE, history=history, resume="handle-1")
    assert wire.setup["sessionResumption"] == {"handle": "handle-1"}
    assert "historyConfig" not in wire.setup
    assert wire.replies == []


@pytest.mark.parametrize("model", MODELS)
def test_google_genai_knows_every_field_of_the_setup(model: str) -> None:
    pytest.importorskip("google.genai.types")
    load_types()
    config = SessionConfig(
        instructions="Be brief.",
        voice="deep",
        languages=["en"],
        threshold=0.5,
        prefix_ms=20,
        max_output_tokens=50,
        interruptible=False,
        tools=[TOOL, tool(False)],
        reasoning=None if model == LIVE else Reasoning.LOW,
    )
    history = (Utterance(speaker=Speaker.USER, text="Hello"),)
    assert Wire(model, config, history).setup["generationConfig"]


@pytest.mark.parametrize(
    "setup",
    [
        {"modle": "x"},
        {"realtimeInputConfig": {"activityHandlin": "NO_INTERRUPTION"}},
        {"tools": [{"functionDeclarations": [{"nam": "x"}]}]},
    ],
)
def test_a_setup_that_google_genai_does_not_know_is_refused(setup: dict[str, Any]) -> None:
    pytest.importorskip("google.genai.types")
    load_types()
    with pytest.raises(SettingsError, match="set-up cannot have this value"):
        check_setup(setup)


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has asked for google-genai's types yet."""
    pytest.importorskip("google.genai.types")
    monkeypatch.setattr(gemini_setup, "_types", None)
    monkeypatch.setattr(gemini_setup, "_looked_for_types", False)


def test_the_types_are_loaded_by_connect_where_no_loop_runs(unloaded: None) -> None:
    connect("gemini:", api_key="k")
    with pytest.raises(SettingsError, match="set-up cannot have this value"):
        check_setup({"modle": "x"})


def test_a_wrong_setup_is_refused_before_anything_is_dialled_where_a_loop_runs(
    unloaded: None,
) -> None:
    dialled: list[ServerConnection] = []

    async def handle(websocket: ServerConnection) -> None:
        dialled.append(websocket)

    async def main() -> None:
        async with serve(handle, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            tool = ToolDeclaration(name="depth", description=7)  # type: ignore[arg-type]
            wrong = SessionConfig(tools=[tool])
            session = connect("gemini:", wrong, base_url=f"ws://127.0.0.1:{port}/", api_key="k")
            assert not gemini_setup.types_loaded()
            with pytest.raises(SettingsError, match="description"):
                await session.open()

    run(main())
    assert dialled == []


def test_tools_of_an_update_are_checked_too() -> None:
    pytest.importorskip("google.genai.types")
    load_types()
    wrong = ToolDeclaration(name="depth", description=7)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="description"):
        Wire().send(Update(tools=[wrong]))


def test_without_google_genai_nothing_is_checked(
    unloaded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.genai.types", None)
    load_types()
    assert gemini_setup.types_loaded()
    check_setup({"modle": "x"})
