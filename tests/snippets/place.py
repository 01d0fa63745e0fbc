"""A folder in which a page is followed: the checkout as its reader sees it, and files of theirs."""

import atexit
import functools
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from crossfade.conversation.store import CallStore
from crossfade.conversation.store_records import CallChanges, CallStatus
from crossfade.emulators.certificate import _make as make_certificate  # with its key
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.observability.call import CallRecord
from crossfade.observability.virtual_time import run_virtual
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.sample_tools import get_weather
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.conversation.stores import STARTED_AT, call, in_store
from tests.project import ROOT

_CHECKOUT = ("examples", "env.example", "pipelines", "docs", "pyproject.toml")
_FAULTS = "faults:\n  - {fault: reset, turn: 2, at: speaking}\n"


def furnish(folder: Path, text: str) -> None:
    """Lay out what a page's lines name, and the checkout around it."""
    for name in _CHECKOUT:
        (folder / name).symlink_to(ROOT / name)
    # The reader's own: `crossfade replay --write-test` writes there.
    (folder / "tests").mkdir()
    for path in (ROOT / "tests").iterdir():
        (folder / "tests" / path.name).symlink_to(path)
    for name, make in _FILES.items():
        if name in text:
            make(folder / name)
    for name in set(_RUN.findall(text)):
        demo_call(folder / name)
    if _STORED in text:
        in_store(str(folder / "calls.db"), _keep_one)


def demo_call(folder: Path) -> Path:
    """Hold the demo's call in virtual time, captured; gives the folder of its record."""
    shutil.copytree(_one_call() / "call", folder)
    return folder


@functools.cache
def _one_call() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _hold(folder / "call")
    return folder


def _hold(folder: Path) -> None:
    async def held_call() -> None:
        caller = ScriptedCaller(demo_script())
        async with (
            OpenAIEmulator() as emulator,
            native_call(
                "openai:gpt-realtime-2.1",
                transport=caller,
                record=CallRecord.open(folder, capture=True, details=_DETAILS),
                config=SessionConfig(instructions="Be brief."),
                tools=[get_weather],
                base_url=emulator.url,
                api_key="emulated",
            ) as held,
        ):
            await held.run(until=caller.hung_up())

    run_virtual(held_call())


def _question(path: Path) -> None:
    shutil.copy(ROOT / "examples" / "audio" / "weather_tokyo.wav", path)


def _certificate(path: Path) -> None:
    key, chain = make_certificate("127.0.0.1")
    path.write_bytes(chain)
    path.with_name("key.pem").write_bytes(key)


_FILES: Mapping[str, Callable[[Path], object]] = {
    "question.wav": _question,
    "faults.yaml": lambda path: path.write_text(_FAULTS),
    "cert.pem": _certificate,
    "my-prices.yaml": lambda path: path.write_text("prices:\n  ollama: {free: true}\n"),
}
"""What the reader has, by the names that the papers give it."""
_RUN = re.compile(r"runs/\d{4}-[\dT-]+\d")
_STORED = "3f2a"
_DETAILS = {"model": "gpt-realtime-2.1", "arm": "mini"}


async def _keep_one(store: CallStore) -> None:
    name = f"{_STORED}9c"
    began = call(name, config={"instructions": "Be kind."})
    over = CallChanges(call_id=name, began=began, ended=CallStatus.ENDED, ended_at=STARTED_AT + 65)
    await store.write([over])


__all__ = ["demo_call", "furnish"]
