from crossfade.conversation.usage import Usage
from crossfade.providers.gemini_keys import in_camel_case
from crossfade.providers.gemini_usage import read_usage
from tests.providers.gemini_messages import Message


def details(**counts: int) -> list[Message]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items()]


def test_tokens_are_counted_by_modality_and_thoughts_are_text() -> None:
    usage = {
        "promptTokenCount": 1230,
        "promptTokensDetails": details(TEXT=1000, AUDIO=200, IMAGE=20, VIDEO=10),
        "cachedContentTokenCount": 130,
        "cacheTokensDetails": details(TEXT=100, AUDIO=30),
        "responseTokenCount": 103,
        "responseTokensDetails": details(TEXT=22, AUDIO=81),
        "thoughtsTokenCount": 24,
        "totalTokenCount": 1333,
    }
    assert read_usage(usage) == Usage(
        input_text_tokens=1000,
        input_audio_tokens=200,
        input_image_tokens=30,
        cached_text_tokens=100,
        cached_audio_tokens=30,
        output_text_tokens=22 + 24,
        output_audio_tokens=81,
    )


def test_what_is_not_detailed_is_text() -> None:
    usage = {
        "promptTokenCount": 100,
        "promptTokensDetails": details(AUDIO=60),
        "toolUsePromptTokenCount": 9,
        "responseTokenCount": 50,
    }
    assert read_usage(usage) == Usage(
        input_text_tokens=49, input_audio_tokens=60, output_text_tokens=50
    )


def test_vertex_counts_candidates() -> None:
    usage = {"candidatesTokenCount": 5, "candidatesTokensDetails": details(AUDIO=5)}
    assert read_usage(usage) == Usage(output_audio_tokens=5)


def test_both_spellings_are_read() -> None:
    usage = {
        "prompt_token_count": 4,
        "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 3}],
    }
    assert read_usage(in_camel_case(usage)) == Usage(input_text_tokens=1, input_audio_tokens=3)


def test_no_usage_is_none() -> None:
    assert read_usage({}) is None


def test_nonsense_counts_nothing() -> None:
    assert read_usage({"promptTokenCount": "many", "promptTokensDetails": 7}) == Usage()
