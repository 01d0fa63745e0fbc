"""Twilio's signature: a vector of others, and what is refused."""

import pytest

from crossfade.transports.twilio_signature import is_signed, signature

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = {
    "CallSid": "CA1234567890ABCDE",
    "From": "+12349013030",
    "To": "+18005551212",
    "Caller": "+12349013030",
    "Digits": "1234",
}
TOKEN = "12345"


def test_a_vector_of_another_implementation() -> None:
    assert signature(URL, FORM, TOKEN) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert is_signed("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", URL, FORM, TOKEN)


@pytest.mark.parametrize(
    ("url", "form", "token"),
    [
        (URL, {**FORM, "Digits": "1235"}, TOKEN),
        (URL, {k: v for k, v in FORM.items() if k != "To"}, TOKEN),
        (URL.replace("foo=1", "foo=2"), FORM, TOKEN),
        (URL.replace("https", "http"), FORM, TOKEN),
        (URL.replace("mycompany.com", "mycompany.com:8443"), FORM, TOKEN),
        (URL, FORM, "12346"),
    ],
)
def test_another_request_is_refused(url: str, form: dict[str, str], token: str) -> None:
    assert not is_signed(signature(URL, FORM, TOKEN), url, form, token)


@pytest.mark.parametrize("given", [None, "", "x", "ü", "0/KCTR6DLpKmkAf8muzZqo1nDgQ"])
def test_what_is_no_signature_is_refused(given: str | None) -> None:
    assert not is_signed(given, URL, FORM, TOKEN)


@pytest.mark.parametrize(
    "as_signed",
    [
        "wss://host.example/twilio/stream",
        "wss://host.example/twilio/stream/",
        "wss://host.example:443/twilio/stream",
    ],
)
def test_the_usual_port_and_the_last_slash_may_be_there_or_not(as_signed: str) -> None:
    url = "wss://host.example/twilio/stream"
    assert is_signed(signature(as_signed, {}, TOKEN), url, {}, TOKEN)
    assert not is_signed(signature(f"{as_signed}x", {}, TOKEN), url, {}, TOKEN)


def test_a_name_with_several_values() -> None:
    form = {"Media": ["b", "a", "b"]}
    assert signature("https://a.example/", form, TOKEN) == signature(
        "https://a.example/", {"Media": ["a", "b"]}, TOKEN
    )
