"""The sample tool of the prebuilt pipelines. Its weather is made up."""

import asyncio
import zlib
from typing import Any

from crossfade.processors.tools import tool

LOOKUP_S = 1.5
_SKIES = ("clear sky", "light rain", "scattered clouds", "fog in the morning", "strong wind")


@tool(acknowledge="One moment, I will look that up.")
async def get_weather(city: str) -> dict[str, Any]:
    """Tell the weather in a city now and tomorrow."""
    await asyncio.sleep(LOOKUP_S)
    seed = zlib.crc32(city.casefold().encode())
    return {
        "city": city,
        "condition": _SKIES[seed % len(_SKIES)],
        "temperature_c": 8 + seed % 17,
        "humidity_percent": 40 + seed % 50,
        "forecast": _SKIES[seed // 7 % len(_SKIES)],
    }
