"""Proof that a request comes from Plivo, by its signature of version 3. Pure.

Source: https://www.plivo.com/docs/voice/concepts/signature-validation
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

HEADER = "X-Plivo-Signature-V3"
NONCE_HEADER = "X-Plivo-Signature-V3-Nonce"


def signature(url: str, form: Mapping[str, Sequence[str]], nonce: str, auth_token: str) -> str:
    """What Plivo's header says of a request.

    Args:
        url: The whole address as Plivo knows it, with its query.
        form: What is posted; nothing of a GET or a WebSocket.
        nonce: What the header of it says.
        auth_token: The account's secret.
    """
    parts = urlsplit(url)
    told = f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = parse_qs(parts.query, keep_blank_values=True)
    pairs = "&".join(f"{name}={value}" for name in sorted(query) for value in sorted(query[name]))
    if pairs or form:
        told += f"?{pairs}"
    if form:
        told += "." if pairs else ""
        told += "".join(f"{name}{value}" for name in sorted(form) for value in sorted(form[name]))
    digest = hmac.digest(auth_token.encode(), f"{told}.{nonce}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def is_signed(
    given: str | None,
    nonce: str | None,
    url: str,
    form: Mapping[str, Sequence[str]],
    auth_token: str,
) -> bool:
    """Whether a request has the signature that its address and form ask for.

    While an account has two tokens, Plivo gives a signature by each, separated by commas.
    """
    if not given or not nonce:
        return False
    try:
        wanted = signature(url, form, nonce, auth_token).encode()
    except ValueError:
        # The address has a host that cannot be one.
        return False
    found = [hmac.compare_digest(wanted, each.strip().encode()) for each in given.split(",")]
    return any(found)


__all__ = ["HEADER", "NONCE_HEADER", "is_signed", "signature"]
