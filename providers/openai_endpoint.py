"""Where a session of OpenAI's protocol is asked for."""

import logging
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from crossfade.errors import SettingsError
from crossfade.providers.openai_dialects import DIALECTS, Dialect, Shape
from crossfade.providers.protocol import ConnectRequest

_logger = logging.getLogger(__name__)
_OPENAI_HOST = "api.openai.com"
# Tokens of Microsoft Entra are JSON web tokens; keys never begin so.
_TOKEN_HEAD = "eyJ"


def connect_request(
    dialect: Dialect, model: str, base_url: str | None, api_key: str
) -> ConnectRequest:
    """Say where to connect, and with what.

    Args:
        dialect: What is spoken there.
        model: Model, or deployment.
        base_url: The whole endpoint; what its query says is kept.
        api_key: A key or a token.
    """
    url = urlsplit(_url(dialect, base_url))
    query = parse_qsl(url.query, keep_blank_values=True)
    given = {name for name, _ in query}
    wanted = {**dialect.query, dialect.model_parameter: model}
    query += [(name, value) for name, value in wanted.items() if name not in given]
    return ConnectRequest(
        url=urlunsplit(url._replace(query=urlencode(query), fragment="")),
        headers={**dialect.headers, **_credentials(dialect, api_key)},
    )


def check_served(dialect: Dialect, model: str, base_url: str | None) -> None:
    """Find what was shut down, before anything is dialled.

    At another endpoint than the maker's it may still be served: the log warns once.

    Raises:
        SettingsError: The maker does not serve this any more, or there is no endpoint at all.
    """
    ours = urlsplit(_url(dialect, base_url)).hostname
    if dialect.shape is Shape.FLAT and ours == _OPENAI_HOST:
        raise SettingsError('OpenAI has shut its Realtime beta down. Use the dialect "openai".')
    for beginning, successor in dialect.retired_models.items():
        if not model.startswith(beginning):
            continue
        if base_url is None or ours == _host(dialect.url):
            raise SettingsError(f'{dialect.family.maker} has shut "{model}" down. Use {successor}.')
        _warn_retired(dialect.family.maker, model, successor)


def _url(dialect: Dialect, base_url: str | None) -> str:
    url = base_url or dialect.url
    if url is None:
        shut = ' OpenAI itself has shut its beta down: use the dialect "openai" there.'
        raise SettingsError(
            f'The dialect "{dialect.name}" has no endpoint of its own. Give base_url.'
            f"{shut if dialect is DIALECTS['openai-beta'] else ''}"
        )
    return url


def _host(url: str | None) -> str | None:
    return None if url is None else urlsplit(url).hostname


def _credentials(dialect: Dialect, api_key: str) -> dict[str, str]:
    if dialect.key_header == "Authorization" or api_key.startswith(_TOKEN_HEAD):
        return {"Authorization": f"Bearer {api_key}"}
    return {dialect.key_header: api_key}


@lru_cache(maxsize=64)
def _warn_retired(maker: str, model: str, successor: str) -> None:
    _logger.warning("%s has shut %s down; its successor is %s.", maker, model, successor)


__all__ = ["check_served", "connect_request"]
