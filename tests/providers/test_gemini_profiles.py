import logging

import pytest

from crossfade.providers.gemini_profiles import (
    GEMINI_GENERATIONS,
    GEMINI_SHUT_DOWN,
    ToolMode,
    gemini_generation,
)
from tests.providers.gemini_messages import FLASH, LIVE, NATIVE, THINKING


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (LIVE, LIVE),
        ("gemini-3.8-live-001", LIVE),
        (THINKING, THINKING),
        ("gemini-3.1-flash-live-preview-09-2026", FLASH),
        ("gemini-2.5-flash-native-audio-preview-09-2025", NATIVE),
        ("gemini-live-2.5-flash-native-audio", NATIVE),
        ("projects/p/locations/l/publishers/google/models/gemini-3.8-live", LIVE),
        ("gemini-4-live", LIVE),
    ],
)
def test_a_model_belongs_to_the_generation_it_continues(model: str, family: str) -> None:
    generation = gemini_generation(model)
    known = GEMINI_GENERATIONS[family]
    assert generation.profile.model == model
    assert (generation.thinking, generation.tool_mode) == (known.thinking, known.tool_mode)


def test_an_unknown_model_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            gemini_generation("gemini-heron")
        gemini_generation(LIVE)
    assert len(caplog.records) == 1
    assert "gemini-heron" in caplog.text


def test_the_generations_differ_where_the_service_does() -> None:
    profiles = {model: gemini_generation(model).profile for model in GEMINI_GENERATIONS}
    assert {m for m, p in profiles.items() if p.async_tools} == {LIVE, THINKING, NATIVE}
    assert {m for m, p in profiles.items() if p.reasoning} == {THINKING, FLASH, NATIVE}
    assert {m for m, p in profiles.items() if p.update_tools} == {LIVE, THINKING}
    assert not any(p.truncation or p.out_of_band or p.speech_events for p in profiles.values())
    assert all(p.resumption and p.history and p.images for p in profiles.values())


@pytest.mark.parametrize(
    ("mode", "blocks"),
    [
        (ToolMode.BLOCKING, (True, True, True)),
        (ToolMode.BLOCKING_BY_DEFAULT, (True, True, False)),
        (ToolMode.ASYNC_BY_DEFAULT, (True, False, False)),
        (ToolMode.ASYNC, (False, False, False)),
    ],
)
def test_whether_a_tool_blocks_is_declared_where_it_can_be(
    mode: ToolMode, blocks: tuple[bool, bool, bool]
) -> None:
    (generation,) = (g for g in GEMINI_GENERATIONS.values() if g.tool_mode is mode)
    declared = (True, None, False)
    assert tuple(generation.blocks(declared=one) for one in declared) == blocks


def test_successors_are_known() -> None:
    assert set(GEMINI_SHUT_DOWN.values()) <= set(GEMINI_GENERATIONS)
