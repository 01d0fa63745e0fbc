"""Addresses of providers, and how they may be shown."""

import ipaddress
from urllib.parse import urlsplit

from crossfade.errors import SettingsError

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_SHOWN_PORTS = {"http": 80, "ws": 80}


def check_url(url: str) -> None:
    """Check that `url` is the address of a WebSocket.

    Raises:
        SettingsError: It is not. The text shows nothing but the scheme.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError(
            "The base URL is no WebSocket address. It must be the whole endpoint, such as "
            "wss://api.openai.com/v1/realtime or ws://127.0.0.1:8765/v1/realtime."
        )


def host_and_port(url: str) -> str:
    """Give host and port; what else a URL holds may be secret."""
    parts = urlsplit(url)
    host = parts.hostname or "?"
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port or _SHOWN_PORTS.get(parts.scheme, 443)}"


def is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


__all__ = ["check_url", "host_and_port", "is_loopback"]
