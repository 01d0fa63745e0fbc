"""Whose phone calls a server takes, by what the environment has of them."""

import os
from collections.abc import Sequence

from crossfade.errors import SettingsError
from crossfade.transports.phone_carrier import Carrier

from .serve_settings import twilio_account

TELNYX_KEY_VARIABLE = "TELNYX_PUBLIC_KEY"
TELNYX_API_KEY_VARIABLE = "TELNYX_API_KEY"
TELNYX_SID_VARIABLE = "TELNYX_ACCOUNT_SID"
TELNYX_REST_VARIABLE = "TELNYX_REST_URL"
PLIVO_TOKEN_VARIABLE = "PLIVO_AUTH_TOKEN"
PLIVO_ID_VARIABLE = "PLIVO_AUTH_ID"
PLIVO_REST_VARIABLE = "PLIVO_REST_URL"


def carriers() -> Sequence[Carrier]:
    """The phone companies whose secret or key is given; none is no phone.

    Raises:
        SettingsError: A key is none, or a package is missing that checks it.
    """
    found = [twilio_account(), _telnyx(), _plivo()]
    return [carrier for carrier in found if carrier is not None]


def _telnyx() -> Carrier | None:
    key = os.environ.get(TELNYX_KEY_VARIABLE, "")
    if not key:
        return None
    try:
        from crossfade.transports.telnyx_call import REST_URL, TelnyxAccount
    except ImportError as error:
        raise SettingsError(
            f"Telnyx's signatures cannot be checked without {error.name}; install cryptography, "
            f"or unset {TELNYX_KEY_VARIABLE}"
        ) from error
    return TelnyxAccount(
        public_key=key,
        api_key=os.environ.get(TELNYX_API_KEY_VARIABLE, ""),
        sid=os.environ.get(TELNYX_SID_VARIABLE, ""),
        rest_url=os.environ.get(TELNYX_REST_VARIABLE, REST_URL),
    )


def _plivo() -> Carrier | None:
    token = os.environ.get(PLIVO_TOKEN_VARIABLE, "")
    if not token:
        return None
    # Loaded where it is wanted: pipecat's serializer brings an HTTP client along.
    from crossfade.transports.plivo_call import REST_URL, PlivoAccount

    return PlivoAccount(
        auth_token=token,
        auth_id=os.environ.get(PLIVO_ID_VARIABLE, ""),
        rest_url=os.environ.get(PLIVO_REST_VARIABLE, REST_URL),
    )


__all__ = [
    "PLIVO_ID_VARIABLE",
    "PLIVO_REST_VARIABLE",
    "PLIVO_TOKEN_VARIABLE",
    "TELNYX_API_KEY_VARIABLE",
    "TELNYX_KEY_VARIABLE",
    "TELNYX_REST_VARIABLE",
    "TELNYX_SID_VARIABLE",
    "carriers",
]
