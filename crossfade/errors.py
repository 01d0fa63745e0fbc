"""The one tree of errors.

CrossfadeError
├── CallerError         the caller's mistake: nothing was sent, nothing was lost
│   ├── SettingsError       a setting, argument or file that cannot be used
│   └── SoundError          sound of the wrong rate, channels or length
├── ProviderFault       the provider refused or failed
│   └── CredentialsRefused  the key is wrong, expired or not allowed this model
├── ConnectionLost      nothing answers, or the line went dead
└── StoreError          the store of calls cannot do what was asked
    └── StoreUnavailable    for now: the database is down, its disk is full
"""


class CrossfadeError(Exception):
    """Base of every error raised by Crossfade. Its text says what happened and what to do."""


class CallerError(CrossfadeError):
    """The caller's mistake, found before anything was sent."""


class SettingsError(CallerError):
    """A setting, argument or file that cannot be used."""


class SoundError(CallerError):
    """Sound whose rate, channels or length do not fit."""


class ProviderFault(CrossfadeError):
    """The provider refused a request or failed.

    Args:
        message: What happened and what to do, without secrets.
        code: The provider's own error code, if it gave one.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class CredentialsRefused(ProviderFault):
    """The provider did not accept the key."""


class ConnectionLost(CrossfadeError):
    """Nothing answers at the address, or an open connection died.

    Args:
        message: What happened and what to do, without secrets.
        close_code: The WebSocket close code, where there was one; 1006 for a line that was cut.
        code: The provider's own word for why, where it gave one, such as `session_expired`.
        reason: The provider's own sentence, without secrets; empty where there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        close_code: int | None = None,
        code: str | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message)
        self.close_code = close_code
        self.code = code
        self.reason = reason


class StoreError(CrossfadeError):
    """The store of calls cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written for now: it does not answer, or its disk is full."""
