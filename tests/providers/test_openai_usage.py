"""Tokens by modality and cache state."""

import pytest

from crossfade.conversation.usage import Usage
from crossfade.providers.openai_usage import read_usage


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
