import math

import pytest

from crossfade.conversation.usage import Usage
from crossfade.observability.cost_use import Kind, Service, Use


def test_tokens_of_the_cache_are_taken_out_of_the_inputs() -> None:
    usage = Usage(
        input_text_tokens=100,
        cached_text_tokens=40,
        input_audio_tokens=50,
        cached_audio_tokens=50,
        output_audio_tokens=7,
    )
    use = Use(service=Service.SPEECH, provider="openai", model="m", usage=usage)
    assert use.quantities() == {
        Kind.INPUT_TEXT: 60,
        Kind.CACHED_TEXT: 40,
        Kind.CACHED_AUDIO: 50,
        Kind.OUTPUT_AUDIO: 7,
    }


def test_seconds_are_of_sound_or_of_the_session() -> None:
    heard = Use(service=Service.STT, provider="deepgram", seconds=2.5)
    opened = Use(service=Service.SESSION, provider="moshi", seconds=60)
    assert heard.quantities() == {Kind.AUDIO_SECONDS: 2.5}
    assert opened.quantities() == {Kind.SESSION_SECONDS: 60}


@pytest.mark.parametrize(
    "use",
    [
        Use(
            service=Service.SPEECH,
            provider="gemini",
            model="gemini-3.8-live",
            usage=Usage(input_audio_tokens=3, output_text_tokens=1),
            response_id="r",
            turn=2,
        ),
        Use(service=Service.TTS, provider="cartesia", model="sonic", characters=12),
        Use(service=Service.SESSION, provider="moshi", seconds=1.5),
    ],
)
def test_a_use_comes_back_from_its_line_of_the_log(use: Use) -> None:
    assert Use.from_dict({"at_ms": 3, **use.to_dict()}) == use


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"service": "other", "provider": "p"},
        {"service": "llm"},
        {"service": "llm", "provider": "p", "usage": {"dreams": 1}},
        {"service": "llm", "provider": "p", "usage": 3},
        {"service": ["llm"], "provider": "p"},
        {"service": "llm", "provider": ["p"]},
        {"service": "llm", "provider": "p", "model": 1.5},
        {"service": "llm", "provider": "p", "response_id": []},
        {"service": "llm", "provider": "p", "seconds": None},
        {"service": "llm", "provider": "p", "seconds": "1"},
        {"service": "llm", "provider": "p", "seconds": math.nan},
        {"service": "llm", "provider": "p", "seconds": 1e300},
        {"service": "llm", "provider": "p", "characters": {}},
        {"service": "llm", "provider": "p", "characters": True},
        {"service": "llm", "provider": "p", "turn": 1.5},
        {"service": "llm", "provider": "p", "usage": {"input_text_tokens": math.inf}},
        {"service": "llm", "provider": "p", "usage": {"input_text_tokens": "3"}},
        {"service": "llm", "provider": "p", "usage": {"input_text_tokens": 2**70}},
    ],
)
def test_what_is_no_use_is_refused(line: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Use.from_dict(line)


def test_a_use_is_named_as_far_as_it_is_known() -> None:
    assert Use(service=Service.STT, provider="deepgram").name == "deepgram"
    assert Use(service=Service.STT, provider="", model="nova").name == "nova"
    assert Use(service=Service.STT, provider="").name == "unnamed"
