"""Price files: rates of one's own, as YAML or JSON.

prices:
  openai:gpt-realtime-2.1:   # PROVIDER:MODEL, or PROVIDER for all its models
    input_text: 4.00         # US dollars for a million tokens
    cached_text: 0.40
    output_audio: 64.00
  moshi:
    audio_hour: 0.60         # for an hour of the session, or of recognised sound
  cartesia:sonic-3:
    characters: 35           # for a million characters spoken
  ollama:
    free: true               # it runs here and is paid for already
"""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from crossfade.errors import SettingsError

from .prices import FREE, PriceBook, Rates

OWN_TABLE = Path(__file__).with_name("prices.yaml")


def _exact(value: Any) -> Any:
    """A float as it is written, not as it is stored."""
    return str(value) if isinstance(value, float) else value


_Usd = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    free: bool = False
    input_text: _Usd | None = None
    cached_text: _Usd | None = None
    output_text: _Usd | None = None
    input_audio: _Usd | None = None
    cached_audio: _Usd | None = None
    output_audio: _Usd | None = None
    input_image: _Usd | None = None
    cached_image: _Usd | None = None
    audio_hour: _Usd | None = None
    characters: _Usd | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "_Entry":
        if self.free == bool(self.model_fields_set - {"free"}):
            raise ValueError("give prices, or free: true, and not both")
        return self

    def rates(self) -> Rates:
        return FREE if self.free else Rates(**self.model_dump(exclude={"free"}))


class _Prices(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    prices: dict[str, _Entry]


def read_prices(path: Path) -> dict[str, Rates]:
    """Read a price file.

    Raises:
        SettingsError: It cannot be read, or an entry of it is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = _Prices.model_validate(document).prices
    except OSError as error:
        raise SettingsError(
            f"cannot read the prices {path}: {error.strerror}; name a readable YAML or JSON file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"prices {path}: no valid YAML or JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise SettingsError(
                f"prices {path}: holds no prices; begin it with the line prices: and name "
                "PROVIDER:MODEL below"
            ) from error
        where = " → ".join(str(part) for part in first["loc"])
        raise SettingsError(f"prices {path}: {where}: {first['msg']}") from error
    return {name: entry.rates() for name, entry in entries.items()}


@cache
def standard_prices() -> PriceBook:
    """genai-prices' table with ours before it."""
    return PriceBook(read_prices(OWN_TABLE))


def prices_with(path: Path | None) -> PriceBook:
    """The standard prices with those of a file before them, if there is one.

    Raises:
        SettingsError: As `read_prices`.
    """
    return standard_prices() if path is None else standard_prices().over(read_prices(path))


__all__ = ["OWN_TABLE", "prices_with", "read_prices", "standard_prices"]
