"""The weather agent, without a network."""

import io
import json
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from crossfade.examples import weather
from crossfade.pipelines.native_call import run_native
from crossfade.pipelines.settings import NativeSettings
from crossfade.processors.tools import ToolArgumentsError
from tests.clock import run
from tests.virtual_workers import jump_while_workers_rest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_fields: Any) -> Any:
        raise URLError("no network")

    monkeypatch.setattr(weather, "urlopen", fail)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_the_agent_tells_the_weather_it_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump_while_workers_rest(monkeypatch)
    settings = NativeSettings(provider="emulator", runs=tmp_path)
    outcome = run(
        run_native(settings, announce=print, listener=lambda _: None, tools=[weather.get_weather])
    )
    turns = json.loads((outcome.folder / "transcript.json").read_text())["turns"]
    (call,) = [turn for turn in turns if turn["role"] == "tool"]
    assert (call["name"], call["arguments"]) == ("get_weather", {"city": "Tokyo"})
    assert call["result"]["temperature_c"] == 13.4
    # The demo's caller does not wait for the end of it.
    assert [turn for turn in turns if turn["role"] == "agent" and "Tokyo" in turn["text"]]


def test_a_place_that_is_not_found_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather, "ask", lambda *_, **__: {"generationtime_ms": 0.3})
    with pytest.raises(ToolArgumentsError, match="No place is called Atlantis"):
        run(weather.get_weather.run({"city": "Atlantis"}))


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_args: Any, **_fields: Any) -> Any:
        raise error

    monkeypatch.setattr(weather, "urlopen", fail)


def test_a_service_that_refuses_is_no_missing_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded weather would be told as that of now."""
    failing(monkeypatch, HTTPError("https://x", 429, "Too many", Message(), io.BytesIO()))
    with pytest.raises(HTTPError):
        weather.ask("https://api.open-meteo.com/v1/forecast")


def test_a_network_that_is_silent_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, TimeoutError("read timed out"))
    told = run(weather.get_weather.run({"city": "Tokyo"}))
    assert (told["city"], told["temperature_c"]) == ("Tokyo", 13.4)
