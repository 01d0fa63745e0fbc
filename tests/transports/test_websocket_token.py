"""Tokens by which clients re-attach: what is refused, and that nothing of them is told."""

import base64
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import SettingsError
from crossfade.transports.websocket_token import Claims, TokenRefused, TokenSigner, fresh_secret

CLAIMS = Claims(
    call_id="call_1",
    attachment=3,
    began_at=1763753097.123456,
    kept=False,
    expires_at=1000.0,
    input_rate_hz=16000,
    output_rate_hz=24000,
)
OLD, NEW = "an old secret of ours", "a new secret of ours"


def test_what_was_signed_is_read() -> None:
    signer = TokenSigner([NEW])
    assert signer.read(signer.issue(CLAIMS), 999.9) == CLAIMS


def test_each_process_of_one_secret_knows_the_tokens_of_the_others() -> None:
    assert TokenSigner([NEW]).read(TokenSigner([NEW]).issue(CLAIMS), 0) == CLAIMS


def test_an_older_secret_is_good_for_as_long_as_it_is_named() -> None:
    token = TokenSigner([OLD]).issue(CLAIMS)
    both = TokenSigner([NEW, OLD])
    assert both.read(token, 0) == CLAIMS
    assert both.issue(CLAIMS) == TokenSigner([NEW]).issue(CLAIMS)
    with pytest.raises(TokenRefused, match="not of this server's key"):
        TokenSigner([NEW]).read(token, 0)


def test_a_signature_is_written_in_one_way_alone() -> None:
    signer = TokenSigner([NEW])
    token = next(
        token
        for number in range(100)
        if "_"
        in (token := signer.issue(dataclasses.replace(CLAIMS, attachment=number))).rpartition(".")[
            2
        ]
    )
    signed, _, signature = token.rpartition(".")
    with pytest.raises(TokenRefused, match="signature"):
        signer.read(f"{signed}.{signature.replace('_', '/')}", 0)


def test_a_token_expires() -> None:
    signer = TokenSigner([NEW])
    with pytest.raises(TokenRefused, match="expired"):
        signer.read(signer.issue(CLAIMS), 1000.0)


@given(st.data())
def test_an_altered_token_is_refused(data: st.DataObject) -> None:
    signer = TokenSigner([NEW])
    token = signer.issue(CLAIMS)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda c: c != token[at]))
    with pytest.raises(TokenRefused):
        signer.read(token[:at] + other + token[at + 1 :], 0)


@given(st.text())
def test_anything_else_is_refused_by_name(token: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        TokenSigner([NEW]).read(token, 0)
    assert len(token) < 8 or token not in str(refused.value)


def test_another_calls_claims_under_this_signature_are_refused() -> None:
    signer = TokenSigner([NEW])
    version, key_id, body, signature = signer.issue(CLAIMS).split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    content[0] = "call_2"
    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    with pytest.raises(TokenRefused, match="signature"):
        signer.read(".".join((version, key_id, forged, signature)), 0)


@pytest.mark.parametrize("secrets", [[], ["short"], [NEW, ""]])
def test_a_secret_that_can_be_guessed_is_refused(secrets: list[str]) -> None:
    with pytest.raises(SettingsError, match="16 characters"):
        TokenSigner(secrets)


def test_fresh_secrets_are_long_enough_and_differ() -> None:
    assert fresh_secret() != fresh_secret()
    TokenSigner([fresh_secret()])


def test_claims_show_no_secret() -> None:
    assert NEW not in repr(TokenSigner([NEW]))
    assert "secret" not in {field.name for field in dataclasses.fields(CLAIMS)}
