"""What `crossfade serve` is told, and the secret that its processes share."""

import os
from pathlib import Path

from pydantic import Field

from crossfade.errors import SettingsError
from crossfade.transports.websocket_token import TokenSigner, fresh_secret

from .settings import NativeSettings

SECRET_VARIABLE = "CROSSFADE_SECRET"


class ServeSettings(NativeSettings):
    """Settings of a server of calls through the native pipeline."""

    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=0, le=65535)
    store: str | None = None
    """URL or path of the store of calls; None keeps none, and no other process can go on."""
    most_calls: int = Field(default=500, ge=1)
    """At once; who comes then is told that the server is busy."""
    detached_s: float = Field(default=60.0, gt=0)
    """How long a call without a client goes on, here or, if nobody serves it, in the store."""
    drain_s: float = Field(default=5.0, ge=0)
    """How long a call may take to come to a quiet moment, when the server is told to end."""


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


def _sqlite_path(url: str) -> Path | None:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url)
    if not scheme.startswith("sqlite"):
        return None
    return Path(rest.removeprefix("/").partition("?")[0])


__all__ = ["SECRET_VARIABLE", "ServeSettings", "token_signer"]
