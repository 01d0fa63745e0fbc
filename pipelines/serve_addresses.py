"""Where clients find a server."""

from collections.abc import Sequence

from .serve_carriers import carriers
from .serve_server import CALL_PATH
from .serve_settings import ServeSettings
from .serve_webrtc_pages import PAGE_PATH, webrtc_missing


def addresses(settings: ServeSettings, port: int) -> tuple[str, Sequence[str]]:
    """The page's address, and what to tell of all, in a line each.

    Args:
        settings: The server's.
        port: At which it listens.
    """
    secure = settings.certificate is not None
    at = f"{settings.base}:{port}".replace("ws", "wss" if secure else "ws", 1)
    page = at.replace("ws", "http", 1) + "/"
    public = (settings.public_url or page).rstrip("/")
    phones = [f"phone calls by {each.name}: {public}{each.path}" for each in carriers()]
    talk = [f"talk at {page}"]
    if settings.webrtc and not webrtc_missing():
        talk.append(f"talk by WebRTC at {page}{PAGE_PATH[1:]}/")
    return page, [*talk, *phones, f"listening on {at}{CALL_PATH}"]


__all__ = ["addresses"]
