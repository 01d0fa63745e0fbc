"""Where a session of OpenAI's protocol is asked for."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from crossfade.errors import SettingsError
from crossfade.providers.openai_dialects import DIALECTS, Dialect, Shape
from crossfade.providers.profiles import check_served, refuse_shut_down
from crossfade.providers.protocol import ConnectRequest

_OPENAI_URL = "wss://api.openai.com"
# Its servers answer at once; a line that is dead without a word is found within ten seconds.
_PING_INTERVAL_S = _PING_TIMEOUT_S = 5.0
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
        ping_interval_s=_PING_INTERVAL_S,
        ping_timeout_s=_PING_TIMEOUT_S,
    )


def check_endpoint(dialect: Dialect, model: str, base_url: str | None) -> None:
    """Find what was shut down, before anything is dialled.

    At another endpoint than the maker's it may still be served: the log warns once.

    Raises:
        SettingsError: The maker does not serve this any more, or there is no endpoint at all.
    """
    url = _url(dialect, base_url)
    maker = dialect.family.maker
    at_openai = _is_host_of(_OPENAI_URL, url)
    if dialect.shape is Shape.FLAT and (at_openai or dialect is _beta()):
        refuse_shut_down(
            "its Realtime beta",
            'the dialect "openai"',
            maker="OpenAI",
            own_host=at_openai,
        )
    own_host = dialect.url is not None and _is_host_of(dialect.url, url)
    check_served(model, dialect.retired_models, maker=maker, own_host=own_host)


def _beta() -> Dialect:
    return DIALECTS["openai-beta"]


def _url(dialect: Dialect, base_url: str | None) -> str:
    url = base_url or dialect.url
    if url is None:
        shut = ' OpenAI itself has shut its beta down: use the dialect "openai" there.'
        raise SettingsError(
            f'The dialect "{dialect.name}" has no endpoint of its own. Give base_url.'
            f"{shut if dialect is _beta() else ''}"
        )
    return url


def _is_host_of(makers_url: str, url: str) -> bool:
    """Whether `url` leads to the maker's host, or to one below it, as for a region."""
    host, own = (f".{(urlsplit(one).hostname or '').rstrip('.')}" for one in (url, makers_url))
    return host.endswith(own)


def _credentials(dialect: Dialect, api_key: str) -> dict[str, str]:
    if dialect.key_header == "Authorization" or api_key.startswith(_TOKEN_HEAD):
        return {"Authorization": f"Bearer {api_key}"}
    return {dialect.key_header: api_key}


__all__ = ["check_endpoint", "connect_request"]
