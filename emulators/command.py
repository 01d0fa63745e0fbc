"""An emulator from the command line."""

import argparse
import asyncio
import gc
import os
import signal
import ssl
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from crossfade.errors import CrossfadeError, SettingsError

from .backends.backend import Backend
from .backends.offline import OfflineBackend
from .backends.scripted import ScriptedBackend
from .certificate import server_context
from .faults.script import load_faults
from .gathering import gathering_loop
from .openai.behaviour import Behaviour
from .options import made, pairs
from .replay import ReplayEmulator
from .server import Emulator
from .turn_detection import SCORERS
from .wires import EMULATORS, emulator_class, own_faults, timing_class

LISTENING = "listening on "
CERTIFICATE = "certificate "
_UNREAD = 1
_MISTAKE = 2
_PORT = 8765
_TIMING = {
    "session_seconds": "maximum duration of a session",
    "think_ms": "time before an answer, where the scenario does not say",
    "speed": "speech is generated so many times faster than it sounds",
}
_SEED: dict[str, Any] = {"type": int, "help": "of all that is random"}
_VAD: dict[str, Any] = {
    "choices": list(SCORERS),
    "help": "what finds the user's speech: the Silero model, or any sound at all",
}
_ACCESS: dict[str, dict[str, Any]] = {
    "api-key": {"action": "append", "metavar": "KEY", "help": "a key that is taken; repeat it"},
    "model": {"action": "append", "metavar": "NAME", "help": "a model served besides; repeat it"},
}
_OWN: dict[str, dict[str, dict[str, Any]]] = {
    "openai": {
        "dialect": {"choices": ["ga", "beta"], "help": "beta: as it was up to 2025"},
        "behaviour": {
            "action": "append",
            "metavar": "NAME=VALUE",
            "help": "a field of the wire's Behaviour; repeat it",
        },
        "epoch-s": {
            "type": float,
            "help": "the time of day, in seconds since 1970; by default the machine's clock",
        },
        **_ACCESS,
        "vad": _VAD,
        "seed": _SEED,
    },
    "gemini": {**_ACCESS, "vad": _VAD, "seed": _SEED},
    "moshi": {
        "vad": _VAD,
        "seed": _SEED,
        "server": {"choices": ["python", "rust"], "help": "which of Moshi's servers it is like"},
        "greeting": {"help": "what it says before the user speaks"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be served, and how."""

    wire: str
    host: str = "127.0.0.1"
    port: int = 0
    backend: str = "scripted"
    scenario: Path | None = None
    voice: Any = "tone"
    faults: Path | None = None
    log: Path | None = None
    certificate: Path | None = None
    """Speak TLS; the certificate is written to this file."""
    timing: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the wire's `Timing`, also as texts."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the wire's emulator."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an emulator until SIGINT or SIGTERM; returns the exit code.

    Args:
        arguments: A wire and its options; None are those of the process.
    """
    parsed = vars(_parser().parse_args(arguments))
    with_parent, tls, certificate = (parsed.pop(n) for n in ("with_parent", "tls", "certificate"))
    try:
        timing = pairs(parsed.pop("timing"), "--timing") | _taken(parsed, _TIMING)
        own = _own(_taken(parsed, _names(_OWN[parsed["wire"]])))
        options = Options(
            **parsed, certificate=certificate if tls else None, timing=timing, own=own
        )
        with asyncio.Runner(loop_factory=gathering_loop) as runner:
            runner.run(serve(options, with_parent=with_parent))
    except CrossfadeError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return _MISTAKE
    except BrokenPipeError:
        # Python writes what is left when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD
    return 0


def _taken(parsed: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Take these arguments out, and give those that were given."""
    found = {name: parsed.pop(name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _names(options: Iterable[str]) -> list[str]:
    return [name.replace("-", "_") for name in options]


def _own(given: dict[str, Any]) -> dict[str, Any]:
    """Options as the arguments that they stand for."""
    for option, argument in (("api_key", "api_keys"), ("model", "models")):
        if option in given:
            given[argument] = given.pop(option)
    if "vad" in given:
        given["scorer"] = SCORERS[given.pop("vad")]
    if "behaviour" in given:
        behaviour = pairs(given["behaviour"], "--behaviour")
        given["behaviour"] = made(Behaviour, behaviour, "--behaviour")
    return given


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_MISTAKE, f"error: {message}; --help lists the options\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="crossfade emulate", description="Serve a provider's protocol on this machine."
    )
    wires = parser.add_subparsers(dest="wire", required=True)
    for wire in EMULATORS:
        one = wires.add_parser(wire, description="Serve until Ctrl-C; prints its address.")
        one.add_argument("--host", default="127.0.0.1", help="address to listen on")
        one.add_argument(
            "--port", type=_port, default=_PORT, help="port to listen on; 0 is any free one"
        )
        one.add_argument(
            "--backend",
            choices=["scripted", "offline", "replay"],
            default="scripted",
            help="answers from a scenario, by offline speech, or from a recording",
        )
        one.add_argument("--scenario", type=Path, help="YAML file: a scenario, or a recording")
        one.add_argument("--voice", choices=["tone", "espeak"], default="tone")
        one.add_argument("--faults", type=Path, help="YAML file of what goes wrong, and when")
        one.add_argument("--log", type=Path, help="folder for an event log of each session")
        one.add_argument("--tls", action="store_true", help="speak TLS, with a new certificate")
        one.add_argument(
            "--certificate",
            type=Path,
            default=Path("crossfade-emulator.pem"),
            help="where --tls writes the certificate, for clients to trust it",
        )
        for name, meaning in _TIMING.items():
            if wire != "moshi" or name != "speed":
                one.add_argument(f"--{name.replace('_', '-')}", type=float, help=meaning)
        one.add_argument(
            "--timing",
            action="append",
            metavar="NAME=VALUE",
            help="a field of the wire's Timing; repeat it",
        )
        for name, how in _OWN[wire].items():
            one.add_argument(f"--{name}", **how)
        one.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"'{text}' is no port; ports are 0 to 65535")
    return int(text)


async def serve(options: Options, *, with_parent: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; prints one line with the address once it listens.

    With TLS a line before it names the file of the certificate.

    Args:
        options: What to serve.
        with_parent: End also when the standard input ends.

    Raises:
        SettingsError: The address, the backend or a file cannot be used.
        BrokenPipeError: Nobody reads the line.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with make_emulator(options) as emulator:
        if with_parent:
            loop.add_reader(sys.stdin.fileno(), _read_end, stop)
        if options.certificate is not None:
            sys.stdout.write(f"{CERTIFICATE}{options.certificate}\n")
        sys.stdout.write(f"{LISTENING}{emulator.url}\n")
        sys.stdout.flush()
        # What is there now stays: no need to look through it again for garbage.
        gc.freeze()
        await stop.wait()
        if with_parent:
            loop.remove_reader(sys.stdin.fileno())


def _read_end(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()


def make_emulator(options: Options) -> Emulator[Any]:
    """The emulator that options ask for.

    Raises:
        SettingsError: An option cannot be used, or not with the others.
    """
    if options.log is not None:
        _check_folder(options.log)
    common: dict[str, Any] = {
        "host": options.host,
        "port": options.port,
        "tls": _tls(options),
        "faults": load_faults(options.faults, own_faults(options.wire)) if options.faults else (),
        "log": options.log,
    }
    if options.backend == "replay":
        return _replay(options, common)
    backend = make_backend(options)
    timing = made(timing_class(options.wire), options.timing, "--timing")
    return emulator_class(options.wire)(backend, timing=timing, **common, **options.own)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cannot write logs to {folder}: {error.strerror}; name another folder"
        ) from error


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.certificate is None:
        return None
    return server_context(options.host, options.certificate)


def _replay(options: Options, common: Mapping[str, Any]) -> Emulator[Any]:
    if options.scenario is None:
        raise SettingsError("a replay plays a recording; name its file with --scenario")
    unused = (options.timing.keys() | options.own.keys()) - {"speed"}
    if unused:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(unused))
        raise SettingsError(f"a replay goes by its recording; leave {names} out")
    speed = {name: float(value) for name, value in options.timing.items()}
    settings: dict[str, Any] = {**speed, **common}
    wire: Any = options.wire
    return ReplayEmulator(wire, options.scenario, **settings)


def make_backend(options: Options) -> Backend:
    """The backend of a name.

    Raises:
        SettingsError: The scenario cannot be used, or the backend has none.
    """
    if options.backend == "scripted":
        return ScriptedBackend(options.scenario, voice=options.voice)
    if options.scenario is not None:
        raise SettingsError("the offline backend follows no scenario; leave --scenario out")
    return OfflineBackend()


__all__ = ["Options", "main", "make_backend", "make_emulator", "serve"]
