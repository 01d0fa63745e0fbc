"""Telnyx: TeXML, media streaming, and the call's REST resource.

Sources: https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream,
https://developers.telnyx.com/api-reference/texml-rest-commands/update-call
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, urlencode
from urllib.request import Request
from xml.sax.saxutils import escape, quoteattr

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
from .telnyx_messages import CODEC, TelnyxDialect
from .telnyx_signature import HEADER, TIME_HEADER, is_signed, public_key

REST_URL = "https://api.telnyx.com"


@dataclass(frozen=True, kw_only=True)
class TelnyxAccount:
    """Who pays for the calls. Telnyx signs webhooks with a key of its own, and streams not at all:
    the ticket alone leads to them."""

    public_key: str
    """In base64; SettingsError if it is none."""
    api_key: str = field(default="", repr=False)
    sid: str = ""
    """With both, calls are redirected by REST."""
    rest_url: str = REST_URL
    name: str = "Telnyx"
    path: str = "/telnyx"

    def __post_init__(self) -> None:
        # A key that is none is told at once.
        self._key.public_bytes_raw()

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return public_key(self.public_key)

    @property
    def secret(self) -> bytes:
        """The API key, which servers at one address share."""
        return self.api_key.encode()

    def dialect(self) -> PhoneDialect:
        return TelnyxDialect()

    def signed(self, webhook: Webhook, now_s: float) -> bool:
        given, told = webhook.headers.get(HEADER), webhook.headers.get(TIME_HEADER)
        return is_signed(given, told, webhook.body, self._key, now_s)

    def opens(self, url: str, headers: Mapping[str, str]) -> bool:
        return True

    def call_of(self, webhook: Webhook) -> str:
        return webhook.of("CallSid")

    def document(self, answer: Answer) -> str:
        match answer:
            case Talk():
                # Connect has no action here: what follows is done when the stream has ended.
                return response_document(
                    f"<Connect><Stream url={quoteattr(answer.stream_url)} "
                    f'track="inbound_track" codec="{CODEC}" bidirectionalMode="rtp" '
                    f'bidirectionalCodec="{CODEC}">'
                    f'<Parameter name="ticket" value={quoteattr(answer.ticket)}/>'
                    f'</Stream></Connect><Redirect method="POST">{escape(answer.next_url)}'
                    "</Redirect>"
                )
            case PutThrough():
                return response_document(dial_verb(answer.number, sip="Sip", plain="Number"))
            case Refuse():
                return response_document(f"<Say>{escape(answer.words)}</Say><Hangup/>")
        return response_document("<Hangup/>")

    async def redirect(self, call_id: str, answer: HangUp | PutThrough, url: str) -> None:
        if not (self.sid and self.api_key):
            return
        path = f"/v2/texml/Accounts/{quote(self.sid)}/Calls/{quote(call_id, safe=':')}"
        request = Request(
            self.rest_url + path,
            data=urlencode({"Texml": self.document(answer)}).encode(),
            headers={"Authorization": f"Bearer {self.api_key}"},
            method="POST",
        )
        await order(self.name, request)


__all__ = ["REST_URL", "TelnyxAccount"]
