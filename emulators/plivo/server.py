"""Plivo: its webhooks, its streams, and the REST resource of a call.

Sources: https://www.plivo.com/docs/voice/xml/audiostream,
https://www.plivo.com/docs/voice/api/call/transfer-a-call,
https://www.plivo.com/docs/voice/concepts/signature-validation
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from crossfade.errors import CallerError

from ..http_exchange import HttpRequest, HttpResponse
from ..phone.company import PhoneCompany, problem
from ..phone.phone_call import PhoneCall
from ..phone.stream import Wire
from ..phone.verbs import ConnectStream, Verb, common_verb, elements_of
from .wire import PlivoWire

_EXTRA_HEADERS = re.compile(r"[A-Za-z0-9]+=[A-Za-z0-9]+([,;][A-Za-z0-9]+=[A-Za-z0-9]+)*")
_LONGEST_HEADERS = 512


class PlivoEmulator(PhoneCompany):
    """Plivo on loopback: makes calls to an application, and takes its REST requests.

    Args:
        auth_token: The account's secret, which signs webhooks and streams.
        auth_id: The account.
        tls: For applications behind TLS.
    """

    def __init__(
        self,
        *,
        auth_token: str = "emulated-auth-token",
        auth_id: str = "MAEMULATED",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls=tls)
        self.auth_token, self.auth_id = auth_token, auth_id
        self._nonces = itertools.count(1)

    def name(self, number: int) -> str:
        return f"12345678-1234-1234-1234-{number:012x}"

    def form(self, phone: PhoneCall) -> Mapping[str, str]:
        return {
            "CallUUID": phone.sid,
            "CallStatus": phone.status.value,
            "Event": "StartApp",
            "From": phone.caller,
            "To": phone.called,
            "Direction": "inbound",
        }

    def sign(self, url: str, form: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        base, _, query = url.partition("?")
        pairs = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(query)))
        posted = "".join(f"{name}{form[name]}" for name in sorted(form))
        if posted:
            return self._signed(f"{base}?{pairs}{'.' if pairs else ''}{posted}")
        return self._signed(f"{base}?{pairs}" if pairs else base)

    def sign_stream(self, url: str) -> Mapping[str, str]:
        return self.sign(url, {}, b"")

    def _signed(self, told: str) -> Mapping[str, str]:
        nonce = f"{next(self._nonces):020d}"
        mac = hmac.new(self.auth_token.encode(), f"{told}.{nonce}".encode(), hashlib.sha256)
        return {
            "X-Plivo-Signature-V3": base64.b64encode(mac.digest()).decode(),
            "X-Plivo-Signature-V3-Nonce": nonce,
        }

    def read(self, document: str | bytes) -> Sequence[Verb]:
        return [_verb(element) for element in elements_of(document)]

    def wire(self, call_id: str, number: int, parameters: Mapping[str, str]) -> Wire:
        return PlivoWire(
            account_id=self.auth_id,
            call_id=call_id,
            stream_id=f"87654321-4321-4321-{number:04x}-{call_id[-12:]}",
            parameters=parameters,
        )

    def respond(self, request: HttpRequest) -> HttpResponse:
        login = base64.b64encode(f"{self.auth_id}:{self.auth_token}".encode())
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), b"Basic " + login):
            return problem(HTTPStatus.UNAUTHORIZED, 401, "Could not verify your access level")
        prefix = f"/v1/Account/{self.auth_id}/Call/"
        path = urlsplit(request.path).path
        phone = self.calls.get(path.removeprefix(prefix).removesuffix("/"))
        if phone is None or not (path.startswith(prefix) and path.endswith("/")):
            return problem(HTTPStatus.NOT_FOUND, 404, "call not found")
        if request.method == "DELETE":
            phone.update("<Response><Hangup/></Response>")
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        wanted = json.loads(request.body)
        if request.method != "POST" or wanted.get("legs") != "aleg" or "aleg_url" not in wanted:
            return problem(HTTPStatus.BAD_REQUEST, 400, "aleg_url is missing")
        there = escape(wanted["aleg_url"])
        phone.update(f"<Response><Redirect>{there}</Redirect></Response>")
        return HttpResponse(status=HTTPStatus.ACCEPTED, body={"message": "call transferred"})


def _verb(element: ElementTree.Element) -> Verb:
    if element.tag != "Stream":
        return common_verb(element)
    if (element.get("bidirectional"), element.get("keepCallAlive")) != ("true", "true"):
        raise CallerError("a Stream that is not bidirectional and keepCallAlive is not emulated")
    if element.get("contentType") != "audio/x-mulaw;rate=8000":
        raise CallerError("a Stream of another sound than µ-law is not emulated")
    headers = element.get("extraHeaders", "")
    if (headers and not _EXTRA_HEADERS.fullmatch(headers)) or len(headers) > _LONGEST_HEADERS:
        raise CallerError("extraHeaders may be of letters and digits, and 512 bytes, only")
    pairs = [each.partition("=") for each in re.split("[,;]", headers) if each]
    return ConnectStream(
        url=(element.text or "").strip(), parameters={name: value for name, _, value in pairs}
    )


__all__ = ["PlivoEmulator"]
