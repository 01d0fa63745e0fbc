"""What a document of TwiML tells the phone to do. Pure.

Source: https://www.twilio.com/docs/voice/twiml
"""

from xml.etree import ElementTree

from crossfade.errors import CallerError

from ..phone.verbs import ConnectStream, Verb, common_verb, elements_of, parameters_of


def read_twiml(document: str | bytes) -> list[Verb]:
    """The verbs of a document, in order.

    Raises:
        CallerError: It is no TwiML, or has a verb that is not emulated.
    """
    return [_verb(element) for element in elements_of(document)]


def _verb(element: ElementTree.Element) -> Verb:
    return _connect(element) if element.tag == "Connect" else common_verb(element)


def _connect(element: ElementTree.Element) -> ConnectStream:
    stream = element.find("Stream")
    if stream is None or not stream.get("url"):
        raise CallerError("Connect has no Stream with a url")
    url = stream.get("url", "")
    if "?" in url:
        raise CallerError("the url of a Stream has a query, which Twilio drops; use Parameter")
    return ConnectStream(
        url=url, parameters=parameters_of(stream), action=element.get("action", "")
    )


__all__ = ["read_twiml"]
