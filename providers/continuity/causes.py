"""What the end of a connection, or an attempt that failed, says of the next one."""

from crossfade.errors import ConnectionLost, CredentialsRefused, ProviderFault, SettingsError


def is_fatal(error: Exception) -> bool:
    """Whether no other connection to the same provider will do better."""
    match error:
        case CredentialsRefused() | SettingsError():
            return True
        case ProviderFault(code=code):
            return not _passes(code)
    return False


def _passes(code: str | None) -> bool:
    """Whether a status of HTTP tells of a state that passes: too many, or a failure of theirs."""
    if code is None or not code.isdecimal():
        return False
    return code in ("408", "425", "429") or 500 <= int(code) <= 599


def silent(seconds: float) -> ConnectionLost:
    return ConnectionLost(
        f"The provider has told nothing for {seconds:g} s, though it should have."
    )


__all__ = ["is_fatal", "silent"]
