"""Twilio's signature.

Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

HEADER = "X-Twilio-Signature"


def signature(url: str, form: Mapping[str, str], auth_token: str) -> str:
    """The address and the form's fields by name, under the account's secret."""
    told = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    mac = hmac.new(auth_token.encode(), told.encode(), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode("ascii")


__all__ = ["HEADER", "signature"]
