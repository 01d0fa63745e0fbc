"""Twilio's REST resource of a call, and who dials."""

import asyncio
import base64
import contextlib
import hmac
import itertools
import ssl
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from crossfade.errors import CallerError

from ..http_exchange import HttpExchange, HttpRequest, HttpResponse
from .phone_call import Account, PhoneCall

_MOST_BYTES = 256 * 1024


class TwilioEmulator:
    """Twilio on loopback: makes calls to an application, and takes its REST requests.

    async with TwilioEmulator() as twilio, twilio.call("http://127.0.0.1:7860/twilio") as phone:
        await phone.connected()

    The REST API of a call is at `url`; it redirects and ends calls, as in
    https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource.

    Args:
        auth_token: The account's secret, which signs the webhooks.
        account_sid: The account.
        tls: For applications behind TLS.
    """

    def __init__(
        self,
        *,
        auth_token: str = "emulated-auth-token",
        account_sid: str = "ACemulated",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.account = Account(sid=account_sid, auth_token=auth_token)
        self.calls: dict[str, PhoneCall] = {}
        self.url = ""
        """Of the REST API, without a path."""
        self._tls = tls
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def call(
        self,
        url: str,
        *,
        fallback_url: str = "",
        caller: str = "+15550100",
        called: str = "+15550199",
    ) -> PhoneCall:
        """A call to a number whose webhook is this."""
        phone = PhoneCall(
            self.account,
            sid=f"CA{next(self._numbers):032x}",
            url=url,
            fallback_url=fallback_url,
            caller=caller,
            called=called,
            tls=self._tls,
        )
        self.calls[phone.sid] = phone
        return phone

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answer a REST request."""
        if not self._authorized(request.headers.get("authorization", "")):
            return _problem(HTTPStatus.UNAUTHORIZED, 20003, "Authenticate")
        prefix = f"/2010-04-01/Accounts/{self.account.sid}/Calls/"
        path = urlsplit(request.path).path
        phone = self.calls.get(path.removeprefix(prefix).removesuffix(".json"))
        if phone is None or not path.startswith(prefix) or request.method != "POST":
            return _problem(HTTPStatus.NOT_FOUND, 20404, "The requested resource was not found")
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("Status") == "completed":
            twiml = "<Response><Hangup/></Response>"
        elif "Twiml" in form:
            twiml = form["Twiml"]
        elif "Url" in form:
            twiml = f"<Response><Redirect>{form['Url']}</Redirect></Response>"
        else:
            return _problem(HTTPStatus.BAD_REQUEST, 20001, "Nothing to update")
        try:
            phone.update(twiml)
        except CallerError as error:
            return _problem(HTTPStatus.BAD_REQUEST, 21220, str(error))
        return HttpResponse(body={"sid": phone.sid, "status": phone.status.value})

    def _authorized(self, header: str) -> bool:
        expected = base64.b64encode(f"{self.account.sid}:{self.account.auth_token}".encode())
        return hmac.compare_digest(header.encode(), b"Basic " + expected)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = HttpExchange(self)
        answer, taken = None, 0
        with contextlib.suppress(OSError):
            while answer is None and taken < _MOST_BYTES and (data := await reader.read(65536)):
                taken += len(data)
                answer = exchange.receive(data)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        writer.close()


def _problem(status: HTTPStatus, code: int, message: str) -> HttpResponse:
    return HttpResponse(
        status=status, body={"code": code, "message": message, "status": status.value}
    )


__all__ = ["TwilioEmulator"]
