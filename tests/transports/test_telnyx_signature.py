"""Telnyx's signature: a vector of the standard, its time, and what is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crossfade.errors import SettingsError
from crossfade.transports.telnyx_signature import is_signed, public_key

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()
SHOWN = base64.b64encode(RAW).decode()
NOW_S = 1_763_764_600.0
BODY = b"CallSid=v3%3Aa&From=%2B15550100"


def signed(at: str, body: bytes = BODY) -> str:
    return base64.b64encode(KEY.sign(at.encode() + b"|" + body)).decode()


def test_a_key_of_the_standards_test_vectors() -> None:
    # RFC 8032, 7.1, test 1.
    shown = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    given = public_key(base64.b64encode(shown).decode())
    signature = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    given.verify(bytes.fromhex(signature), b"")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_body_of_the_last_five_minutes(wrapped: bool) -> None:
    head = bytes.fromhex("302a300506032b6570032100") if wrapped else b""
    key = public_key(base64.b64encode(head + RAW).decode())
    for age_s, good in ((0, True), (299, True), (301, False), (-301, False)):
        at = str(int(NOW_S - age_s))
        assert is_signed(signed(at), at, BODY, key, NOW_S) is good


@pytest.mark.parametrize(
    ("given", "at", "body"),
    [
        (signed("1763764600"), "1763764601", BODY),
        (signed("1763764600"), "1763764600", BODY + b"&x=1"),
        (None, "1763764600", BODY),
        ("", "1763764600", BODY),
        ("ü", "1763764600", BODY),
        ("AAAA", "1763764600", BODY),
        (signed("1763764600"), None, BODY),
        (signed("1763764600"), "", BODY),
        (signed("٣"), "٣", BODY),
        (signed("9" * 400), "9" * 400, BODY),
    ],
)
def test_anything_else_is_refused(given: str | None, at: str | None, body: bytes) -> None:
    assert not is_signed(given, at, body, public_key(SHOWN), NOW_S)


@pytest.mark.parametrize("key", ["", "x", "AAAA", "ü", SHOWN[:-4]])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="public key"):
        public_key(key)
