"""An emulator in a thread."""

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario
from crossfade.emulators.backends.scripted import ScriptedDialogue
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.thread import EmulatorThread
from crossfade.errors import SettingsError


class BrokenDialogue(ScriptedDialogue):
    async def render(self, sentence: str) -> bytes:
        raise ZeroDivisionError("a bug")


class BrokenBackend(ScriptedBackend):
    def dialogue(self) -> ScriptedDialogue:
        return BrokenDialogue(Scenario(turns=()), self.render)


def call() -> None:
    """A call that the emulator's own bug ends."""
    broken = EmulatorThread(lambda: MoshiEmulator(BrokenBackend(), greeting="Hi."))
    with broken as thread, connect(thread.emulator.url) as client:
        with pytest.raises(ConnectionClosedError):
            list(client)
        assert client.close_code == 1011


@pytest.mark.realtime
def test_what_fails_in_it_is_raised_on_leaving() -> None:
    with pytest.raises(ExceptionGroup, match="sessions of the emulator failed") as failed:
        call()
    assert isinstance(failed.value.exceptions[0], ZeroDivisionError)


def test_what_keeps_it_from_starting_is_raised_on_entering() -> None:
    with (
        pytest.raises(SettingsError, match="cannot listen"),
        EmulatorThread(lambda: MoshiEmulator(host="192.0.2.1")),
    ):
        pass
