"""Opening the WebSocket of a connection, and what it means when that fails."""

import logging
import ssl
from collections.abc import Sequence
from typing import NoReturn, cast

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from crossfade.errors import ConnectionLost, CredentialsRefused, ProviderFault, SettingsError
from crossfade.providers.address import host_and_port, is_loopback
from crossfade.providers.protocol import ConnectRequest
from crossfade.providers.websocket import LARGEST_MESSAGE_BYTES, MessageSocket

# At DEBUG the library logs the headers, and the key with them.
_websocket_logger = logging.getLogger(f"{__name__}.websocket")
_websocket_logger.setLevel(logging.INFO)

_CONNECT_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0


class _Dial(connect):
    """Follows no redirect: keys in headers of their own would go along to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def dial(request: ConnectRequest, key_variables: Sequence[str]) -> MessageSocket:
    """Connect.

    Args:
        request: Where to, and what to show there.
        key_variables: What to check if the key is refused.

    Raises:
        CredentialsRefused: The key was refused.
        ProviderFault: The upgrade was refused.
        ConnectionLost: Nothing answers, or nothing that speaks WebSocket.
        SettingsError: The address cannot be used.
    """
    try:
        websocket = await _Dial(
            request.url,
            additional_headers=dict(request.headers),
            subprotocols=[Subprotocol(name) for name in request.subprotocols] or None,
            compression=None,
            proxy=None if is_loopback(request.url) else True,
            open_timeout=_CONNECT_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            ping_interval=request.ping_interval_s,
            ping_timeout=request.ping_timeout_s,
            max_size=LARGEST_MESSAGE_BYTES,
            logger=_websocket_logger,
            create_connection=MessageSocket,
        )
    except (OSError, InvalidHandshake, InvalidURI, InvalidProxy, UnicodeError) as error:
        _fail(error, host_and_port(request.url), key_variables)
    return cast(MessageSocket, websocket)


def _fail(error: Exception, where: str, key_variables: Sequence[str]) -> NoReturn:
    match error:
        case InvalidStatus():
            raise _refused_upgrade(error.response.status_code, where, key_variables) from error
        case InvalidHandshake():
            raise ConnectionLost(f"{where} does not speak WebSocket.") from error
        case InvalidURI() | InvalidProxy() | UnicodeError():
            # The cause quotes the address, in which there may be a password or a key.
            raise SettingsError(
                f"The address of {where}, or of the proxy before it, cannot be used."
            ) from None
        case ssl.SSLError():
            raise ConnectionLost(
                f"No secure connection to {where}: {error.reason or 'TLS failed'}. "
                "Check whether it shall be ws:// or wss://, and its certificate."
            ) from error
        case TimeoutError():
            raise ConnectionLost(
                f"{where} did not answer within {_CONNECT_TIMEOUT_S:g} s."
            ) from error
    raise ConnectionLost(
        f"Nothing answers at {where}. Check the address and the network."
    ) from error


def _refused_upgrade(status: int, where: str, key_variables: Sequence[str]) -> ProviderFault:
    if status in (401, 403):
        return CredentialsRefused(
            f"{where} refused the key (HTTP {status}). "
            f"Check {' or '.join(key_variables) or 'the address'}.",
            code=str(status),
        )
    return ProviderFault(
        f"{where} refused the connection (HTTP {status}). "
        "Check that the address is the provider's realtime endpoint.",
        code=str(status),
    )


__all__ = ["dial"]
