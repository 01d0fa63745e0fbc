"""What models cost: genai-prices' table as it is installed, and others over it.

Pure: nothing is fetched. https://github.com/pydantic/genai-prices
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from .cost_use import Kind, Service, Use

# The library loads its table at the first question, which is no thing to do during a call.
get_snapshot()

_MILLION = Decimal(1_000_000)
_HOUR_S = Decimal(3600)
_EDITION = re.compile(r"-(?:preview-)?\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one model costs in US dollars. None: no price is known."""

    input_text: Decimal | None = None
    """This and the next seven: per million tokens."""
    cached_text: Decimal | None = None
    output_text: Decimal | None = None
    input_audio: Decimal | None = None
    cached_audio: Decimal | None = None
    output_audio: Decimal | None = None
    input_image: Decimal | None = None
    cached_image: Decimal | None = None
    audio_hour: Decimal | None = None
    """Per hour of the session, or of sound that a recogniser is sent."""
    characters: Decimal | None = None
    """Per million characters that are spoken."""

    @property
    def by_time(self) -> bool:
        """The session is paid for by the hour, whatever is said in it."""
        return self.audio_hour is not None

    def price(self, kind: Kind, quantity: float, service: Service) -> Decimal | None:
        """What a quantity costs; None if no price is known."""
        rate = self._rate(kind, service)
        if rate is None:
            return None
        per = _MILLION
        if kind in (Kind.AUDIO_SECONDS, Kind.SESSION_SECONDS):
            per = _HOUR_S
        return rate * Decimal(str(quantity)) / per

    def _rate(self, kind: Kind, service: Service) -> Decimal | None:
        match kind:
            case Kind.SESSION_SECONDS:
                # Who is paid by the token is not paid for the time as well.
                return Decimal(0) if self.audio_hour is None else self.audio_hour
            case Kind.AUDIO_SECONDS:
                return self.audio_hour
            case Kind.CHARACTERS:
                return self.characters
        rate: Decimal | None = getattr(self, kind.value)
        if rate is None and kind in _UNCACHED:
            # Without a price of their own, tokens from the cache cost what others do.
            rate = getattr(self, _UNCACHED[kind].value)
        if rate is None and self.by_time and service is Service.SPEECH:
            return Decimal(0)
        return rate


_UNCACHED = {
    Kind.CACHED_TEXT: Kind.INPUT_TEXT,
    Kind.CACHED_AUDIO: Kind.INPUT_AUDIO,
    Kind.CACHED_IMAGE: Kind.INPUT_IMAGE,
}

FREE = Rates(**{each.name: Decimal(0) for each in fields(Rates)})
"""For what runs here and is paid for already."""

# Our names of providers → the library's. OpenAI's protocol is spoken by xAI, too.
_PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai", "x-ai"),
    "gemini": ("google",),
    "google": ("google",),
    "xai": ("x-ai",),
}
# Field of `Rates` → the library's name.
_FIELDS = {
    "input_text": "input_mtok",
    "cached_text": "cache_read_mtok",
    "output_text": "output_mtok",
    "input_audio": "input_audio_mtok",
    "cached_audio": "cache_audio_read_mtok",
    "output_audio": "output_audio_mtok",
    "input_image": "input_image_mtok",
    "cached_image": "cache_image_read_mtok",
    "audio_hour": "audio_hours",
    "characters": "input_mchars",
}


class PriceBook:
    """Finds the rates of a model.

    Args:
        own: Rates that go before the library's, by PROVIDER:MODEL, or by PROVIDER for all its
            models. Dated editions of a model have the model's rates.
    """

    def __init__(self, own: Mapping[str, Rates] | None = None) -> None:
        self._own = dict(own or {})

    def over(self, own: Mapping[str, Rates]) -> "PriceBook":
        """This book with other rates before its own."""
        return PriceBook({**self._own, **own})

    def rates(
        self, provider: str, model: str, *, at: datetime, input_tokens: int = 0
    ) -> Rates | None:
        """The rates of a model; None if nobody knows them.

        Args:
            provider: As in `Use`.
            model: Its name, with or without the date of an edition.
            at: When it was used: some prices change at a date.
            input_tokens: Of the one request: some prices rise with its length.
        """
        model = model.removeprefix("models/")
        names = dict.fromkeys((model, _EDITION.sub("", model)))
        for name in names:
            if (found := self._own.get(f"{provider}:{name}")) is not None:
                return found
        if (found := self._own.get(provider)) is not None:
            return found
        for name in names:
            for known in _PROVIDERS.get(provider, (provider or None,)):
                if (price := _listed(known, name, at)) is not None:
                    return _read(price, input_tokens)
        return None

    def price(self, use: Use, *, at: datetime) -> dict[Kind, Decimal | None]:
        """What a use costs, by kind; None for what has no price."""
        rates = self.rates(use.provider, use.model, at=at, input_tokens=use.usage.input_tokens)
        return price_use(use, rates)


def price_use(use: Use, rates: Rates | None) -> dict[Kind, Decimal | None]:
    """What a use costs at these rates, by kind; None for what has no price."""
    return {
        kind: None if rates is None else rates.price(kind, quantity, use.service)
        for kind, quantity in use.quantities().items()
    }


def _listed(provider: str | None, model: str, at: datetime) -> ModelPrice | None:
    if not model:
        return None
    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return found.get_prices(at)


def _read(price: ModelPrice, input_tokens: int) -> Rates:
    return Rates(
        **{
            ours: _for_length(getattr(price, theirs, None), input_tokens)
            for ours, theirs in _FIELDS.items()
        }
    )


def _for_length(price: Any, input_tokens: int) -> Decimal | None:
    if not isinstance(price, TieredPrices):
        return price if isinstance(price, Decimal) else None
    passed = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return passed[-1] if passed else price.base


__all__ = ["FREE", "PriceBook", "Rates", "price_use"]
