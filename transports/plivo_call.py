"""Plivo: its XML, audio streaming, and the call's REST resource.

Sources: https://www.plivo.com/docs/voice/xml/audiostream,
https://www.plivo.com/docs/voice/api/call/transfer-a-call
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote
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
from .plivo_messages import ENCODING, PlivoDialect
from .plivo_signature import HEADER, NONCE_HEADER, is_signed

REST_URL = "https://api.plivo.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlivoAccount:
    """Who pays for the calls. Plivo signs webhooks and streams with `auth_token`."""

    auth_token: str = field(repr=False)
    auth_id: str = ""
    """With it, calls are redirected by REST."""
    rest_url: str = REST_URL
    name: str = "Plivo"
    path: str = "/plivo"

    @property
    def secret(self) -> bytes:
        return self.auth_token.encode()

    def dialect(self) -> PhoneDialect:
        return PlivoDialect()

    def signed(self, webhook: Webhook, now_s: float) -> bool:
        given, nonce = webhook.headers.get(HEADER), webhook.headers.get(NONCE_HEADER)
        return is_signed(given, nonce, webhook.url, webhook.form, self.auth_token)

    def opens(self, url: str, headers: Mapping[str, str]) -> bool:
        given, nonce = headers.get(HEADER), headers.get(NONCE_HEADER)
        return is_signed(given, nonce, url, {}, self.auth_token)

    def call_of(self, webhook: Webhook) -> str:
        return webhook.of("CallUUID")

    def document(self, answer: Answer) -> str:
        match answer:
            case Talk():
                return response_document(
                    '<Stream bidirectional="true" keepCallAlive="true" audioTrack="inbound" '
                    f'contentType="{ENCODING};rate=8000" '
                    f"extraHeaders={quoteattr('ticket=' + answer.ticket)}>"
                    f"{escape(answer.stream_url)}</Stream>"
                    f'<Redirect method="POST">{escape(answer.next_url)}</Redirect>'
                )
            case PutThrough():
                return response_document(dial_verb(answer.number, sip="User", plain="Number"))
            case Refuse():
                return response_document(f"<Speak>{escape(answer.words)}</Speak><Hangup/>")
        return response_document("<Hangup/>")

    async def redirect(self, call_id: str, answer: HangUp | PutThrough, url: str) -> None:
        if not self.auth_id:
            return
        path = f"/v1/Account/{quote(self.auth_id)}/Call/{quote(call_id)}/"
        login = base64.b64encode(f"{self.auth_id}:{self.auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        if isinstance(answer, HangUp):
            request = Request(self.rest_url + path, headers=headers, method="DELETE")
        else:
            # Plivo takes no document here, but the address of one.
            there = f"{url}?to={quote(answer.name)}"
            body = json.dumps({"legs": "aleg", "aleg_url": there, "aleg_method": "POST"})
            headers["Content-Type"] = "application/json"
            request = Request(self.rest_url + path, body.encode(), headers, method="POST")
        await order(self.name, request)


__all__ = ["REST_URL", "PlivoAccount"]
