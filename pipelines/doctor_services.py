"""Examines what calls talk to: keys, the store, the providers."""

import asyncio
import email.utils
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from crossfade.errors import CrossfadeError
from crossfade.pipelines.calls_place import STORE_VARIABLE, store_url

from .doctor_finding import Finding, bad, note, ok
from .doctor_machine import nearest, unwritable

_KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("OPENAI_API_KEY",), r"sk-[\w-]{20,}"),
    (("GOOGLE_API_KEY", "GEMINI_API_KEY"), r"AIza[\w-]{35}|AQ\.[\w-]{20,}"),
    (("AZURE_OPENAI_API_KEY", "AZURE_VOICELIVE_API_KEY"), r"[0-9A-Za-z]{32,}|eyJ[\w.-]+"),
    (("XAI_API_KEY",), r"xai-[\w-]{20,}"),
    (("DASHSCOPE_API_KEY",), r"sk-[\w-]{20,}"),
)
_SECRET = "CROSSFADE_SECRET"
_LEAST_SECRET = 32
HOSTS = {"OpenAI": "api.openai.com", "Gemini": "generativelanguage.googleapis.com"}
_TIMEOUT_S = 3.0
_WRONG_CLOCK_S = 30.0


def keys(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Which keys are set, and whether they look like keys; none is shown."""
    for variables, form in _KEYS:
        found = [name for name in variables if environment.get(name)]
        for name in found:
            yield _key(name, environment[name], form)
        if not found:
            cure = f"set {variables[0]} or put it into .env, if you want this provider"
            yield note(" or ".join(variables), "not set", cure)
    if secret := environment.get(_SECRET):
        if all(len(each.strip()) >= _LEAST_SECRET for each in secret.split(",")):
            yield ok(_SECRET, "set")
        else:
            yield bad(_SECRET, "is too short", "make one with: openssl rand -hex 32")


def _key(name: str, value: str, form: str) -> Finding:
    told = f"set, {len(value)} characters"
    if value != value.strip() or value[:1] in "\"'":
        return bad(name, f"{told}, with blanks or quotes around it", "set it without them")
    if not re.fullmatch(form, value):
        return note(name, f"{told}, of no form known here", "see that it was copied as a whole")
    return ok(name, told)


def store(named: str | None = None) -> Iterator[Finding]:
    """The store of calls can be opened and read."""
    url = store_url(named)
    # Without user and password.
    place = re.sub(r"//[^@/]*@", "//", url)
    try:
        from crossfade.conversation.store import open_store
    except ImportError:
        yield note("store", "cannot be used", "pip install 'crossfade[store]', if you need it")
        return

    async def look() -> int:
        async with asyncio.timeout(_TIMEOUT_S), await open_store(url) as opened:
            return len(await opened.calls(limit=1))

    if "://" not in url and not os.path.exists(url):
        yield _to_be_made(Path(url))
        return
    try:
        asyncio.run(look())
    except (CrossfadeError, OSError, TimeoutError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else " ".join(str(error).split())
        cure = f"start the database, or name another with {STORE_VARIABLE}"
        yield bad("store", f"{place}: {why.replace(url, place)}", cure)
    else:
        yield ok("store", f"{place}: answers")


def _to_be_made(file: Path) -> Finding:
    there = nearest(file.absolute().parent)
    if (why := unwritable(there)) is None:
        return ok("store", f"{file}: is made with the first call")
    cure = f"let this user write {there}, or name another place with {STORE_VARIABLE}"
    return bad("store", f"{file}: cannot be made: {why}", cure)


def providers(hosts: Mapping[str, str] = HOSTS) -> Iterator[Finding]:
    """The providers can be reached by TCP and TLS, and their clock is ours."""
    for name, host in hosts.items():
        yield from _reached(name, host)


def _reached(name: str, host: str) -> Iterator[Finding]:
    what = f"provider {name}"
    began_s = time.monotonic()
    connection = HTTPSConnection(host, timeout=_TIMEOUT_S)
    try:
        connection.connect()
        took_ms = (time.monotonic() - began_s) * 1000
        connection.request("HEAD", "/")
        date = connection.getresponse().getheader("Date")
    except ssl.SSLError as error:
        cure = "see what proxy is in between, and whether its certificate is trusted"
        yield bad(what, f"{host}: TLS failed ({error.reason})", cure)
    except socket.gaierror:
        yield bad(what, f"{host}: the name cannot be resolved", "see DNS and the network")
    except (OSError, HTTPException) as error:
        cure = "see the network, the firewall and the proxy: port 443 must be open"
        yield bad(what, f"{host}: {str(error) or type(error).__name__}", cure)
    else:
        yield ok(what, f"{host}: reached by TLS in {took_ms:.0f} ms")
        yield from _compared(date)
    finally:
        connection.close()


def _compared(date: str | None) -> Iterator[Finding]:
    if date is None:
        return
    ahead_s = time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    if abs(ahead_s) > _WRONG_CLOCK_S:
        cure = "set the clock: tokens and ends of sessions depend on it (timedatectl set-ntp true)"
        yield bad("clock", f"{ahead_s:+.0f} s beside the provider's", cure)


__all__ = ["HOSTS", "keys", "providers", "store"]
