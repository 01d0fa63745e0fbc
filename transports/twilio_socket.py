"""A phone attached to a call, by Twilio's Media Streams."""

import asyncio
from collections.abc import Callable

from crossfade.errors import CallerError

from .client_socket import ClientSocket
from .twilio_messages import StreamStart, TwilioDialect
from .websocket_messages import CloseCode


class TwilioSocket:
    """The line of a phone, as the call knows the lines of its clients.

    Args:
        socket: Twilio's WebSocket.
    """

    def __init__(self, socket: ClientSocket) -> None:
        self._socket = socket
        self._dialect = TwilioDialect()

    async def started(self, timeout_s: float) -> StreamStart | None:
        """Who calls; None if Twilio does not tell in time, or the line died.

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

    def hello(self, *, token: str | None, call_id: str | None) -> bytes:
        """What the phone says first, in our protocol."""
        return self._dialect.hello(token=token, call_id=call_id)

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

        self._socket.deliver_to(None if deliver is None else receive)

    def close_soon(self, code: int, reason: str = "") -> None:
        """Close the stream; Twilio then goes on with the call's TwiML, whatever the code."""
        self._socket.close_soon(code, reason)

    def abort(self) -> None:
        self._socket.abort()


__all__ = ["TwilioSocket"]
