"""Twilio: its webhooks, its streams, and the REST resource of a call."""

import base64
import hmac
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from crossfade.errors import CallerError

from ..http_exchange import HttpRequest, HttpResponse
from ..phone.company import PhoneCompany, problem
from ..phone.phone_call import PhoneCall
from ..phone.stream import Wire
from ..phone.verbs import Verb
from .signature import HEADER, signature
from .twiml import read_twiml
from .wire import TwilioWire


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose phones they are."""

    sid: str
    auth_token: str


class TwilioEmulator(PhoneCompany):
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
        super().__init__(tls=tls)
        self.account = Account(sid=account_sid, auth_token=auth_token)

    def name(self, number: int) -> str:
        return f"CA{number:032x}"

    def form(self, phone: PhoneCall) -> Mapping[str, str]:
        return {
            "CallSid": phone.sid,
            "AccountSid": self.account.sid,
            "CallStatus": phone.status.value,
            "ApiVersion": "2010-04-01",
            "From": phone.caller,
            "To": phone.called,
            "Direction": "inbound",
        }

    def sign(self, url: str, form: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return {HEADER: signature(url, form, self.account.auth_token)}

    def sign_stream(self, url: str) -> Mapping[str, str]:
        # Written so by Twilio's gateway.
        return {HEADER.lower(): signature(url, {}, self.account.auth_token)}

    def read(self, document: str | bytes) -> Sequence[Verb]:
        return read_twiml(document)

    def wire(self, call_id: str, number: int, parameters: Mapping[str, str]) -> Wire:
        return TwilioWire(
            account_sid=self.account.sid,
            call_sid=call_id,
            stream_sid=f"MZ{call_id[2:]}{number}",
            parameters=parameters,
        )

    def respond(self, request: HttpRequest) -> HttpResponse:
        if not self._authorized(request.headers.get("authorization", "")):
            return problem(HTTPStatus.UNAUTHORIZED, 20003, "Authenticate")
        prefix = f"/2010-04-01/Accounts/{self.account.sid}/Calls/"
        path = urlsplit(request.path).path
        phone = self.calls.get(path.removeprefix(prefix).removesuffix(".json"))
        if phone is None or not path.startswith(prefix) or request.method != "POST":
            return problem(HTTPStatus.NOT_FOUND, 20404, "The requested resource was not found")
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        document = updated(form, "Twiml")
        if document is None:
            return problem(HTTPStatus.BAD_REQUEST, 20001, "Nothing to update")
        try:
            phone.update(document)
        except CallerError as error:
            return problem(HTTPStatus.BAD_REQUEST, 21220, str(error))
        return HttpResponse(body={"sid": phone.sid, "status": phone.status.value})

    def _authorized(self, header: str) -> bool:
        expected = base64.b64encode(f"{self.account.sid}:{self.account.auth_token}".encode())
        return hmac.compare_digest(header.encode(), b"Basic " + expected)


def updated(form: Mapping[str, str], name: str) -> str | None:
    """The document that an update of a call asks for, given by this name or by its address."""
    if form.get("Status") == "completed":
        return "<Response><Hangup/></Response>"
    if name in form:
        return form[name]
    if "Url" in form:
        return f"<Response><Redirect>{escape(form['Url'])}</Redirect></Response>"
    return None


__all__ = ["TwilioEmulator", "updated"]
