"""The weather agent, without a network."""

import json
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from crossfade.examples import weather
from crossfade.processors.tools import ToolArgumentsError
from tests.clock import run


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_fields: Any) -> Any:
        raise URLError("no network")

    monkeypatch.setattr(weather, "urlopen", fail)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_the_agent_tells_the_weather_it_looked_up(tmp_path: Path) -> None:
    run(weather.main(tmp_path))
    turns = json.loads((tmp_path / "transcript.json").read_text())["turns"]
    (call,) = [turn for turn in turns if turn["role"] == "tool"]
    assert (call["name"], call["arguments"]) == ("get_weather", {"city": "Tokyo"})
    assert call["result"]["temperature_c"] == 13.4
    # The demo's caller does not wait for the end of it.
    assert [turn for turn in turns if turn["role"] == "agent" and "Tokyo" in turn["text"]]


def test_a_place_that_is_not_found_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather, "ask", lambda *_, **__: {"generationtime_ms": 0.3})
    with pytest.raises(ToolArgumentsError, match="No place is called Atlantis"):
        run(weather.get_weather.run({"city": "Atlantis"}))
