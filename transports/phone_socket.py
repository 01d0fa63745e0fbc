"""A phone attached to a call, by the stream of its company."""

import asyncio
from collections.abc import Callable

from crossfade.errors import CallerError

from .client_socket import ClientSocket
from .phone_messages import PhoneDialect, StreamStart
from .websocket_messages import CloseCode


class PhoneSocket:
    """The line of a phone, as the call knows the lines of its clients.

    Args:
        socket: The company's WebSocket.
        dialect: Its language.
    """

    def __init__(self, socket: ClientSocket, dialect: PhoneDialect) -> None:
        self._socket = socket
        self._dialect = dialect

    async def started(self, timeout_s: float) -> StreamStart | None:
        """Who calls; None if the company does not tell in time, or the line died.

        Raises:
            CallerError: Something else came.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self._dialect.start is None:
                    message = await self._socket.first(timeout_s)
                    if message is None:
                        return None
                    self._dialect.receive(message[0])
        except TimeoutError:
            return None
        return self._dialect.start

    def hello(self, *, call_id: str) -> bytes:
        """What the phone says first, in our protocol."""
        return self._dialect.hello(call_id=call_id)

    @property
    def stopped(self) -> bool:
        """Whether the company told the stream's end."""
        return self._dialect.stopped

    @property
    def is_open(self) -> bool:
        return self._socket.is_open

    def write(self, message: bytes, *, text: bool) -> None:
        for each in self._dialect.send(message, text):
            self._socket.write(each, text=True)

    def deliver_to(self, deliver: Callable[[bytes, bool], None] | None) -> None:
        def receive(message: bytes, text: bool) -> None:
            try:
                received = self._dialect.receive(message)
            except CallerError as error:
                self.close_soon(CloseCode.MALFORMED, str(error))
                self._socket.deliver_to(None)
                return
            if received is not None and deliver is not None:
                deliver(*received)
            if self._dialect.stopped:
                self._socket.deliver_to(None)
                self.close_soon(CloseCode.OVER)

        self._socket.deliver_to(None if deliver is None else receive)

    def close_soon(self, code: int, reason: str = "") -> None:
        """Close the stream; the company then asks what comes next, whatever the code."""
        self._socket.close_soon(code, reason)

    def abort(self) -> None:
        self._socket.abort()


__all__ = ["PhoneSocket"]
