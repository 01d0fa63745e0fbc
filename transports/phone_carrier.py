"""What a phone company is to the server: signed questions, documents that answer them, and orders.

Every company asks by a webhook what a call does next, takes a document for an answer, and carries
the call's sound over a WebSocket that the document names.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import responses
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import Request
from xml.sax.saxutils import escape

from crossfade.errors import ConnectionLost, ProviderFault, SettingsError

from .phone_messages import PhoneDialect
from .rest_request import send

TIMEOUT_S = 5.0
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{1,30}|sip:[A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9.:-]{1,128}")

Form = Mapping[str, Sequence[str]]
"""What a webhook says: each name's values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """The call ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutThrough:
    """The caller is put through, and the call ends after that."""

    name: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The company says these words itself, and hangs up."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Both directions of the call go over a WebSocket; when it ends, the company asks again.

    `ticket` is of letters and digits, and told in the stream's start.
    """

    stream_url: str
    next_url: str
    ticket: str


Answer = HangUp | PutThrough | Refuse | Talk


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What came by HTTP, with its address as the company knows it."""

    url: str
    headers: Mapping[str, str]
    """Their names in any case."""
    body: bytes
    form: Form

    def of(self, name: str) -> str:
        """A field of the form, the last one; empty if there is none."""
        return ["", *self.form.get(name, ())][-1]


class Carrier(Protocol):
    """One phone company."""

    @property
    def name(self) -> str:
        """As people call it."""

    @property
    def path(self) -> str:
        """Of its webhook; its streams are at `/stream` below."""

    @property
    def secret(self) -> bytes:
        """Nobody else knows it: signs what leads from a webhook to a stream. Empty if there is
        none."""

    def dialect(self) -> PhoneDialect:
        """Of a new stream."""

    def signed(self, webhook: Webhook, now_s: float) -> bool:
        """Whether a webhook comes from the company.

        Args:
            webhook: What came.
            now_s: Unix time.
        """

    def opens(self, url: str, headers: Mapping[str, str]) -> bool:
        """Whether a WebSocket may be the company's."""

    def call_of(self, webhook: Webhook) -> str:
        """The call's name; empty if there is none."""

    def document(self, answer: Answer) -> str:
        """XML that says it."""

    async def redirect(self, call_id: str, answer: HangUp | PutThrough, url: str) -> None:
        """Have a running call do something else from now on; nothing where no account is given.

        Args:
            call_id: Which.
            answer: What.
            url: Of the webhook; one that asks for PutThrough is answered by its `to=NAME`.

        Raises:
            ProviderFault: The company refuses, such as because the call is over.
            ConnectionLost: The company does not answer.
        """


def check_number(number: str) -> str:
    """A number or SIP address that may be dialled, without spaces.

    Raises:
        SettingsError: It is none.
    """
    if _NUMBER.fullmatch(number.strip()) is None:
        raise SettingsError(
            f"{number!r} is no phone number; give it as +15551234567, or as sip:name@host"
        )
    number = number.strip()
    return number if number.startswith("sip:") else re.sub(r"[ ().-]", "", number)


def response_document(content: str) -> str:
    """A document around its verbs."""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>'


def dial_verb(number: str, *, sip: str, plain: str) -> str:
    """Puts through, with the company's elements around an address and around a number; the
    latter may be empty."""
    number = check_number(number)
    element = sip if number.startswith("sip:") else plain
    inner = f"<{element}>{escape(number)}</{element}>" if element else escape(number)
    return f"<Dial>{inner}</Dial>"


async def order(company: str, request: Request) -> None:
    """Send a request to a company's REST API.

    Raises:
        ProviderFault: It refuses.
        ConnectionLost: It does not answer.
    """
    await asyncio.to_thread(_send, company, request)


def _send(company: str, request: Request) -> None:
    try:
        send(request, TIMEOUT_S)
    except HTTPError as error:
        with error:
            told = f"{error.code} {responses.get(error.code, '')}".strip()
            raise ProviderFault(
                f"{company} refuses to redirect the call: {told}; look at the account's log of "
                "errors"
            ) from None
    except OSError as error:
        raise ConnectionLost(
            f"{company}'s REST API does not answer at {request.host}: {error}"
        ) from None


__all__ = [
    "Answer",
    "Carrier",
    "HangUp",
    "PutThrough",
    "Refuse",
    "Talk",
    "Webhook",
    "check_number",
    "dial_verb",
    "order",
    "response_document",
]
