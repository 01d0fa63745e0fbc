import random
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest

from crossfade.conversation.usage import Usage
from crossfade.observability.cost_use import Kind, Service, Use
from crossfade.observability.prices import FREE, PriceBook, Rates
from crossfade.observability.prices_file import standard_prices

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def speech(provider: str, model: str, **tokens: int) -> Use:
    return Use(service=Service.SPEECH, provider=provider, model=model, usage=Usage(**tokens))


# US dollars for a million tokens, from the makers' price pages in November 2026:
# text in, cached, out; audio in, cached, out; images in, cached.
PUBLISHED = {
    "openai:gpt-realtime-2.1": ("4.00", "0.40", "24.00", "32.00", "0.40", "64.00", "5.00", "0.50"),
    "openai:gpt-realtime-1.5": ("4.00", "0.40", "16.00", "32.00", "0.40", "64.00", "5.00", "0.50"),
    "openai:gpt-realtime-2.1-mini": (
        *("0.60", "0.06", "2.40"),
        *("10.00", "0.30", "20.00"),
        *("0.80", "0.08"),
    ),
    "gemini:gemini-3.8-live": ("0.75", None, "4.50", "3.00", None, "12.00", "1.00", None),
    "gemini:gemini-3.8-live-extended-thinking": (
        *("0.75", None, "4.50"),
        *("3.00", None, "12.00"),
        *("1.00", None),
    ),
    "gemini:gemini-3.1-flash-live-preview": (
        *("0.75", None, "4.50"),
        *("3.00", None, "12.00"),
        *("1.00", None),
    ),
    "gemini:gemini-2.5-flash-native-audio": (
        *("0.50", None, "2.00"),
        *("3.00", None, "12.00"),
        *("3.00", None),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_models_of_our_wires_cost_what_their_makers_publish(name: str) -> None:
    rates = standard_prices().rates(*name.split(":"), at=NOW)
    assert rates is not None
    fields = [
        *("input_text", "cached_text", "output_text"),
        *("input_audio", "cached_audio", "output_audio"),
        *("input_image", "cached_image"),
    ]
    for field, published in zip(fields, PUBLISHED[name], strict=True):
        expected = None if published is None else Decimal(published)
        assert getattr(rates, field) == expected, field


def test_our_arithmetic_is_the_librarys() -> None:
    chance = random.Random(3)
    for _ in range(200):
        text, audio, image = (chance.randrange(5000) for _ in range(3))
        cached = [chance.randint(0, count) for count in (text, audio, image)]
        words, sound = chance.randrange(500), chance.randrange(2000)
        use = speech(
            "openai",
            "gpt-realtime-2.1",
            input_text_tokens=text,
            input_audio_tokens=audio,
            input_image_tokens=image,
            cached_text_tokens=cached[0],
            cached_audio_tokens=cached[1],
            cached_image_tokens=cached[2],
            output_text_tokens=words,
            output_audio_tokens=sound,
        )
        theirs = genai_prices.calc_price(
            genai_prices.Usage(
                input_tokens=text + audio + image,
                input_audio_tokens=audio,
                input_image_tokens=image,
                cache_read_tokens=sum(cached),
                cache_audio_read_tokens=cached[1],
                cache_image_read_tokens=cached[2],
                output_tokens=words + sound,
                output_audio_tokens=sound,
            ),
            "gpt-realtime-2.1",
            provider_id="openai",
        )
        ours = standard_prices().price(use, at=NOW).values()
        assert sum((usd for usd in ours if usd is not None), Decimal(0)) == theirs.total_price


def test_the_date_of_an_edition_does_not_change_its_price() -> None:
    book = standard_prices()
    assert book.rates("openai", "gpt-realtime-2.1-2026-08-01", at=NOW) == book.rates(
        "openai", "gpt-realtime-2.1", at=NOW
    )
    assert book.rates("gemini", "models/gemini-3.8-live", at=NOW) is not None


@pytest.mark.parametrize(
    "use",
    [
        speech("openai", "gpt-of-tomorrow", output_audio_tokens=5),
        speech("moshi", "", output_audio_tokens=5),
        speech("ollama", "gpt-4o", output_text_tokens=5),
        # A model that writes has no price for sound.
        speech("openai", "gpt-4o", input_audio_tokens=5),
        Use(service=Service.SESSION, provider="moshi", seconds=60),
        Use(service=Service.STT, provider="openai", model="gpt-4o-transcribe", seconds=5),
    ],
)
def test_what_is_not_known_is_unpriced_and_never_0(use: Use) -> None:
    assert list(standard_prices().price(use, at=NOW).values()) == [None]


def test_who_is_paid_by_time_is_not_paid_by_tokens_as_well() -> None:
    book = standard_prices()
    spoken = speech("openai", "grok-voice-latest", output_audio_tokens=500)
    assert book.price(spoken, at=NOW) == {Kind.OUTPUT_AUDIO: 0}
    minute = Use(service=Service.SESSION, provider="openai", model="grok-voice-latest", seconds=60)
    assert book.price(minute, at=NOW) == {Kind.SESSION_SECONDS: Decimal("0.08")}
    other = Use(service=Service.SESSION, provider="openai", model="gpt-realtime-2.1", seconds=60)
    assert book.price(other, at=NOW) == {Kind.SESSION_SECONDS: 0}


def test_a_price_changes_at_its_date() -> None:
    hour = Use(service=Service.SESSION, provider="xai", model="grok-voice-latest", seconds=3600)
    before = datetime(2026, 8, 4, tzinfo=UTC)
    assert standard_prices().price(hour, at=before) == {Kind.SESSION_SECONDS: 3}
    assert standard_prices().price(hour, at=NOW) == {Kind.SESSION_SECONDS: Decimal("4.8")}


def test_a_long_request_may_cost_more() -> None:
    book = standard_prices()
    short = book.rates("anthropic", "claude-sonnet-4-5", at=NOW, input_tokens=1000)
    long = book.rates("anthropic", "claude-sonnet-4-5", at=NOW, input_tokens=500_000)
    assert short is not None
    assert long is not None
    assert short.input_text == 3
    assert long.input_text == 6


def test_tokens_of_a_cache_without_a_price_cost_what_others_do() -> None:
    use = speech("gemini", "gemini-3.8-live", input_audio_tokens=100, cached_audio_tokens=60)
    assert standard_prices().price(use, at=NOW) == {
        Kind.INPUT_AUDIO: Decimal("0.00012"),
        Kind.CACHED_AUDIO: Decimal("0.00018"),
    }


def test_own_prices_go_before_the_librarys_and_a_models_before_its_providers() -> None:
    book = PriceBook({"openai": FREE}).over(
        {"openai:gpt-realtime-2.1": Rates(output_audio=Decimal(1))}
    )
    million = {"output_audio_tokens": 1_000_000}
    kind = Kind.OUTPUT_AUDIO
    assert book.price(speech("openai", "gpt-realtime-2.1", **million), at=NOW) == {kind: 1}
    assert book.price(speech("openai", "gpt-realtime-mini", **million), at=NOW) == {kind: 0}
    gemini = speech("gemini", "gemini-3.8-live", **million)
    assert book.price(gemini, at=NOW) == {kind: 12}


def test_characters_and_seconds_of_a_cascade_are_priced() -> None:
    book = standard_prices()
    spoken = Use(service=Service.TTS, provider="openai", model="tts-1", characters=1000)
    assert book.price(spoken, at=NOW) == {Kind.CHARACTERS: Decimal("0.015")}
    heard = Use(service=Service.STT, provider="openai", model="whisper-1", seconds=60)
    assert book.price(heard, at=NOW) == {Kind.AUDIO_SECONDS: Decimal("0.006")}
    embedded = Use(service=Service.STT, provider="embedded", seconds=60)
    assert book.price(embedded, at=NOW) == {Kind.AUDIO_SECONDS: 0}
