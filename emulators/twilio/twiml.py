"""What a document of TwiML tells the phone to do. Pure.

Source: https://www.twilio.com/docs/voice/twiml
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from crossfade.errors import CallerError

LARGEST_DOCUMENT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectStream:
    """Both directions of the call go over a WebSocket, until it ends."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    action: str = ""
    """Asked for what comes next; empty goes on with the next verb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Another document takes the place of this one."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """The caller is put through."""

    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Words that Twilio speaks itself."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Silence."""

    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup:
    """The end of the call."""

    rejected: bool = False


Verb = ConnectStream | Redirect | Dial | Say | Pause | Hangup


def read_twiml(document: str | bytes) -> list[Verb]:
    """The verbs of a document, in order.

    Raises:
        CallerError: It is no TwiML, or has a verb that is not emulated.
    """
    if len(document) > LARGEST_DOCUMENT_BYTES:
        raise CallerError("the TwiML is larger than 64 kB, which Twilio refuses")
    if b"<!" in (document.encode() if isinstance(document, str) else document):
        raise CallerError("the TwiML declares a document type, which Twilio does not take")
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise CallerError(f"the TwiML is no XML: {error}") from error
    if root.tag != "Response":
        raise CallerError(f"TwiML is a Response, and not a {root.tag}")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    text = (element.text or "").strip()
    match element.tag:
        case "Connect":
            return _connect(element)
        case "Redirect":
            return Redirect(url=text)
        case "Dial":
            number = element.find("Number")
            return Dial(number=text if number is None else (number.text or "").strip())
        case "Say":
            return Say(text=text)
        case "Pause":
            return Pause(length_s=float(element.get("length", "1")))
        case "Hangup":
            return Hangup()
        case "Reject":
            return Hangup(rejected=True)
    raise CallerError(f"the verb {element.tag} is not emulated")


def _connect(element: ElementTree.Element) -> ConnectStream:
    stream = element.find("Stream")
    if stream is None or not stream.get("url"):
        raise CallerError("Connect has no Stream with a url")
    url = stream.get("url", "")
    if "?" in url:
        raise CallerError("the url of a Stream has a query, which Twilio drops; use Parameter")
    return ConnectStream(
        url=url,
        parameters={
            each.get("name", ""): each.get("value", "") for each in stream.findall("Parameter")
        },
        action=element.get("action", ""),
    )


__all__ = [
    "ConnectStream",
    "Dial",
    "Hangup",
    "Pause",
    "Redirect",
    "Say",
    "Verb",
    "read_twiml",
]
