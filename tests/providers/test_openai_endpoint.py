"""Where a session is asked for, and what is not served any more."""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from crossfade.errors import SettingsError
from crossfade.providers import connect
from crossfade.providers.openai_dialects import DIALECTS, find_dialect
from crossfade.providers.openai_endpoint import check_endpoint, connect_request
from crossfade.providers.profiles import _say_shut_down

LOCAL = "ws://127.0.0.1:1/v1/realtime"


def query(dialect: str, base_url: str | None, model: str = "m") -> dict[str, list[str]]:
    request = connect_request(find_dialect(dialect), model, base_url, "secret-key")
    return parse_qs(urlsplit(request.url).query)


@pytest.mark.parametrize(
    ("dialect", "base_url", "expected"),
    [
        ("openai", None, {"model": ["m"]}),
        ("openai-beta", LOCAL, {"model": ["m"]}),
        ("azure", "wss://r.openai.azure.com/openai/v1/realtime", {"model": ["m"]}),
        (
            "azure-preview",
            "wss://r.openai.azure.com/openai/realtime",
            {"api-version": ["2024-10-01-preview"], "deployment": ["m"]},
        ),
        (
            "azure-voice-live",
            "wss://r.services.ai.azure.com/voice-live/realtime?api-version=2025-10-01",
            {"api-version": ["2025-10-01"], "model": ["m"]},
        ),
        ("xai", None, {"model": ["m"]}),
        ("qwen", None, {"model": ["m"]}),
    ],
)
def test_the_url_names_the_model_and_keeps_its_own_query(
    dialect: str, base_url: str | None, expected: dict[str, list[str]]
) -> None:
    assert query(dialect, base_url) == expected


@pytest.mark.parametrize(
    ("dialect", "url"),
    [
        ("openai", "wss://api.openai.com/v1/realtime?model=m"),
        ("xai", "wss://api.x.ai/v1/realtime?model=m"),
        ("qwen", "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime?model=m"),
    ],
)
def test_makers_have_endpoints(dialect: str, url: str) -> None:
    assert connect_request(find_dialect(dialect), "m", None, "secret-key").url == url


def test_a_line_that_is_dead_without_a_word_is_found_within_ten_seconds() -> None:
    request = connect_request(find_dialect(None), "m", None, "secret-key")
    assert request.ping_interval_s is not None
    assert request.ping_interval_s + request.ping_timeout_s <= 10.0


@pytest.mark.parametrize("name", [name for name, d in DIALECTS.items() if d.url is None])
def test_customers_endpoints_must_be_given(name: str) -> None:
    with pytest.raises(SettingsError, match="base_url"):
        connect("openai:gpt-realtime", api_key="secret-key", dialect=name)
    connect("openai:gpt-realtime", api_key="secret-key", dialect=name, base_url=LOCAL)


@pytest.mark.parametrize(
    ("dialect", "key", "header"),
    [
        ("openai", "sk-secret", ("Authorization", "Bearer sk-secret")),
        ("openai-beta", "sk-secret", ("Authorization", "Bearer sk-secret")),
        ("azure", "0123secret", ("api-key", "0123secret")),
        ("azure", "eyJsecret", ("Authorization", "Bearer eyJsecret")),
        ("azure-preview", "0123secret", ("api-key", "0123secret")),
        ("azure-voice-live", "eyJsecret", ("Authorization", "Bearer eyJsecret")),
        ("xai", "xai-secret", ("Authorization", "Bearer xai-secret")),
        ("qwen", "sk-secret", ("Authorization", "Bearer sk-secret")),
    ],
)
def test_keys_and_tokens_go_where_they_belong(
    dialect: str, key: str, header: tuple[str, str]
) -> None:
    request = connect_request(find_dialect(dialect), "m", LOCAL, key)
    name, value = header
    assert request.headers[name] == value
    assert ("OpenAI-Beta" in request.headers) == (dialect == "openai-beta")
    assert "secret" not in repr(request)


@pytest.mark.parametrize(
    ("model", "successor"),
    [
        ("gpt-4o-realtime-preview", "gpt-realtime-2.1."),
        ("gpt-4o-realtime-preview-2024-10-01", "gpt-realtime-2.1."),
        ("gpt-4o-mini-realtime-preview", "gpt-realtime-2.1-mini."),
    ],
)
@pytest.mark.parametrize("base_url", [None, "wss://api.openai.com/v1/realtime"])
def test_a_model_that_was_shut_down_is_refused_with_its_successor(
    model: str, successor: str, base_url: str | None
) -> None:
    with pytest.raises(SettingsError, match="shut") as caught:
        connect(f"openai:{model}", api_key="secret-key", base_url=base_url)
    assert str(caught.value).endswith(successor)


def test_elsewhere_it_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "crossfade.providers.profiles")
    for _ in range(2):
        check_endpoint(find_dialect("openai"), "gpt-4o-realtime-preview-2025-06-03", LOCAL)
    (message,) = [m for m in caplog.messages if "successor" in m]
    assert "gpt-realtime-2.1" in message


def test_the_beta_is_refused_at_its_makers_host_only() -> None:
    with pytest.raises(SettingsError, match='"openai"'):
        connect(
            "openai:gpt-realtime",
            api_key="secret-key",
            dialect="openai-beta",
            base_url="wss://api.openai.com/v1/realtime",
        )
    with pytest.raises(SettingsError, match='use the dialect "openai"'):
        connect("openai:gpt-realtime", api_key="secret-key", dialect="openai-beta")


def test_the_beta_elsewhere_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "crossfade.providers.profiles")
    _say_shut_down.cache_clear()
    for dialect in ("openai-beta", "openai-beta", "qwen", "azure-preview"):
        check_endpoint(find_dialect(dialect), "gpt-realtime", LOCAL)
    (message,) = [m for m in caplog.messages if "beta" in m]
    assert 'dialect "openai"' in message


def test_an_unknown_dialect_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match="azure-voice-live"):
        connect("openai:gpt-realtime", api_key="secret-key", dialect="bedrock")


@pytest.mark.parametrize("host", ["api.openai.com.", "eu.api.openai.com", "US.API.OPENAI.COM"])
def test_the_makers_other_hosts_are_its_own(host: str) -> None:
    with pytest.raises(SettingsError, match="shut"):
        connect("openai:gpt-4o-realtime-preview", api_key="k", base_url=f"wss://{host}/v1/realtime")
    connect(
        "openai:gpt-4o-realtime-preview",
        api_key="k",
        base_url="wss://notapi.openai.com/v1/realtime",
    )


def test_a_model_that_was_shut_down_is_warned_of_once_in_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _say_shut_down.cache_clear()
    for _ in range(2):
        connect("openai:gpt-4o-mini-realtime-preview-2024-12-17", api_key="k", base_url=LOCAL)
    (message,) = caplog.messages
    assert "gpt-realtime-2.1-mini" in message
