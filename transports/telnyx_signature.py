"""Proof that a webhook comes from Telnyx. Pure.

Source: https://developers.telnyx.com/docs/development/sdk/python/webhooks
"""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crossfade.errors import SettingsError

HEADER = "telnyx-signature-ed25519"
TIME_HEADER = "telnyx-timestamp"
TOLERANCE_S = 300.0
_KEY_BYTES = 32


def public_key(coded: str) -> Ed25519PublicKey:
    """The account's key, as Telnyx shows it.

    Raises:
        SettingsError: It is none.
    """
    try:
        raw = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    # Some tools wrap it (RFC 8410); the key itself are the last bytes.
    if len(raw) not in (_KEY_BYTES, _KEY_BYTES + 12):
        raise SettingsError(
            "Telnyx's public key is not one of Ed25519 in base64; copy it from Keys & Credentials "
            "in its portal"
        )
    return Ed25519PublicKey.from_public_bytes(raw[-_KEY_BYTES:])


def is_signed(
    given: str | None, timestamp: str | None, body: bytes, key: Ed25519PublicKey, now_s: float
) -> bool:
    """Whether a request's body was signed, no more than five minutes ago.

    The signature does not cover the address.
    """
    if not given or not timestamp or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if len(timestamp) > 12 or abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    try:
        key.verify(base64.b64decode(given, validate=True), timestamp.encode() + b"|" + body)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


__all__ = ["HEADER", "TIME_HEADER", "TOLERANCE_S", "is_signed", "public_key"]
