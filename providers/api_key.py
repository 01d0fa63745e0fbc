"""Where a session's key comes from."""

import inspect
from collections.abc import Awaitable, Callable, Sequence

from crossfade.errors import SettingsError

ApiKey = str | Callable[[], str | Awaitable[str]]
"""A key, or what gives one, plain or async: it is called anew for each connection."""


async def resolve_key(api_key: ApiKey, variables: Sequence[str]) -> str:
    """Get the key for one connection.

    Args:
        api_key: The key, or what gives one; what that raises is raised.
        variables: Environment variables that may hold it; without any, no key is needed.

    Raises:
        SettingsError: It is no text, empty though one is needed, or holds what no key holds.
    """
    given: object = api_key() if callable(api_key) else api_key
    if inspect.isawaitable(given):
        given = await given
    source = "The function given as api_key returned" if callable(api_key) else "The API key is"
    must = f"It must {'return' if callable(api_key) else 'be'} the key as a str"
    if not isinstance(given, str):
        kind = "None" if given is None else type(given).__name__
        raise SettingsError(f"{source} {kind}. {must}.")
    key = given.strip()
    where = " or ".join((*variables, "the api_key given"))
    if variables and not key:
        raise SettingsError(f"{source} empty text. {must}. Check {where}.")
    if not (key.isascii() and key.isprintable()):
        raise SettingsError(f"{source} text with characters that no key has. Check {where}.")
    return key


__all__ = ["ApiKey", "resolve_key"]
