"""Addresses are checked, and shown without their secrets."""

import pytest

from crossfade.errors import SettingsError
from crossfade.providers.address import check_url, host_and_port, is_loopback


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://api.openai.com/v1/realtime?key=secret", "api.openai.com:443"),
        ("ws://user:secret@127.0.0.1:8765/secret", "127.0.0.1:8765"),
        ("ws://[::1]:80/", "[::1]:80"),
        ("ws://example.com", "example.com:80"),
    ],
)
def test_only_host_and_port_are_shown(url: str, shown: str) -> None:
    check_url(url)
    assert host_and_port(url) == shown


@pytest.mark.parametrize(
    "url",
    ["", "api.openai.com", "https://host/x", "ws://", "ws://host:x/", "ws://host:99999", "ws://["],
)
def test_what_is_no_websocket_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="WebSocket"):
        check_url(url)


def test_loopback() -> None:
    urls = ["ws://127.0.0.1:1", "ws://localhost", "ws://[::1]", "ws://example.com", "ws://10.0.0.1"]
    assert [is_loopback(url) for url in urls] == [True, True, True, False, False]


def test_what_is_no_address_is_no_loopback() -> None:
    assert not any(map(is_loopback, ["ws://[[::1]]", "https://[", "ws://", ""]))
