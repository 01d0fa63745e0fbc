"""What `crossfade serve` is told, and the secret that its processes share."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from crossfade.errors import SettingsError
from crossfade.providers.address import is_loopback
from crossfade.transports.phone_carrier import check_number
from crossfade.transports.twilio_call import REST_URL, TwilioAccount
from crossfade.transports.websocket_token import TokenSigner, fresh_secret

from .http_server import Certificate
from .serve_access import Access
from .serve_caps import Caps
from .serve_limits import UNLIMITED, Limits
from .settings import CASCADE, NativeSettings, node_named

SECRET_VARIABLE = "CROSSFADE_SECRET"
TOKEN_VARIABLE = "CROSSFADE_TOKEN"
TURN_USERNAME_VARIABLE = "CROSSFADE_TURN_USERNAME"
TURN_CREDENTIAL_VARIABLE = "CROSSFADE_TURN_CREDENTIAL"
TWILIO_TOKEN_VARIABLE = "TWILIO_AUTH_TOKEN"
TWILIO_SID_VARIABLE = "TWILIO_ACCOUNT_SID"
TWILIO_REST_VARIABLE = "TWILIO_REST_URL"


class ServeSettings(NativeSettings):
    """Settings of a server of calls through the native pipeline."""

    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=0, le=65535)
    nodes: tuple[str, ...] = ()
    """Whom callers may talk to, and change to during a call: PROVIDER:MODEL, a provider alone, or
    `cascade`; the first one serves first, and those after it stand in for it. Empty is the one
    provider and model."""
    over_budget: str | None = None
    """The node that goes on with a call that has cost too much; None ends the call."""
    store: str | None = None
    """URL or path of the store of calls; None keeps none, and no other process can go on."""
    most_calls: int = Field(default=500, ge=1)
    """At once; who comes then is told that the server is busy."""
    detached_s: float = Field(default=60.0, gt=0)
    """How long a call without a client goes on, here or, if nobody serves it, in the store."""
    drain_s: float = Field(default=5.0, ge=0)
    """How long a call may take to come to a quiet moment, when the server is told to end."""
    client_calls: int = Field(default=20, ge=0)
    """At once, of one address; 0 is as many as it likes. Not counted on loopback."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    """PEM files for TLS; None of both is plain TCP."""
    unfinished_audio: bool = True
    """Whether the store keeps what a caller is saying, until it is answered, so that another
    process can go on in mid-sentence."""
    details: bool = True
    """Whether clients may be told of tools, latency and cost."""
    public_url: str = ""
    """Under which Twilio knows the server, `https://…`; empty takes it from its requests."""
    transfer_to: tuple[str, ...] = ()
    """Whom callers on the phone may be put through to, NAME=NUMBER each."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that share the port and the store."""
    busy_at: float = Field(default=0.85, ge=0, le=1)
    """Share of a core from which on a process takes no new calls; 0 takes them all."""
    longest_call_s: float = Field(default=0.0, ge=0)
    """A call that lasts longer is ended; 0 is no limit."""
    day_calls: int = Field(default=0, ge=0)
    """New calls in a day; 0 is no limit."""
    day_usd: float = Field(default=0.0, ge=0)
    """When the calls of a day have cost more, no new one is taken; 0 is no limit."""
    webrtc: bool = True
    """Whether browsers may call by WebRTC, where that is installed."""
    ice_servers: tuple[str, ...] = ()
    """STUN and TURN servers by which the way between browsers and this server is found."""
    metrics: bool = True
    """Whether calls are measured for Prometheus, where its package is installed."""

    @field_validator("nodes")
    @classmethod
    def _whole_names(cls, nodes: tuple[str, ...], told: ValidationInfo) -> tuple[str, ...]:
        model = str(told.data.get("model"))
        return tuple(f"openai:{model}" if each == "openai" else node_named(each) for each in nodes)

    @field_validator("over_budget")
    @classmethod
    def _whole_name(cls, node: str | None) -> str | None:
        return None if node is None else node_named(node)

    @field_validator("host")
    @classmethod
    def _bare(cls, host: str) -> str:
        """An IPv6 address stands in brackets in URLs alone."""
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @field_validator("public_url")
    @classmethod
    def _whole_url(cls, url: str) -> str:
        if url and not _is_web_address(url):
            raise SettingsError(
                "--public-url is no address of a server; give it as https://calls.example.org"
            )
        return url

    @field_validator("transfer_to")
    @classmethod
    def _numbers(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        destinations_of(given)
        return given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.nodes and self.fallbacks:
            raise SettingsError(
                "several nodes stand in for each other, in their order: give --node alone, or "
                "--fallback alone"
            )
        if self.arms is not None and not self.nodes and self.fallbacks not in ((), (CASCADE,)):
            raise SettingsError(
                "with --arms, name those who stand in with --node; --fallback is for one provider"
            )
        if self.over_budget is not None and self.budget_usd is None:
            raise SettingsError("--over-budget needs a --budget")
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        return is_loopback(self.base)

    @property
    def is_public(self) -> bool:
        """Whether others know it by an address, wherever it listens."""
        return bool(self.public_url) and not is_loopback(self.public_url)

    @property
    def base(self) -> str:
        """Its address as a WebSocket's, without port."""
        return f"ws://[{self.host}]" if ":" in self.host else f"ws://{self.host}"

    @property
    def certificate(self) -> Certificate | None:
        """What it shows of itself.

        Raises:
            SettingsError: One of the two files is missing.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError(
                "TLS needs a certificate and its key; give --tls-cert and --tls-key"
            )
        if self.tls_cert is None or self.tls_key is None:
            return None
        return Certificate(chain=self.tls_cert, key=self.tls_key)

    @property
    def caps(self) -> Caps:
        """Of a day."""
        return Caps(calls=self.day_calls, usd=self.day_usd)

    @property
    def limits(self) -> Limits:
        """Of one client."""
        if self.on_loopback or not self.client_calls:
            return UNLIMITED
        return Limits(calls=self.client_calls)


def server_access(settings: ServeSettings, secret: str = "") -> Access:
    """Who may begin calls: on loopback, and without a public address, everybody, unless
    CROSSFADE_TOKEN is set; several tokens are separated by commas.

    Args:
        settings: The server's.
        secret: Signs the tickets where CROSSFADE_SECRET does not.

    Raises:
        SettingsError: The server is to be reached from elsewhere without one, or one is too short.
    """
    given = os.environ.get(TOKEN_VARIABLE, "")
    tokens = [token.strip() for token in given.split(",") if token.strip()]
    if not tokens and not settings.on_loopback:
        raise SettingsError(
            f"whoever reaches {settings.host} could begin calls, which cost money: set "
            f"{TOKEN_VARIABLE}, such as from: openssl rand -hex 32; or listen on 127.0.0.1"
        )
    if not tokens and settings.is_public:
        raise SettingsError(
            f"whoever reaches {settings.public_url} reaches the pages, too, and could begin calls, "
            f"which cost money: set {TOKEN_VARIABLE}, such as from: openssl rand -hex 32; phone "
            "companies need none of it"
        )
    # Servers that share the one secret know each other's tickets, too.
    return Access(tokens, os.environ.get(SECRET_VARIABLE, "") or secret)


def twilio_account() -> TwilioAccount | None:
    """Whose phone calls the server takes; None without TWILIO_AUTH_TOKEN.

    With TWILIO_ACCOUNT_SID, too, calls are redirected by REST.
    """
    token = os.environ.get(TWILIO_TOKEN_VARIABLE, "")
    if not token:
        return None
    return TwilioAccount(
        sid=os.environ.get(TWILIO_SID_VARIABLE, ""),
        auth_token=token,
        rest_url=os.environ.get(TWILIO_REST_VARIABLE, REST_URL),
    )


def destinations_of(given: Sequence[str]) -> dict[str, str]:
    """Whom callers may be put through to: name → number.

    Args:
        given: NAME=NUMBER each.

    Raises:
        SettingsError: One is not so, or its number is none.
    """
    found = {}
    for each in given:
        name, separator, number = each.partition("=")
        if not name.strip() or not separator:
            raise SettingsError(
                f"--transfer-to {each!r} names nobody's number; give it as sales=+15551234567"
            )
        found[name.strip()] = check_number(number)
    return found


def turn_login() -> tuple[str, str]:
    """User name and credential at the TURN servers; empty where there are none."""
    return os.environ.get(TURN_USERNAME_VARIABLE, ""), os.environ.get(TURN_CREDENTIAL_VARIABLE, "")


def token_signer(store_url: str | None) -> TokenSigner:
    """The signer of this server's tokens.

    The secret is CROSSFADE_SECRET, several separated by commas while one replaces another; else,
    beside an SQLite file, a file of its own that all processes at this store share. It is not kept
    in the database, whose copies lie in more hands.

    Raises:
        SettingsError: The secret is too short, cannot be read, or is needed and not given.
    """
    if given := os.environ.get(SECRET_VARIABLE, ""):
        return TokenSigner([secret.strip() for secret in given.split(",") if secret.strip()])
    if store_url is None:
        return TokenSigner([fresh_secret()])
    path = _sqlite_path(store_url)
    if path is None:
        raise SettingsError(
            f"several processes share this store, and must share the secret that signs their "
            f"tokens: set {SECRET_VARIABLE} to the same for each, such as from: "
            "openssl rand -hex 32"
        )
    return TokenSigner([_kept_secret(path.with_name(f"{path.name}.secret"))])


def _kept_secret(path: Path) -> str:
    """The secret in a file; the first process to need it makes it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(fresh_secret())
            # Whole or not at all, and never over another's.
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            part.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"cannot keep the secret of the tokens in {path} ({error.strerror}); "
            f"set {SECRET_VARIABLE}, or put the store where you may write"
        ) from error


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    # What phone companies call and sign is this and a path.
    bare = not (parts.query or parts.fragment or parts.username or parts.password)
    return whole and bare and parts.scheme in ("http", "https") and url.isprintable()


def _sqlite_path(url: str) -> Path | None:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url)
    if not scheme.startswith("sqlite"):
        return None
    return Path(rest.removeprefix("/").partition("?")[0])


__all__ = [
    "SECRET_VARIABLE",
    "TOKEN_VARIABLE",
    "TURN_CREDENTIAL_VARIABLE",
    "TURN_USERNAME_VARIABLE",
    "TWILIO_REST_VARIABLE",
    "TWILIO_SID_VARIABLE",
    "TWILIO_TOKEN_VARIABLE",
    "ServeSettings",
    "destinations_of",
    "server_access",
    "token_signer",
    "turn_login",
    "twilio_account",
]
