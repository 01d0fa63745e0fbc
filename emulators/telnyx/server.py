"""Telnyx: its webhooks, its streams, and the REST resource of a call.

Sources: https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream,
https://developers.telnyx.com/api-reference/texml-rest-commands/update-call
"""

import base64
import hmac
import ssl
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crossfade.errors import CallerError

from ..http_exchange import HttpRequest, HttpResponse
from ..phone.company import PhoneCompany, problem
from ..phone.phone_call import PhoneCall
from ..phone.stream import Wire
from ..phone.verbs import ConnectStream, Verb, common_verb, elements_of, parameters_of
from ..twilio.server import updated
from .wire import TelnyxWire


class TelnyxEmulator(PhoneCompany):
    """Telnyx on loopback: makes calls to an application, and takes its REST requests.

    Args:
        api_key: Opens the REST API.
        account_sid: The account.
        tls: For applications behind TLS.
    """

    def __init__(
        self,
        *,
        api_key: str = "KEYemulated",
        account_sid: str = "61bf923e-5e4d-4595-a110-56190ea18a1b",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls=tls)
        self.api_key, self.account_sid = api_key, account_sid
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        """As the portal shows it."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def name(self, number: int) -> str:
        return f"v3:9X2vxPDFY2RHSJ1EdMS0-hVb_{number:029d}"

    def form(self, phone: PhoneCall) -> Mapping[str, str]:
        return {
            "CallSid": phone.sid,
            "CallSidLegacy": phone.sid,
            "AccountSid": self.account_sid,
            "CallStatus": phone.status.value,
            "From": phone.caller,
            "To": phone.called,
            "Direction": "inbound",
        }

    def sign(self, url: str, form: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self.signed_at(int(time.time()), body)

    def signed_at(self, at: int, body: bytes) -> Mapping[str, str]:
        """The headers of a body, signed at a moment of Unix time."""
        given = self._key.sign(f"{at}|".encode() + body)
        return {
            "Telnyx-Timestamp": str(at),
            "Telnyx-Signature-Ed25519": base64.b64encode(given).decode(),
        }

    def sign_stream(self, url: str) -> Mapping[str, str]:
        return {}

    def read(self, document: str | bytes) -> Sequence[Verb]:
        return [_verb(element) for element in elements_of(document)]

    def wire(self, call_id: str, number: int, parameters: Mapping[str, str]) -> Wire:
        return TelnyxWire(
            user_id=self.account_sid,
            call_control_id=call_id,
            stream_id=f"32DE0DEA-53CB-4B21-89A4-{int(call_id[-6:]):06d}{number:06d}",
            parameters=parameters,
        )

    def respond(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.api_key}".encode()):
            return problem(HTTPStatus.UNAUTHORIZED, 10009, "Authentication failed")
        prefix = f"/v2/texml/Accounts/{self.account_sid}/Calls/"
        path = unquote(urlsplit(request.path).path)
        phone = self.calls.get(path.removeprefix(prefix))
        if phone is None or not path.startswith(prefix) or request.method != "POST":
            return problem(HTTPStatus.NOT_FOUND, 10005, "Resource not found")
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        document = updated(form, "Texml")
        if document is None:
            return problem(HTTPStatus.BAD_REQUEST, 10015, "Nothing to update")
        try:
            phone.update(document)
        except CallerError as error:
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, 90018, str(error))
        return HttpResponse(body={"sid": phone.sid, "status": phone.status.value})


def _verb(element: ElementTree.Element) -> Verb:
    if element.tag != "Connect":
        return common_verb(element)
    stream = element.find("Stream")
    if stream is None or not stream.get("url"):
        raise CallerError("Connect has no Stream with a url")
    if stream.get("bidirectionalMode") != "rtp":
        raise CallerError("a Stream without bidirectionalMode rtp plays MP3 files alone")
    codecs = stream.get("codec", "default"), stream.get("bidirectionalCodec", "PCMU")
    if codecs not in (("PCMU", "PCMU"), ("default", "PCMU")):
        raise CallerError(f"the codecs {codecs} are not emulated")
    return ConnectStream(url=stream.get("url", ""), parameters=parameters_of(stream))


__all__ = ["TelnyxEmulator"]
