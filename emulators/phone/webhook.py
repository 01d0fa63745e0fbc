"""Requests of a phone company to the application."""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import h11

from crossfade.errors import ConnectionLost

LARGEST_ANSWER_BYTES = 256 * 1024
TIMEOUT_S = 15.0


async def post(
    url: str, body: bytes, headers: Mapping[str, str], *, tls: ssl.SSLContext | None = None
) -> tuple[int, bytes]:
    """Ask the application what to do by a form; gives the status and the body.

    Raises:
        ConnectionLost: It does not answer, or not with HTTP.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _post(url, body, headers, tls)
    except (OSError, TimeoutError, h11.ProtocolError) as error:
        raise ConnectionLost(f"{url} does not answer a webhook: {error!r}") from error


async def _post(
    url: str, body: bytes, headers: Mapping[str, str], tls: ssl.SSLContext | None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or (443 if secure else 80),
        ssl=(tls or ssl.create_default_context()) if secure else None,
    )
    try:
        peer = h11.Connection(h11.CLIENT)
        head = h11.Request(
            method="POST",
            target=parts.path + (f"?{parts.query}" if parts.query else "") or "/",
            headers=[
                ("Host", parts.netloc),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(body))),
                *headers.items(),
                ("Connection", "close"),
            ],
        )
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(peer.send(event) or b"")
        return await _answer(peer, reader)
    finally:
        writer.close()


async def _answer(peer: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event = peer.next_event()
        match event:
            case h11.NEED_DATA:
                peer.receive_data(await reader.read(65536))
            case h11.Response():
                status = event.status_code
            case h11.Data():
                body += event.data
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise OSError("the answer is too long")
            case h11.EndOfMessage() | h11.ConnectionClosed():
                return status, bytes(body)


__all__ = ["post"]
