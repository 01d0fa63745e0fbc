"""Emulators as pytest fixtures: `openai_emulator`, `gemini_emulator`, `moshi_emulator`.

    @pytest.mark.emulator(turns=[{"say": "Hello."}], faults=[{"fault": "reset", "turn": 2}])
    def test_my_client(openai_emulator):
        my_client(openai_emulator.url)
        openai_emulator.session.received.assert_order("session.update", "response.create")

Each runs in a thread of its own until the test ends, so that tests with and without an event loop
can use it. Nothing of it is imported before a test asks for one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .received import Received
    from .server import Emulator

_MARK = "emulator(**settings): how the emulators of a test are made; see crossfade's docs"
_POLL_S = 0.005


class RunningEmulator:
    """An emulator that listens, as a test sees it.

    Args:
        emulator: The emulator.
    """

    def __init__(self, emulator: Emulator[Any]) -> None:
        self.emulator = emulator
        self.url = emulator.url
        """The endpoint for clients."""

    @property
    def sessions(self) -> list[Any]:
        """The sessions that were admitted, in order, ended ones too."""
        return self.emulator.sessions

    @property
    def session(self) -> Any:
        """The only session, or the newest."""
        assert self.sessions, "no client has come"
        return self.sessions[-1]

    def wait_for(self, type: str, *, timeout_s: float = 5.0) -> Received:
        """Wait until a client has sent a message of a type; returns what the newest has sent.

        It blocks: what a test's own event loop has to send must be on its way.

        Args:
            type: What the message is called on its wire.
            timeout_s: How long to wait, in real time.

        Raises:
            AssertionError: None came in time; it names what did.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            if self.sessions and type in self.session.received.types:
                received: Received = self.session.received
                return received
            if time.monotonic() > end_s:
                came = self.session.received.types if self.sessions else "nobody"
                raise AssertionError(f"no {type} came within {timeout_s:g} s; there came {came}")
            time.sleep(_POLL_S)


Factory = Callable[..., RunningEmulator]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def emulator_factory(request: pytest.FixtureRequest) -> Iterator[Factory]:
    """Makes running emulators: `emulator_factory("openai", scenario="call.yaml", seed=1)`.

    They end with the test. Settings are those of the emulator's class, and

    - `scenario`: a file, relative to the test's own; `turns`: the turns of one in place.
    - `faults`: a file likewise, or a list of faults: mappings as in the file, or objects.
    - `replay`: a recording's file; the emulator plays it and the client is checked against it.
    - `timing`: fields of the wire's Timing as a mapping, or the object.
    """
    folder = request.path.parent
    with contextlib.ExitStack() as stack:

        def make(wire: str, **settings: Any) -> RunningEmulator:
            from .thread import EmulatorThread

            thread = EmulatorThread(lambda: _emulator(wire, folder, settings))
            return RunningEmulator(stack.enter_context(thread).emulator)

        yield make


def _emulator(wire: str, folder: Path, settings: dict[str, Any]) -> Emulator[Any]:
    from .wires import emulator_class, timing_class

    settings = dict(settings)
    settings["faults"] = _faults(wire, folder, settings.pop("faults", ()))
    replay = settings.pop("replay", None)
    if replay is not None:
        from .replay import ReplayEmulator

        return ReplayEmulator(wire, folder / replay, **settings)  # type: ignore[arg-type]
    if isinstance(settings.get("timing"), dict):
        settings["timing"] = timing_class(wire)(**settings["timing"])
    if "backend" not in settings:
        settings["backend"] = _scripted(folder, settings)
    return emulator_class(wire)(**settings)


def _scripted(folder: Path, settings: dict[str, Any]) -> Any:
    import yaml

    from .backends.scenario import parse_scenario
    from .backends.scripted import ScriptedBackend

    scenario, turns = settings.pop("scenario", None), settings.pop("turns", None)
    if turns is not None:
        return ScriptedBackend(parse_scenario(yaml.safe_dump({"turns": turns})))
    return ScriptedBackend(None if scenario is None else folder / scenario)


def _faults(wire: str, folder: Path, faults: Any) -> Any:
    import yaml

    from .faults.script import load_faults, parse_faults
    from .wires import own_faults

    if isinstance(faults, str | Path):
        return load_faults(folder / faults, own_faults(wire))
    made: list[Any] = []
    for fault in faults:
        if isinstance(fault, dict):
            made += parse_faults(yaml.safe_dump({"faults": [fault]}), own_faults(wire))
        else:
            made.append(fault)
    return made


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of the test's marks; the nearest mark wins."""
    settings: dict[str, Any] = {}
    for mark in request.node.iter_markers("emulator"):
        settings = {**mark.kwargs, **settings}
    return settings


@pytest.fixture
def openai_emulator(request: pytest.FixtureRequest, emulator_factory: Factory) -> RunningEmulator:
    """A running OpenAI Realtime emulator, as the test's mark `emulator` asks for."""
    return emulator_factory("openai", **_marked(request))


@pytest.fixture
def gemini_emulator(request: pytest.FixtureRequest, emulator_factory: Factory) -> RunningEmulator:
    """A running Gemini Live emulator, as the test's mark `emulator` asks for."""
    return emulator_factory("gemini", **_marked(request))


@pytest.fixture
def moshi_emulator(request: pytest.FixtureRequest, emulator_factory: Factory) -> RunningEmulator:
    """A running Moshi emulator, as the test's mark `emulator` asks for."""
    return emulator_factory("moshi", **_marked(request))
