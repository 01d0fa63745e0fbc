"""What a company's document tells the phone to do. Pure."""

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
    """Words that the company speaks itself."""

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


def elements_of(document: str | bytes) -> list[ElementTree.Element]:
    """The verbs of a document as XML, in order.

    Raises:
        CallerError: It is none.
    """
    if len(document) > LARGEST_DOCUMENT_BYTES:
        raise CallerError("the document is larger than 64 kB, which is refused")
    if b"<!" in (document.encode() if isinstance(document, str) else document):
        raise CallerError("the document declares a type, which is not taken")
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise CallerError(f"the document is no XML: {error}") from error
    if root.tag != "Response":
        raise CallerError(f"a document is a Response, and not a {root.tag}")
    return list(root)


def common_verb(element: ElementTree.Element) -> Verb:
    """One that is the same at every company.

    Raises:
        CallerError: It is not emulated.
    """
    text = (element.text or "").strip()
    match element.tag:
        case "Redirect":
            return Redirect(url=text)
        case "Dial":
            number = next(iter(element), None)
            return Dial(number=text if number is None else (number.text or "").strip())
        case "Say" | "Speak":
            return Say(text=text)
        case "Pause" | "Wait":
            return Pause(length_s=float(element.get("length", "1")))
        case "Hangup":
            return Hangup()
        case "Reject":
            return Hangup(rejected=True)
    raise CallerError(f"the verb {element.tag} is not emulated")


def parameters_of(stream: ElementTree.Element) -> Mapping[str, str]:
    """Those that a Stream has as elements."""
    return {each.get("name", ""): each.get("value", "") for each in stream.findall("Parameter")}


__all__ = [
    "ConnectStream",
    "Dial",
    "Hangup",
    "Pause",
    "Redirect",
    "Say",
    "Verb",
    "common_verb",
    "elements_of",
    "parameters_of",
]
