"""Tokens by modality and cache state."""

import pytest

from crossfade.conversation.usage import Usage
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import TranscriptionUsed
from crossfade.providers.openai_dialects import find_dialect
from crossfade.providers.openai_session import recogniser
from crossfade.providers.openai_usage import read_transcription, read_usage


def test_all_details() -> None:
    usage = read_usage(
        {
            "total_tokens": 500,
            "input_tokens": 400,
            "output_tokens": 100,
            "input_token_details": {
                "text_tokens": 100,
                "audio_tokens": 250,
                "image_tokens": 50,
                "cached_tokens": 192,
                "cached_tokens_details": {
                    "text_tokens": 64,
                    "audio_tokens": 120,
                    "image_tokens": 8,
                },
            },
            "output_token_details": {"text_tokens": 30, "audio_tokens": 70},
        }
    )
    assert usage == Usage(
        input_text_tokens=100,
        input_audio_tokens=250,
        input_image_tokens=50,
        cached_text_tokens=64,
        cached_audio_tokens=120,
        cached_image_tokens=8,
        output_text_tokens=30,
        output_audio_tokens=70,
    )


def test_tokens_of_unknown_kind_count_as_text() -> None:
    usage = read_usage(
        {
            "input_tokens": 40,
            "output_tokens": 10,
            "input_token_details": {"audio_tokens": 25, "cached_tokens": 7},
        }
    )
    assert usage == Usage(
        input_text_tokens=15, input_audio_tokens=25, cached_text_tokens=7, output_text_tokens=10
    )


def test_no_usage_is_none() -> None:
    assert read_usage({}) is None


@pytest.mark.parametrize("number", [None, -5, "12", [], 1e400])
def test_numbers_that_are_none_count_nothing(number: object) -> None:
    assert read_usage({"input_tokens": number, "output_token_details": number}) == Usage()


def test_a_transcript_is_paid_by_tokens_or_by_time() -> None:
    tokens = {
        "type": "tokens",
        "total_tokens": 22,
        "input_tokens": 13,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 13},
        "output_tokens": 9,
    }
    assert read_transcription({"item_id": "i", "usage": tokens}, "gpt-4o-transcribe") == [
        TranscriptionUsed(
            item_id="i",
            model="gpt-4o-transcribe",
            usage=Usage(input_audio_tokens=13, output_text_tokens=9),
        )
    ]
    timed = {"type": "duration", "seconds": 3.2}
    assert read_transcription({"item_id": "i", "usage": timed}, "whisper-1") == [
        TranscriptionUsed(item_id="i", model="whisper-1", usage=Usage(), seconds=3.2)
    ]


@pytest.mark.parametrize("usage", [None, 3, {}, {"type": "duration", "seconds": "long"}])
def test_a_transcript_without_a_count_tells_none(usage: object) -> None:
    assert read_transcription({"item_id": "i", "usage": usage}, "m") == []


def test_the_recogniser_is_the_one_that_was_asked_for() -> None:
    dialect = find_dialect(None)
    assert recogniser(SessionConfig(), dialect) == "gpt-realtime-whisper"
    assert recogniser(SessionConfig(transcription_model="whisper-1"), dialect) == "whisper-1"
    assert recogniser(SessionConfig(transcribe=False), dialect) == ""
