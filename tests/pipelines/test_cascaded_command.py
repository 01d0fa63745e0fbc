"""The cascaded command: what users see when something is wrong, and one call in real time."""

import os
import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.errors import SettingsError
from crossfade.offline.recogniser import recogniser_available
from crossfade.offline.synthesiser import synthesiser_available
from crossfade.pipelines.cascade_services import Choice, Role, make_service, names
from crossfade.pipelines.cascaded_settings import CascadedSettings
from crossfade.processors.embedded_tts import EmbeddedTTS
from tests.processors.speech_node.fakes import PacedVoice

ROOT = Path(__file__).parents[2]
missing = recogniser_available() or synthesiser_available()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder without any key."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)


def refused(*arguments: str) -> str:
    """Run a command that must end with one line and exit code 2; returns the line."""
    result = CliRunner().invoke(app, ["cascaded", *arguments])
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert not list(Path().glob("runs/*"))
    return line


def test_exactly_one_of_demo_and_input_is_asked_for() -> None:
    assert "say who talks, once: --demo, --input FILE" in refused()


def test_an_unknown_service_is_told_with_those_that_exist() -> None:
    line = refused("--demo", "--stt", "acme")
    assert "acme" in line
    assert all(name in line for name in names(Role.STT))


def test_a_missing_key_is_told_with_its_variable() -> None:
    assert "CARTESIA_API_KEY" in refused("--demo", "--tts", "cartesia")
    assert "OPENAI_API_KEY" in refused("--demo", "--llm", "openai")


def test_a_missing_extra_is_told_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret-key")
    monkeypatch.setitem(sys.modules, "anthropic", None)
    monkeypatch.delitem(sys.modules, "pipecat.services.anthropic.llm", raising=False)
    line = refused("--demo", "--llm", "anthropic")
    assert "pip install 'pipecat-ai[anthropic]'" in line
    assert "secret-key" not in line


def test_an_address_that_a_service_cannot_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "key")
    line = refused("--demo", "--llm", "mistral", "--llm-base-url", "http://127.0.0.1:9/v1")
    assert "no other address" in line


def test_settings_that_an_embedded_service_cannot_follow_are_refused() -> None:
    assert "takes no voice" in refused("--demo", "--voice", "warm")
    assert "takes no model" in refused("--demo", "--llm", "embedded", "--llm-model", "big")


def test_a_recogniser_that_cannot_tell_a_turns_end_early_is_not_asked_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "key")
    line = refused("--demo", "--stt", "cartesia", "--eager")
    assert "embedded, cartesia-turns, deepgram-flux" in line


def test_a_recogniser_that_can_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "key")
    foretells = make_service(Role.STT, Choice(name="cartesia-turns", eager=True))
    waits = make_service(Role.STT, Choice(name="cartesia-turns"))
    assert foretells.eager_end_of_turn_enabled
    assert not waits.eager_end_of_turn_enabled


@pytest.mark.parametrize(
    "address", ["not an address", "ftp://host/v1", "http://", "http://host:99999/v1", "http://[::"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert "http://" in refused("--demo", "--llm-base-url", address)


def test_a_model_that_is_named_as_part_of_a_service_is_told_its_place() -> None:
    assert "--llm-model gpt-4.1" in refused("--demo", "--llm", "openai:gpt-4.1")


def test_a_module_that_fails_while_it_is_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_voice.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    line = refused("--demo", "--tts", "broken_voice:Mine")
    assert "broken_voice:Mine" in line
    assert "ZeroDivisionError" in line


def test_a_service_of_ones_own_is_taken_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(EmbeddedTTS):
        def __init__(self) -> None:
            super().__init__(PacedVoice())

    module = types.ModuleType("mine")
    module.Mine = Mine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mine", module)
    assert isinstance(make_service(Role.TTS, Choice(name="mine:Mine")), Mine)
    with pytest.raises(SettingsError, match="no STTService"):
        make_service(Role.STT, Choice(name="mine:Mine"))
    with pytest.raises(SettingsError, match="has no Other"):
        make_service(Role.TTS, Choice(name="mine:Other"))
    with pytest.raises(SettingsError, match="cannot be made"):
        make_service(Role.TTS, Choice(name="mine:Mine", url="http://127.0.0.1:9"))


@pytest.mark.parametrize("path", [":Mine", "mine:", ".mine:Mine", ":"])
def test_half_an_import_path_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match="MODULE:CLASS"):
        make_service(Role.TTS, Choice(name=path))


def test_the_text_model_is_openai_where_there_is_a_key_or_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert CascadedSettings().chosen_llm == "embedded"
    assert CascadedSettings(llm_base_url="http://127.0.0.1:9/v1").chosen_llm == "openai"
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    assert CascadedSettings().chosen_llm == "openai"
    assert CascadedSettings(llm="ollama").chosen_llm == "ollama"


@pytest.mark.parametrize(
    ("role", "name"),
    [(role, name) for role in Role for name in names(role) if name != "embedded"],
)
def test_every_service_of_the_table_is_made_or_tells_which_extra_it_wants(
    role: Role, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in ("ASSEMBLYAI", "CARTESIA", "DEEPGRAM", "ELEVENLABS", "OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{known}_API_KEY", "key")
    for known in ("GOOGLE", "GROQ", "MISTRAL"):
        monkeypatch.setenv(f"{known}_API_KEY", "key")
    wants = ""
    try:
        made = make_service(role, Choice(name=name, model="some-model"))
    except SettingsError as error:
        wants = str(error)
    assert "pipecat-ai[" in wants if wants else made.settings.model == "some-model"


@pytest.mark.realtime
@pytest.mark.skipif(missing is not None, reason=str(missing))
def test_a_file_is_spoken_to_the_embedded_cascade_and_answered() -> None:
    question = str(ROOT / "examples" / "audio" / "greeting.wav")
    result = CliRunner().invoke(app, ["cascaded", "--input", question, "--output", "answer.wav"])
    assert result.exit_code == 0, result.output
    assert "embedded → embedded → embedded" in result.output
    assert "hello there" in result.output
    assert Path("answer.wav").stat().st_size > 40_000
