"""What we tell Twilio to do with a call: documents of TwiML, and the call's REST resource.

Sources: https://www.twilio.com/docs/voice/twiml/stream,
https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
"""

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
from xml.sax.saxutils import escape, quoteattr

from crossfade.errors import ConnectionLost, ProviderFault, SettingsError

REST_URL = "https://api.twilio.com"
TIMEOUT_S = 5.0
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{1,30}|sip:[A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9.:-]{1,128}")


def connect_document(stream_url: str, action_url: str, parameters: Mapping[str, str]) -> str:
    """Both directions of the call go over a WebSocket; when it ends, the action is asked.

    Args:
        stream_url: `wss://…`, without a query, which Twilio would drop.
        action_url: Asked by POST for what comes next.
        parameters: Told to the WebSocket in its `start` message.
    """
    told = "".join(
        f"<Parameter name={quoteattr(name)} value={quoteattr(value)}/>"
        for name, value in parameters.items()
    )
    return _document(
        f'<Connect action={quoteattr(action_url)} method="POST">'
        f"<Stream url={quoteattr(stream_url)}>{told}</Stream></Connect>"
    )


def dial_document(number: str) -> str:
    """The caller is put through, and the call ends after that.

    Raises:
        SettingsError: It is no phone number and no SIP address.
    """
    return _document(f"<Dial>{_target(check_number(number))}</Dial>")


def hang_up_document() -> str:
    """The end of the call."""
    return _document("<Hangup/>")


def busy_document(words: str) -> str:
    """Twilio says so itself, and hangs up."""
    return _document(f"<Say>{escape(words)}</Say><Hangup/>")


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


def _target(number: str) -> str:
    return f"<Sip>{escape(number)}</Sip>" if number.startswith("sip:") else escape(number)


def _document(content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>'


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """Who pays for the calls.

    `auth_token` signs the webhooks, too.
    """

    sid: str
    auth_token: str = field(repr=False)
    rest_url: str = REST_URL

    async def redirect(self, call_sid: str, document: str) -> None:
        """Have a running call do something else from now on.

        Raises:
            ProviderFault: Twilio refuses, such as because the call is over.
            ConnectionLost: Twilio does not answer.
        """
        await asyncio.to_thread(self._post, call_sid, {"Twiml": document})

    def _post(self, call_sid: str, form: Mapping[str, str]) -> None:
        path = f"/2010-04-01/Accounts/{quote(self.sid)}/Calls/{quote(call_sid)}.json"
        login = base64.b64encode(f"{self.sid}:{self.auth_token}".encode()).decode()
        request = Request(
            self.rest_url + path,
            data=urlencode(form).encode(),
            headers={"Authorization": f"Basic {login}"},
            method="POST",
        )
        try:
            with urlopen(request, timeout=TIMEOUT_S):
                pass
        except HTTPError as error:
            with error:
                raise ProviderFault(
                    f"Twilio refuses to redirect call {call_sid}: {error.code} "
                    f"{HTTPStatus(error.code).phrase}; look at the account's log of errors"
                ) from None
        except (URLError, TimeoutError, OSError) as error:
            raise ConnectionLost(
                f"Twilio's REST API does not answer at {self.rest_url}: {error}"
            ) from None


__all__ = [
    "REST_URL",
    "TwilioAccount",
    "busy_document",
    "check_number",
    "connect_document",
    "dial_document",
    "hang_up_document",
]
