"""Who takes over when the provider fails."""

from crossfade.pipelines.endpoint import fallback_route
from crossfade.providers import connect
from tests.clock import run

SPECS = ("gemini:gemini-3.8-live", "openai:gpt-realtime")


def test_behind_the_built_in_emulator_stand_others() -> None:
    async def scenario() -> None:
        async with fallback_route(SPECS, emulated=True) as route:
            assert tuple(each.spec for each in route) == SPECS
            for each in route:
                async with connect(each.spec, base_url=each.base_url, api_key=each.api_key):
                    pass

    run(scenario())


def test_behind_a_provider_stand_providers_with_the_keys_of_the_environment() -> None:
    async def scenario() -> None:
        async with fallback_route(SPECS, emulated=False) as route:
            assert [(each.base_url, each.api_key) for each in route] == [(None, None)] * 2

    run(scenario())
