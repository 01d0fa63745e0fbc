"""What is known of models, and of those that are not."""

import logging

import pytest

from crossfade.providers.openai_profiles import OPENAI, QWEN, XAI, Family


@pytest.mark.parametrize("family", [OPENAI, XAI, QWEN])
def test_a_known_model_has_its_own_profile(family: Family) -> None:
    for name, profile in family.profiles.items():
        assert family.profile(name) == profile
        assert profile.model == name
    assert family.default_model in family.profiles


def test_a_snapshot_is_known(caplog: pytest.LogCaptureFixture) -> None:
    assert OPENAI.profile("gpt-realtime-2.1-mini-2026-09-01").parallel_tools
    assert not OPENAI.profile("gpt-realtime-2025-08-28").parallel_tools
    assert not OPENAI.profile("gpt-realtime-1.5-2026-01-01").parallel_tools
    assert caplog.messages == []


def test_an_unknown_model_is_taken_like_its_family_and_said_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    assert OPENAI.profile("gpt-realtime-2.1-turbo").reasoning
    assert OPENAI.profile("gpt-realtime-2.1-turbo").model == "gpt-realtime-2.1-turbo"
    (message,) = caplog.messages
    assert '"gpt-realtime-2.1-turbo"' in message
    assert "gpt-realtime-2.1." in message


def test_a_deployment_has_what_every_model_of_its_maker_can() -> None:
    profile = OPENAI.profile("my-deployment")
    assert profile.model == "my-deployment"
    assert (profile.input_rate_hz, profile.truncation, profile.parallel_tools) == (
        24000,
        True,
        False,
    )
    assert QWEN.profile("qwen9").input_rate_hz == 16000


def test_neutral_voices_are_rewritten_and_others_pass_by() -> None:
    profile = OPENAI.profile("gpt-realtime-2.1")
    assert profile.own_voice("warm") == "marin"
    assert profile.own_voice("verse") == "verse"
    assert profile.own_voice(None) is None
    for family in (OPENAI, XAI, QWEN):
        assert set(family.fallback.voices) == {"warm", "bright", "calm", "deep"}
