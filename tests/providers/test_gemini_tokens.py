import sys
import warnings
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crossfade.errors import SettingsError
from crossfade.providers.gemini_tokens import mint_token


class FakeClient:
    """Stands in for google.genai.Client."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.auth_tokens = self

    def create(self, *, config: dict[str, Any]) -> Any:
        warnings.warn("tokens are experimental", UserWarning, stacklevel=1)
        self.config = config
        return SimpleNamespace(name="auth_tokens/heron")


def test_a_token_is_locked_to_a_model_and_a_time() -> None:
    client = FakeClient()
    before = datetime.now(UTC)
    token = mint_token("k", model="m", uses=3, begin_within_s=10, lifetime_s=99, client=client)
    assert token == "auth_tokens/heron"
    assert client.config["uses"] == 3
    assert client.config["live_connect_constraints"] == {"model": "m"}
    begin, end = client.config["new_session_expire_time"], client.config["expire_time"]
    assert (end - begin).total_seconds() == 89
    assert 10 <= (begin - before).total_seconds() < 40


def test_google_genai_knows_the_settings_of_a_token() -> None:
    types = pytest.importorskip("google.genai.types")
    client = FakeClient()
    mint_token("k", client=client)
    assert types.CreateAuthTokenConfig.model_validate(client.config).uses == 1


def test_without_google_genai_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.genai", None)
    with pytest.raises(SettingsError, match=r"crossfade\[gemini\]"):
        mint_token("k")
