"""Twilio: TwiML, Media Streams, and the call's REST resource.

Sources: https://www.twilio.com/docs/voice/twiml/stream,
https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode
from urllib.request import Request
from xml.sax.saxutils import escape, quoteattr

from .phone_carrier import (
    Answer,
    HangUp,
    PutThrough,
    Refuse,
    Talk,
    Webhook,
    dial_verb,
    order,
    response_document,
)
from .phone_messages import PhoneDialect
from .twilio_messages import TwilioDialect
from .twilio_signature import HEADER, is_signed

REST_URL = "https://api.twilio.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """Who pays for the calls. Twilio signs webhooks and streams with `auth_token`."""

    sid: str
    """Empty where calls are not redirected by REST."""
    auth_token: str = field(repr=False)
    rest_url: str = REST_URL
    name: str = "Twilio"
    path: str = "/twilio"

    @property
    def secret(self) -> bytes:
        return self.auth_token.encode()

    def dialect(self) -> PhoneDialect:
        return TwilioDialect()

    def signed(self, webhook: Webhook, now_s: float) -> bool:
        return is_signed(webhook.headers.get(HEADER), webhook.url, webhook.form, self.auth_token)

    def opens(self, url: str, headers: Mapping[str, str]) -> bool:
        return is_signed(headers.get(HEADER), url, {}, self.auth_token)

    def call_of(self, webhook: Webhook) -> str:
        return webhook.of("CallSid")

    def document(self, answer: Answer) -> str:
        match answer:
            case Talk():
                return response_document(
                    f'<Connect action={quoteattr(answer.next_url)} method="POST">'
                    f"<Stream url={quoteattr(answer.stream_url)}>"
                    f'<Parameter name="ticket" value={quoteattr(answer.ticket)}/>'
                    "</Stream></Connect>"
                )
            case PutThrough():
                return response_document(dial_verb(answer.number, sip="Sip", plain=""))
            case Refuse():
                return response_document(f"<Say>{escape(answer.words)}</Say><Hangup/>")
        return response_document("<Hangup/>")

    async def redirect(self, call_id: str, answer: HangUp | PutThrough, url: str) -> None:
        if not self.sid:
            return
        path = f"/2010-04-01/Accounts/{quote(self.sid)}/Calls/{quote(call_id)}.json"
        login = base64.b64encode(f"{self.sid}:{self.auth_token}".encode()).decode()
        request = Request(
            self.rest_url + path,
            data=urlencode({"Twiml": self.document(answer)}).encode(),
            headers={"Authorization": f"Basic {login}"},
            method="POST",
        )
        await order(self.name, request)


__all__ = ["REST_URL", "TwilioAccount"]
