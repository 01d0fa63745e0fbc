"""What is asked for by name is checked before anything is dialled."""

import subprocess
import sys

import pytest

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError
from crossfade.providers import SessionConfig, connect
from crossfade.providers.continuity.lines import Lines


@pytest.mark.parametrize("spec", ["foo:bar", "", ":m", "OpenAI:x", "gpt-realtime"])
def test_an_unknown_provider_is_refused_with_those_that_exist(spec: str) -> None:
    with pytest.raises(SettingsError, match="openai") as caught:
        connect(spec, api_key="key")
    assert f'"{spec}"' in str(caught.value)


@pytest.mark.parametrize("spec", ["openai", "openai:"])
def test_a_provider_has_a_default_model(spec: str) -> None:
    assert connect(spec, api_key="key").profile.model == "gpt-realtime-2.1"


def test_a_model_is_taken_by_its_name() -> None:
    session = connect("openai:gpt-realtime-mini", SessionConfig(voice="calm"), api_key="key")
    assert session.profile.model == "gpt-realtime-mini"
    assert session.config.voice == "calm"
    assert (session.input_rate_hz, session.output_rate_hz) == (24000, 24000)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        connect("openai")
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        connect("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    connect("openai")


def test_a_base_url_must_be_a_websocket_address() -> None:
    with pytest.raises(SettingsError, match="WebSocket") as caught:
        connect("openai", base_url="https://user:secret@host/", api_key="key")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("spec", ["openai:", "moshi:"])
def test_a_session_is_taken_up_only_where_it_can_be(spec: str) -> None:
    with pytest.raises(SettingsError, match=r"profile\.resumption"):
        connect(spec, resume="handle-1", api_key="key")


def test_an_empty_handle_takes_nothing_up() -> None:
    with pytest.raises(SettingsError, match="empty"):
        connect("gemini:", resume="", api_key="key")


def test_a_tool_is_declared_once() -> None:
    tool = ToolDeclaration(name="get_weather", description="")
    with pytest.raises(SettingsError, match="get_weather"):
        connect("openai", SessionConfig(tools=[tool, tool]), api_key="key")


def test_importing_the_providers_is_light() -> None:
    code = (
        "import sys, crossfade.providers;"
        "print({'pipecat','openai','google','numpy','pydantic'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("dialect", "variable"),
    [
        ("xai", "XAI_API_KEY"),
        ("qwen", "DASHSCOPE_API_KEY"),
        ("azure", "AZURE_OPENAI_API_KEY"),
        ("azure-voice-live", "AZURE_VOICELIVE_API_KEY"),
        ("azure-voice-live", "AZURE_OPENAI_API_KEY"),
    ],
)
def test_each_dialect_has_its_keys(
    monkeypatch: pytest.MonkeyPatch, dialect: str, variable: str
) -> None:
    names = ("OPENAI", "XAI", "DASHSCOPE", "AZURE_OPENAI", "AZURE_VOICELIVE")
    for name in names:
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    url = "ws://127.0.0.1:1/"
    with pytest.raises(SettingsError, match=variable):
        connect("openai:m", dialect=dialect, base_url=url)
    monkeypatch.setenv(variable, "key")
    connect("openai:m", dialect=dialect, base_url=url)


def test_the_first_variable_that_holds_a_key_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "second")
    for first, taken in ((" ", "second"), ("first", "first")):
        monkeypatch.setenv("AZURE_VOICELIVE_API_KEY", first)
        session = connect("openai:m", dialect="azure-voice-live", base_url="ws://127.0.0.1:1/")
        assert isinstance(session._lines, Lines)
        assert session._lines.last.leg.api_key == taken
