"""Plivo's signature: vectors of another implementation, and what is refused."""

import pytest

from crossfade.transports.plivo_signature import is_signed, signature

URL = "https://example.com/answer"
FORM = {"From": ["+14156667777"], "To": ["+14158889999"], "CallUUID": ["abcd-1234"]}
TOKEN, NONCE = "my_auth_token", "12345"
GIVEN = "QUFNUHBhaE5m20p3UFtVHCb66PSliiukfx8M6MyiJwk="
GIVEN_WITH_QUERY = "IryQ8ucGk4J35wJRxh5K0iVvDCSZpHflFICcZxwx7Cc="


@pytest.mark.parametrize(("url", "given"), [(URL, GIVEN), (f"{URL}?token=xyz", GIVEN_WITH_QUERY)])
def test_vectors_of_another_implementation(url: str, given: str) -> None:
    assert signature(url, FORM, NONCE, TOKEN) == given
    assert is_signed(given, NONCE, url, FORM, TOKEN)
    # While an account has two tokens, there are two.
    assert is_signed(f"AAAA=, {given}", NONCE, url, FORM, TOKEN)


@pytest.mark.parametrize(
    ("url", "form", "nonce", "token"),
    [
        (f"{URL}?token=xyz", FORM, NONCE, TOKEN),
        (URL.replace("https", "http"), FORM, NONCE, TOKEN),
        (URL, {**FORM, "To": ["+14158889998"]}, NONCE, TOKEN),
        (URL, {}, NONCE, TOKEN),
        (URL, FORM, "12346", TOKEN),
        (URL, FORM, "", TOKEN),
        (URL, FORM, None, TOKEN),
        (URL, FORM, NONCE, "another"),
    ],
)
def test_another_request_is_refused(
    url: str, form: dict[str, list[str]], nonce: str | None, token: str
) -> None:
    assert not is_signed(GIVEN, nonce, url, form, token)


@pytest.mark.parametrize("given", [None, "", "x", "ü", ",", GIVEN[:-1]])
def test_what_is_no_signature_is_refused(given: str | None) -> None:
    assert not is_signed(given, NONCE, URL, FORM, TOKEN)


def test_an_address_that_is_none_is_signed_by_nobody() -> None:
    assert not is_signed("a", "1", "http://[::/plivo", {}, "token")
