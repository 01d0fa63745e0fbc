"""An agent that knows the weather, from open-meteo; with no network, that of Tokyo on one day.

python -m crossfade.examples.weather

Talks to OpenAI if OPENAI_API_KEY is set, else to the built-in emulator.
"""

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from crossfade.pipelines.native import talk
from crossfade.pipelines.settings import NativeSettings
from crossfade.processors.tools import ToolArgumentsError, tool

RECORDED = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
TOLD = {"temperature_c": "temperature_2m", "rain_mm": "precipitation", "wind_kmh": "wind_speed_10m"}


def ask(url: str, **query: Any) -> Any:
    try:
        with urlopen(f"{url}?{urlencode(query)}", timeout=5) as answer:
            return json.load(answer)
    except HTTPError:
        raise
    except (URLError, TimeoutError):
        return RECORDED[urlsplit(url).netloc]


@tool(acknowledge="Let me look at the sky.", idempotent=True, retries=2)
def get_weather(city: str) -> dict[str, Any]:
    """Tell the weather in a city as it is now.

    Args:
        city: Its name, in any language.
    """
    found = ask("https://geocoding-api.open-meteo.com/v1/search", name=city, count=1)
    if not found.get("results"):
        raise ToolArgumentsError(f"No place is called {city}. Ask the caller to say it again.")
    place = found["results"][0]
    where = {"latitude": place["latitude"], "longitude": place["longitude"]}
    fields = ",".join(TOLD.values())
    now = ask("https://api.open-meteo.com/v1/forecast", **where, current=fields)["current"]
    return {"city": place["name"], **{name: now[key] for name, key in TOLD.items()}}


if __name__ == "__main__":
    talk(NativeSettings(instructions="You tell the weather. Be brief."), tools=[get_weather])
