"""Whom the examples talk to, and who reads to them."""

from pathlib import Path

import pytest

from crossfade.errors import SettingsError
from crossfade.examples import (
    accessibility,
    receptionist,
    rehearsal,
    specialist,
    tutor,
    two_providers,
)
from crossfade.pipelines.endpoint import KEY_VARIABLE
from tests.clock import run

EXAMPLES = (accessibility, receptionist, rehearsal, specialist, tutor, two_providers)


def test_with_a_key_it_is_openai_and_the_caller_needs_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-of-a-test")

    async def main() -> None:
        async with rehearsal.model("", voice="tone") as provider:
            assert (provider.base_url, provider.api_key) == (None, "sk-of-a-test")
            assert not provider.emulated
            assert "sk-" not in provider.description
        with pytest.raises(SettingsError, match="extra offline"):
            await rehearsal.read_out(["Hello."], voice="tone")

    run(main())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_an_example_is_one_short_file(example: object) -> None:
    path = getattr(example, "__file__", "")
    assert len(Path(path).read_text("utf-8").splitlines()) <= 150
