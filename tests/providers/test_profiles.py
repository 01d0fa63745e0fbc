"""What is known of models, and of those that are not."""

from crossfade.providers.profiles import OPENAI_PROFILES, openai_profile


def test_a_known_model_has_its_own_profile() -> None:
    for name, profile in OPENAI_PROFILES.items():
        assert openai_profile(name) == profile
        assert profile.model == name


def test_a_snapshot_has_the_profile_of_its_model() -> None:
    assert openai_profile("gpt-realtime-2.1-mini-2026-09-01").parallel_tools
    assert not openai_profile("gpt-realtime-2025-08-28").parallel_tools
    assert not openai_profile("gpt-realtime-1.5-2026-01-01").parallel_tools


def test_an_unknown_model_has_what_every_generation_can() -> None:
    profile = openai_profile("my-deployment")
    assert profile.model == "my-deployment"
    assert (profile.input_rate_hz, profile.truncation, profile.parallel_tools) == (
        24000,
        True,
        False,
    )


def test_neutral_voices_are_rewritten_and_others_pass_by() -> None:
    profile = openai_profile("gpt-realtime-2.1")
    assert profile.own_voice("warm") == "marin"
    assert profile.own_voice("verse") == "verse"
    assert profile.own_voice(None) is None
    assert set(profile.voices) == {"warm", "bright", "calm", "deep"}
